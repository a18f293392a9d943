/** A misspelled word finds what it was meant to find; a word that is known is left alone. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { misspell, seededRandom } from '../../eval/misspell.ts';
import { knownWords } from '../../src/search/query/known-words.ts';
import type { SearchView } from '../../src/search/search.ts';
import { wordAt } from '../../src/search/text/word-index.ts';
import { searchedServer, startSearchRoom } from '../support/search-room.ts';

const room = await startSearchRoom([
  searchedServer('calendars', 'Schedules meetings in a calendar.'),
  searchedServer('weather', 'Forecasts of the weather.'),
  searchedServer('plunk', 'Shows dashboards of Plunkify and QuuxMetrics.'),
  searchedServer('secret', 'Talks to Zorblatt.'),
]);
after(room.close);

test('a misspelled word is searched as the one it was meant to be, and the reply says so', async () => {
  const { ids, page } = await room.ask('Put it in my calandar', { explain: true });
  assert.equal(ids[0], 'calendars');
  assert.equal(page.correctedQuery, 'Put it in my calendar');
  assert.equal(page.hits[0]?.explanation?.query, 'Put it in my calendar');
  assert.equal((await room.ask('wheather in Lyon')).page.correctedQuery, 'weather in Lyon');
});

test('names that only the catalog knows are corrected, compounds too', async () => {
  assert.equal((await room.ask('PLUNKFIY boards')).page.correctedQuery, 'plunkify boards');
  assert.equal((await room.ask('open QuuxMetirics')).page.correctedQuery, 'open quuxmetrics');
});

test('with spelling: false a query is searched as it is, and is another question', async () => {
  assert.equal((await room.ask('zorblat')).ids[0], 'secret');
  const { ids, page } = await room.ask('zorblat', { spelling: false });
  assert.deepEqual([ids, page.correctedQuery], [[], null]);
});

test('what the caller does not see corrects nothing', async () => {
  const view: SearchView = { key: 'all but one', toolsOf: ({ id }) => (id === 'secret' ? 'none' : 'all') };
  assert.equal((await room.ask('zorblat')).page.correctedQuery, 'zorblatt');
  assert.equal((await room.ask('zorblat', { view })).page.correctedQuery, null);
});

test('a known word is never changed, whatever stands beside it', async () => {
  const words = knownWords();
  const known = fc.nat({ max: words.terms.length - 1 }).map((word) => wordAt(words, word));
  await fc.assert(
    fc.asyncProperty(fc.array(known, { minLength: 1, maxLength: 5 }), async (query) => {
      const { page } = await room.ask([...query, 'calandar'].join(' '));
      assert.equal(page.correctedQuery, [...query, 'calendar'].join(' '));
    }),
  );
});

test('misspelled queries are the same for the same seed', () => {
  const text = 'Schedule several meetings with everybody tomorrow';
  const made = [1, 1, 2].map((seed) => misspell(text, 0.9, seededRandom(seed)));
  assert.equal(made[0], made[1]);
  assert.notEqual(made[0], made[2]);
  assert.equal(made[0]?.[0], 'S', 'first letters stay');
});
