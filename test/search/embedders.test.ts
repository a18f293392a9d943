import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { LongWork, SearchResult } from '../../sdk/api.ts';
import { Secret } from '../../src/base/secret.ts';
import { createOutbound } from '../../src/outbound/outbound.ts';
import { loadBuiltInEmbedder } from '../../src/search/embedding/built-in-embedder.ts';
import { createCachedEmbedder, type EmbeddingProgress } from '../../src/search/embedding/cached-embedder.ts';
import type { Embedder } from '../../src/search/embedding/embedder.ts';
import { createEmbeddingStore } from '../../src/search/embedding/embedding-store.ts';
import { loadOnnxEmbedder } from '../../src/search/embedding/onnx-embedder.ts';
import { connectOpenAiEmbedder } from '../../src/search/embedding/openai-embedder.ts';
import { bootApp, handClock, temporaryFolder } from '../support/app.ts';
import {
  type EmbeddingsService,
  locateOnnx,
  noOnnx,
  startEmbeddings,
  writeOnnxModel,
} from '../support/embeddings.ts';
import { engines, openTestStore } from '../support/stores.ts';

async function openAi(
  t: TestContext,
  service: EmbeddingsService,
  onTokens = (_: number) => {},
): Promise<Embedder> {
  const outbound = createOutbound({ allowUpstreams: ['127.0.0.1'] });
  t.after(() => outbound.close());
  return connectOpenAiEmbedder({
    url: service.url,
    model: 'm',
    apiKey: new Secret('sk-planted'),
    post: outbound.request,
    onTokens,
  });
}

/** Every embedder there is, by its name. */
const embedders: readonly {
  readonly name: string;
  readonly skip: string | false;
  readonly make: (t: TestContext) => Promise<Embedder>;
}[] = [
  { name: 'built-in', skip: false, make: async () => loadBuiltInEmbedder() },
  { name: 'OpenAI-compatible', skip: false, make: async (t) => openAi(t, await startEmbeddings(t)) },
  {
    name: 'ONNX',
    skip: noOnnx,
    make: async (t) => {
      const folder = temporaryFolder(t);
      writeOnnxModel(folder);
      return loadOnnxEmbedder(folder, locateOnnx);
    },
  },
  {
    name: 'cached',
    skip: false,
    make: async (t) => {
      const storage = await openTestStore(t, engines[0]!);
      const provider = await openAi(t, await startEmbeddings(t));
      return createCachedEmbedder(provider, createEmbeddingStore(storage, handClock()), () => {});
    },
  },
];

for (const { name, skip, make } of embedders)
  test(`${name}: vectors are of unit length, related texts are near, and each text has its own whatever stands beside it`, {
    skip,
  }, async (t) => {
    const embedder = await make(t);
    t.after(() => embedder.close?.());
    assert.equal(embedder.dims % 16, 0);
    assert.notEqual(embedder.id, '');
    for (const kind of ['document', 'query'] as const) {
      const texts = ['email in my inbox', 'a letter by mail', 'weather forecast with rain', ''];
      const all = await embedder.embed(texts, kind);
      assert.equal(all.length, texts.length * embedder.dims);
      const at = (i: number) => all.subarray(i * embedder.dims, (i + 1) * embedder.dims);
      const cosine = (a: number, b: number) => at(a).reduce((sum, x, i) => sum + x * (at(b)[i] ?? 0), 0);
      assert.ok(Math.abs(cosine(0, 0) - 1) < 0.01, `${kind}: length ${cosine(0, 0)}`);
      assert.ok(cosine(0, 1) > cosine(0, 2) + 0.2, `${kind}: ${cosine(0, 1)} and ${cosine(0, 2)}`);
      const alone = await embedder.embed([texts[2] ?? ''], kind);
      assert.ok(
        alone.every((x, i) => Math.abs(x - (at(2)[i] ?? 0)) < 0.02),
        kind,
      );
    }
    assert.equal((await embedder.embed([], 'document')).length, 0);
    const many = Array.from({ length: 300 }, (_, i) => `email ${i}`);
    assert.equal((await embedder.embed(many, 'document')).length, 300 * embedder.dims);
  });

test('OpenAI-compatible: batches are bounded, tokens are counted, a busy service is asked again, the key goes in its header', async (t) => {
  const service = await startEmbeddings(t);
  let tokens = 0;
  const embedder = await openAi(t, service, (count) => {
    tokens += count;
  });
  service.failures.push(429, 503, 0);
  const texts = Array.from({ length: 250 }, (_, i) => `text ${i}`);
  await embedder.embed(texts, 'document');
  assert.equal(tokens, 251);
  assert.ok(service.asked.every(({ input }) => input.length <= 96));
  assert.deepEqual(new Set(service.asked.slice(1).flatMap(({ input }) => input)), new Set(texts));
  assert.ok(service.asked.every(({ authorization }) => authorization === 'Bearer sk-planted'));
});

