import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { systemClock } from '../../src/base/clock.ts';
import { loadOnnxEmbedder } from '../../src/search/embedding/onnx-embedder.ts';
import {
  createSearch,
  defaultSearchConfig,
  type Embedder,
  loadBuiltInEmbedder,
  type Search,
} from '../../src/search/search.ts';
import { temporaryFolder } from '../support/app.ts';
import { locateOnnx, noOnnx, writeOnnxModel } from '../support/embeddings.ts';
import { searchedServer } from '../support/search-room.ts';

/** So many that a run of long documents takes seconds, and one of a short query milliseconds. */
const detours = 500;
/** As long as the model reads. */
const longText = 'storm '.repeat(300);
const longRun = [longText, longText, longText, longText];

async function loadSlowModel(t: TestContext): Promise<Embedder> {
  const folder = temporaryFolder(t);
  writeOnnxModel(folder, detours);
  const embedder = await loadOnnxEmbedder(folder, locateOnnx);
  t.after(() => embedder.close?.());
  return embedder;
}

async function firstOf(search: Search, query: string): Promise<string | undefined> {
  const { page } = await search.find({
    caller: { keyId: 'key_1', developerId: 'dev_1' },
    query,
    ...{ limit: 10, toolLimit: 10, filters: {}, explain: false, minScore: 0 },
  });
  return page.serverIds[0];
}

/** What is under way, and whether it is over. */
function watch(work: Promise<unknown>) {
  const state = { isOver: false, work };
  const end = () => {
    state.isOver = true;
  };
  work.then(end, end);
  return state;
}

/** Turns of the event loop, as a request over a socket takes several. */
async function turns(): Promise<void> {
  for (let i = 0; i < 5; i++) await delay(1);
}

test('18.16 a model at work holds nobody up: searches are answered in the middle of a run, the swap comes and is told, and a query that would wait is answered without its vector', {
  skip: noOnnx,
}, async (t) => {
  const model = await loadSlowModel(t);
  const swaps: string[] = [];
  const errors: unknown[] = [];
  const search = createSearch({
    changesSince: async function* (after) {
      const servers = [
        searchedServer('post', 'Everything about the letter'),
        searchedServer('sky', `Knows ${longText}`),
      ];
      const changes = servers.map((each, i) => ({ revision: i + 1, id: each.id, server: each }));
      if (after < changes.length) yield changes;
    },
    embedder: loadBuiltInEmbedder(),
    provider: async () => model,
    clock: systemClock,
    newQueryLogId: () => 'ql',
    recordQuery: () => undefined,
    config: defaultSearchConfig,
    onSwap: ({ embedder }) => swaps.push(embedder),
    onError: (error) => errors.push(error),
  });
  t.after(() => search.close());
  await search.start();

  const before = watch(model.embed(longRun, 'document') as Promise<Float32Array>);
  await turns();
  assert.equal(await firstOf(search, 'letter'), 'post');
  assert.ok(!before.isOver, 'the run was under way');
  assert.match(search.stats().embedder, /^builtin/);

  while (swaps.length === 0) await delay(20);
  assert.deepEqual(swaps, [model.id]);
  assert.equal(search.stats().embedder, model.id);

  const meanwhile = watch(model.embed(longRun, 'document') as Promise<Float32Array>);
  await turns();
  assert.equal(await firstOf(search, 'a letter'), 'post');
  assert.ok(!meanwhile.isOver, 'it did not wait for the run');
  assert.deepEqual([search.stats().degraded, search.stats().embedder], [1, model.id]);
  await meanwhile.work;
  // A synonym that only the model knows. A machine that is busy may be late with that, too.
  while ((await firstOf(search, 'forecast')) !== 'sky') await delay(100);
  assert.deepEqual(errors, []);
});

test('18.16 queries go before documents, the newest first; beyond a bound the oldest is let go', {
  skip: noOnnx,
}, async (t) => {
  const model = await loadSlowModel(t);
  const order: string[] = [];
  const ask = (name: string, texts: readonly string[], kind: 'query' | 'document') =>
    (model.embed(texts, kind) as Promise<Float32Array>).then(
      () => void order.push(name),
      (error: unknown) => void order.push(`${name} ${(error as Error).constructor.name}`),
    );
  const asked = [
    ask('documents', [...longRun, longText], 'document'),
    ...Array.from({ length: 33 }, (_, i) => ask(`query ${i}`, [`email ${i}`], 'query')),
  ];
  await Promise.all(asked);
  assert.deepEqual(order, [
    'query 0 NoVectors',
    ...Array.from({ length: 32 }, (_, i) => `query ${32 - i}`),
    'documents',
  ]);
});

test('18.16 a model whose thread dies tells those who wait, and is started anew for the next one', {
  skip: noOnnx,
}, async (t) => {
  const folder = temporaryFolder(t);
  writeOnnxModel(folder);
  const deadly = join(folder, 'tokenizers.mjs');
  writeFileSync(
    deadly,
    `import tokenizers from ${JSON.stringify(locateOnnx('@huggingface/tokenizers'))};
     export class Tokenizer extends tokenizers.Tokenizer {
       encode(text) {
         if (text === 'the end') process.exit();
         return super.encode(text);
       }
     }`,
  );
  const model = await loadOnnxEmbedder(folder, (name) =>
    name === 'onnxruntime-node' ? locateOnnx(name) : pathToFileURL(deadly).href,
  );
  t.after(() => model.close?.());
  const before = await model.embed(['email'], 'query');
  const asked = [model.embed(['the end'], 'document'), model.embed(['rain'], 'document')];
  for (const each of asked) await assert.rejects(Promise.resolve(each), /the thread of the model ended/);
  assert.deepEqual(await model.embed(['email'], 'query'), before);
  await model.close?.();
  await assert.rejects(Promise.resolve(model.embed(['email'], 'query')), /closed/);
});

test('18.16 a model is closed in the middle of a run without the process ending by it', {
  skip: noOnnx,
}, async (t) => {
  const model = await loadSlowModel(t);
  const cut = assert.rejects(Promise.resolve(model.embed(longRun, 'document')), /closed/);
  await turns();
  await model.close?.();
  await cut;
});
