import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { queryParts, queryStems, stemsOf } from './text.ts';

test('an identifier is found by its words, however it is written', () => {
  const words = stemsOf('get weather report');
  for (const spelling of [
    'getWeatherReport',
    'get_weather_report',
    'GET-WEATHER-REPORT',
    'get.weather.report',
  ]) {
    const found = stemsOf(spelling);
    for (const word of words) assert.ok(found.includes(word), `${spelling} gives ${found}, without ${word}`);
  }
});

test('a brand is one word in either spelling', () => {
  for (const [brand, plain] of [
    ['GitHub', 'github'],
    ['YouTube', 'youtube'],
    ['iPhone', 'iphone'],
  ]) {
    assert.ok(stemsOf(brand ?? '').includes(stemsOf(plain ?? '')[0] ?? ''));
  }
});

test('forms of a word have one stem', () => {
  for (const forms of [
    'translate translates translating translation translator',
    'city cities',
    'run running',
  ]) {
    assert.equal(new Set(stemsOf(forms)).size, 1, `${forms} → ${stemsOf(forms)}`);
  }
});

test('accents and compatibility forms do not matter', () => {
  assert.deepEqual(stemsOf('Café Ｒeport'), stemsOf('cafe report'));
});

test('text without spaces is found by any two neighbouring characters', () => {
  assert.ok(stemsOf('天気予報サービス').includes('予報'));
});

test('courtesy is dropped from a query, but never all of it', () => {
  assert.deepEqual(queryStems('Could you please help me, I want the weather'), stemsOf('weather'));
  assert.notDeepEqual(queryStems('help me please'), []);
});

test('any text has stems that its upper case has, too, and none is longer than a key', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z ]{0,60}$/), (text) => {
      assert.deepEqual(stemsOf(text.toUpperCase()), stemsOf(text));
    }),
  );
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (text) => {
      for (const stem of stemsOf(text)) assert.ok(stem.length > 0 && stem.length <= 40, stem);
    }),
  );
});

test('a long query is taken apart at its sentences without losing words; a short one is not', () => {
  const sentence = 'Book seven cheap flights between Oslo and Madrid during august with luggage.';
  assert.deepEqual(queryParts(sentence), [sentence]);
  const long = `${sentence} Then reserve a quiet hotel near the old harbour for nine nights. Hire one electric car, collect train timetables, compare museum tickets and remember vegan restaurants.`;
  const [whole, ...parts] = queryParts(long);
  assert.equal(whole, long);
  assert.ok(parts.length > 1);
  assert.deepEqual(parts.flatMap(queryStems), queryStems(long));
});
