import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { McpCaller } from '../doors/backend.ts';
import { WantedResources } from './wanted-resources.ts';

const caller = (subscriber: string, keyId = 'key'): McpCaller => ({
  developerId: 'acme',
  keyId,
  maySearch: true,
  subscriber,
});
const at = (own: string) => ({ serverId: 's', own });

test('what is wanted is bounded by principal, the oldest goes; keys and sessions are told apart, principals share nothing', async () => {
  const wanted = new WantedResources();
  for (let n = 0; n <= 4_000; n++) wanted.add(caller('one'), at(`note://${n}`));
  const kept = wanted.of(caller('one')).map(({ own }) => own);
  assert.deepEqual([kept.length, kept[0], kept.at(-1)], [4_000, 'note://1', 'note://4000']);
  for (let n = 0; n < 1_000; n++) wanted.add(caller(`s${n}`), at('note://5'));
  assert.deepEqual([wanted.of(caller('s0')).length, wanted.of(caller('s999')).length], [1, 1]);
  assert.ok(!wanted.of(caller('one')).some(({ own }) => own === 'note://5'), 'the oldest of its sessions');
  assert.deepEqual(wanted.ofKey(caller('x', 'other')), []);
  assert.deepEqual(wanted.of({ ...caller('one'), userId: 'ada' }), []);
  // Of another key of the same principal: its server is one with theirs.
  wanted.add(caller('two', 'other'), at('note://7'));
  let asked = 0;
  const ask = async () => {
    asked++;
    return { kind: 'result', body: { members: [] } } as const;
  };
  await wanted.unsubscribe(caller('one'), at('note://7'), ask);
  await wanted.unsubscribe(caller('nobody'), at('note://7'), ask);
  assert.equal(asked, 0);
  await wanted.unsubscribe(caller('two', 'other'), at('note://7'), ask);
  assert.equal(asked, 1);
});