test('OpenAI-compatible: a service that refuses the key is told in words without it', async (t) => {
  const service = await startEmbeddings(t);
  service.failures.push(401);
  const error = await openAi(t, service).catch((e: unknown) => e as Error);
  assert.match(String(error), /embeddings service .* answers 401/);
  assert.doesNotMatch(String(error), /sk-planted/);
});

for (const engine of engines)
  test(`${engine.name}: vectors of documents are asked for once, whoever asks, and those of a provider left behind are forgotten`, {
    skip: engine.skip,
  }, async (t) => {
    const clock = handClock();
    const storage = await openTestStore(t, engine, clock);
    const store = createEmbeddingStore(storage, clock);
    const service = await startEmbeddings(t);
    const provider = await openAi(t, service);
    let progress: EmbeddingProgress = { cached: 0, embedded: 0 };
    const make = () => createCachedEmbedder(provider, store, (now) => (progress = now));
    const texts = ['email', 'rain', 'email', ...Array.from({ length: 300 }, (_, i) => `song ${i}`)];
    const first = await make().embed(texts, 'document');
    const asked = service.asked.length;
    const again = await make().embed(texts, 'document');
    assert.equal(service.asked.length, asked, 'the second process asked nothing');
    assert.deepEqual([progress.embedded, progress.cached], [0, texts.length]);
    assert.ok(again.every((x, i) => Math.abs(x - (first[i] ?? 0)) < 0.01));
    clock.advance(31 * 86_400_000);
    await store.prune('another space');
    assert.equal((await store.find(provider.id, ['x'])).size, 0);
    await make().embed(['rain'], 'document');
    assert.equal(service.asked.length, asked + 1);
  });

test('a provider is built beside and swapped in; when it is down the built-in vectors answer, and it comes back by itself', async (t) => {
  const service = await startEmbeddings(t);
  service.down = true;
  const clock = handClock();
  const app = await bootApp(
    t,
    {
      MCPRANK_STARTER: 'off',
      MCPRANK_EMBEDDINGS: `openai:${service.url}#m`,
      MCPRANK_EMBEDDINGS_KEY: 'sk-planted-too',
      MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1',
    },
    { clock },
  );
  await app.call('POST', '/v1/admin/servers', {
    body: [
      {
        id: 'post',
        name: 'Courier',
        description: 'Everything about the letter',
        remote_url: 'https://a.example',
      },
      { id: 'sky', name: 'Sky', description: 'Knows about a storm', remote_url: 'https://b.example' },
    ],
  });
  await app.services.search.settled();
  const first = async (query: string) => {
    const reply = await app.call('POST', '/v1/search', { body: { query } });
    assert.equal(reply.status, 200);
    return (reply.body as unknown as SearchResult).servers[0]?.id;
  };
  assert.equal(await first('letter'), 'post', 'ready and right before the provider answers');
  assert.match(app.services.search.stats().embedder, /^builtin/);
  const work = async () => {
    const found = (await app.call('GET', '/v1/admin/work')).body.work as LongWork[];
    return found.find(({ name }) => name === 'embedding');
  };
  while ((await work())?.state !== 'failed') await delay(20);
  assert.match((await work())?.reason ?? '', /503/, 'who waits for the vectors reads why there are none');
  service.down = false;
  while (!app.services.search.stats().embedder.startsWith('openai')) await delay(50);
  while ((await work())?.state !== 'done') await delay(20);
  assert.equal((await work())?.reason, null);
  assert.equal(await first('forecast'), 'sky', 'a synonym that only the provider knows');
  const stranger = 'invoice';
  service.down = true;
  await first(stranger);
  assert.equal(app.services.search.stats().degraded, 1);
  assert.match(app.services.search.stats().embedder, /^builtin/);
  service.down = false;
  clock.advance(31_000);
  assert.match(app.services.search.stats().embedder, /^openai/);
  const metrics = (await app.call('GET', '/metrics', { key: null })).text;
  assert.match(metrics, /mcprank_embedding_tokens [1-9]/);
  assert.match(metrics, /mcprank_embedded_texts [1-9]/);
  assert.ok(!app.lines.join('').includes('sk-planted-too'));
});

test('ONNX: a folder that lacks something, or a machine without the packages, is a setup fault in words', async (t) => {
  const folder = temporaryFolder(t);
  await assert.rejects(loadOnnxEmbedder(folder), { kind: 'setup', message: /has no model\.onnx/ });
  writeOnnxModel(folder);
  const absent = () => {
    throw new Error('not installed');
  };
  await assert.rejects(loadOnnxEmbedder(folder, absent), {
    kind: 'setup',
    message: /npm install onnxruntime-node/,
  });
});
