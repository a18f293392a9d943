import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scanJson } from '../../base/json-scanner.ts';
import { messageShape, UpstreamFailure } from '../../mcp/mcp.ts';
import type { McpCaller } from '../doors/backend.ts';
import { FeatureLists, type FeatureListsDeps } from './feature-lists.ts';

type Call = FeatureListsDeps['mcp']['call'];

const caller = (fields: Partial<McpCaller> = {}): McpCaller => ({
  developerId: 'acme',
  keyId: 'key',
  maySearch: true,
  ...fields,
});

function listed(...names: string[]): Awaited<ReturnType<Call>> {
  const text = JSON.stringify({ prompts: names.map((name) => ({ name })) });
  return {
    kind: 'reply',
    reply: { result: scanJson(Buffer.from(text), messageShape.result) },
    upstreamMs: 1,
  };
}

function listsOver(call: Call) {
  let now = 0;
  const lists = new FeatureLists({ mcp: { call }, now: () => now, patienceMs: 20 });
  const ask = async (by: McpCaller, view = '') => {
    const { features, leftOut } = await lists.of(by, view, 'one', 'prompts/list');
    return leftOut?.reason ?? features.map(({ name }) => name);
  };
  return { lists, ask, wait: (ms: number) => (now += ms) };
}

test('a server that is slow is left out of a list and said to be, and what it answers later is there for the next', async () => {
  const { promise, resolve } = Promise.withResolvers<Awaited<ReturnType<Call>>>();
  const { ask } = listsOver(() => promise);
  assert.equal(await ask(caller()), 'timeout');
  const both = [ask(caller()), ask(caller())];
  resolve(listed('late'));
  assert.deepEqual(await Promise.all(both), [['one__late'], ['one__late']]);
});

test('a list is kept for whoever asked, for a minute, and for nobody else; what failed is asked for again soon', async () => {
  let asked = 0;
  let fails = false;
  const { ask, wait } = listsOver(async ({ developerId, userId = '', account = '' }) => {
    asked++;
    if (fails) throw new UpstreamFailure('refused', 'The server is away');
    return listed(`of_${developerId}_${userId}${account}`);
  });
  assert.deepEqual(await ask(caller()), ['one__of_acme_']);
  assert.deepEqual(await ask(caller()), ['one__of_acme_']);
  assert.equal(asked, 1);
  assert.deepEqual(await ask(caller({ userId: 'ada' })), ['one__of_acme_ada']);
  assert.deepEqual(await ask(caller({ userId: 'ada', account: 'work' })), ['one__of_acme_adawork']);
  assert.deepEqual(await ask(caller({ developerId: 'other' })), ['one__of_other_']);
  assert.deepEqual(await ask(caller({ keyId: 'narrower' })), ['one__of_acme_']);
  await ask(caller(), 'another view');
  assert.equal(asked, 6, 'nobody is answered out of what another was');
  fails = true;
  wait(60_000);
  assert.equal(await ask(caller()), 'refused');
  fails = false;
  assert.equal(await ask(caller()), 'refused');
  wait(5_000);
  assert.deepEqual(await ask(caller()), ['one__of_acme_']);
});

test('what was read before a server told of a change is not kept', async () => {
  let current = Promise.withResolvers<Awaited<ReturnType<Call>>>();
  const { lists, ask } = listsOver(() => current.promise);
  const before = ask(caller());
  lists.forget(caller(), '', 'one');
  const old = current;
  current = Promise.withResolvers();
  current.resolve(listed('new'));
  old.resolve(listed('old'));
  assert.deepEqual(await before, ['one__old']);
  assert.deepEqual(await ask(caller()), ['one__new']);
});

test('a server whose pages do not end is left out, and one without such things has none', async () => {
  const endless = listsOver(async () => {
    const text = JSON.stringify({ prompts: [{ name: 'x' }], nextCursor: 'again' });
    return {
      kind: 'reply',
      reply: { result: scanJson(Buffer.from(text), messageShape.result) },
      upstreamMs: 1,
    };
  });
  assert.equal(await endless.ask(caller()), 'too_large');
  const without = listsOver(async () => {
    const error = { code: -32601, message: 'Method not found', data: undefined, text: [] };
    return { kind: 'reply', reply: { error }, upstreamMs: 1 };
  });
  assert.deepEqual(await without.ask(caller()), []);
});
