/** Requests in other languages, and abbreviated ones, find what the same in plain English finds. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { readAbbreviations } from '../../src/search/query/abbreviations.ts';
import { knownWords, readModelText } from '../../src/search/query/known-words.ts';
import type { SearchView } from '../../src/search/search.ts';
import { stemsOf } from '../../src/search/text/text.ts';
import { wordAt } from '../../src/search/text/word-index.ts';
import { searchedServer, startSearchRoom } from '../support/search-room.ts';

const room = await startSearchRoom([
  searchedServer('mail', 'Sends an email to anybody, and reads the inbox.'),
  searchedServer('weather', 'The weather forecast of any city.'),
  searchedServer('flights', 'Search and book a cheap flight.'),
  searchedServer('translator', 'Translate any text.'),
  searchedServer('sheets', 'Rows of a Google Sheets spreadsheet.'),
  searchedServer('cluster', 'Looks after a Kubernetes cluster.'),
  searchedServer('hidden', 'Wetter.'),
]);
after(room.close);
/** Everything but the server that is described in German. */
const seen: SearchView = { key: 'seen', toolsOf: ({ id }) => (id === 'hidden' ? 'none' : 'all') };
const searched = async (query: string) => {
  const { page } = await room.ask(query, { explain: true, view: seen });
  return page.hits[0]?.explanation?.query;
};

const requests = {
  mail: [
    'Schick bitte eine E-Mail an meine Chefin',
    'envoie un courriel à ma collègue',
    'envía un correo a mi hermano',
    'mande um e-mail para a minha irmã',
    'отправь письмо моей сестре',
    '给我姐姐发送邮件',
    '妹にメールを送って',
    '동생에게 이메일을 보내줘',
  ],
  weather: [
    'Wie wird das Wetter morgen?',
    'quelle est la météo à Nantes',
    '¿qué clima hace en Sevilla?',
    'qual é a previsão do tempo para o Porto',
    'какая завтра погода',
    '明天的天气预报',
    '明日の天気予報',
    '내일 날씨는 어때',
  ],
};

test('a request in any of eight languages finds what is meant, as surely as in English', async () => {
  for (const [id, queries] of Object.entries(requests)) {
    for (const query of queries) {
      const { ids, page } = await room.ask(query, { view: seen });
      assert.equal(ids[0], id, query);
      assert.equal(page.correctedQuery, null, query);
      assert.equal(page.hits[0]?.match, 'strong', query);
    }
  }
});

test('inflected and compound words are understood, and names stay', async () => {
  assert.match((await searched('Wettervorhersage für Zürich bitte')) ?? '', /weather forecast .*Zürich/);
  assert.match((await searched('погоду в Тбилиси')) ?? '', /weather .*Тбилиси/);
  assert.match((await searched('Google スプレッドシートを読む')) ?? '', /Google spreadsheet/);
});

test('English is left alone, whatever it resembles', async () => {
  for (const query of [
    'tell me the time in Los Angeles',
    'chat with de la Rosa',
    'use the flavor 芳醇 for a text',
  ])
    assert.ok([undefined, query].includes(await searched(query)), query);
  const words = knownWords();
  // What stands for something longer is spelt out (below).
  const short = readAbbreviations(readModelText('abbreviations.txt'));
  const word = fc
    .nat({ max: words.terms.length - 1 })
    .map((number) => wordAt(words, number))
    .filter((known) => stemsOf(known).every((stem) => !short.has(stem)));
  await fc.assert(
    fc.asyncProperty(fc.array(word, { minLength: 1, maxLength: 8 }), async (query) => {
      const text = [...query, 'weather'].join(' ');
      assert.equal(await searched(text), text);
    }),
  );
});

test('words of a language that the catalogue is written in are searched as they are', async () => {
  const russian = await startSearchRoom([
    searchedServer('pogoda', 'Показывает погода в городах.'),
    searchedServer('other', 'Something else.'),
  ]);
  after(russian.close);
  assert.equal((await russian.ask('погода')).ids[0], 'pogoda');
});

test('what the caller does not see decides nothing', async () => {
  assert.equal((await room.ask('Wetter morgen bitte')).ids[0], 'hidden');
  assert.equal((await room.ask('Wetter morgen bitte', { view: seen })).ids[0], 'weather');
});

test('an abbreviation is spelt out where what it stands for is the more common', async () => {
  assert.equal((await room.ask('k8s pods')).ids[0], 'cluster');
  assert.equal(await searched('my gsheets'), 'my gsheets google sheets');
  assert.equal(await searched('my bq weather'), 'my bq weather', 'nobody here has it');
  const parts = 'weather of map.gsheets and myGsheets/gsheets';
  assert.equal(await searched(parts), parts, 'endings and parts of names are none');
});

test('the long-vowel mark is part of its word', () => {
  assert.deepEqual(stemsOf('メール'), ['メー', 'ール']);
});

test('the concepts are a table: English and eight languages, nothing twice within a cell', () => {
  const lines = readFileSync(new URL('../../model/concepts.txt', import.meta.url), 'utf8')
    .trimEnd()
    .split('\n');
  for (const line of lines.filter((line) => !line.startsWith('#'))) {
    const cells = line.split('|');
    assert.equal(cells.length, 9, line);
    assert.ok(
      cells.every((cell) => cell !== '' && cell === cell.trim()),
      line,
    );
  }
});
