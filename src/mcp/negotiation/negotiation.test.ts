import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Decision, negotiate, type Observation } from './negotiation.ts';

const table: readonly (readonly [Observation, Decision])[] = [
  [{ asked: 'nothing', hint: 'streamable-http' }, { ask: 'discover' }],
  [{ asked: 'nothing', hint: 'sse' }, { ask: 'open-sse' }],
  [{ asked: 'nothing', hint: 'streamable-http', pinned: 'stateless' }, { settle: 'stateless' }],
  [{ asked: 'nothing', hint: 'streamable-http', pinned: 'session' }, { ask: 'initialize' }],
  [{ asked: 'nothing', hint: 'sse', pinned: 'session' }, { ask: 'open-sse' }],
  [{ asked: 'discover', showed: 'modern' }, { settle: 'stateless' }],
  [{ asked: 'discover', showed: 'older' }, { ask: 'initialize' }],
  [{ asked: 'discover', showed: 'inconclusive' }, { fail: 'inconclusive' }],
  [{ asked: 'initialize', showed: 'opened' }, { settle: 'session' }],
  [{ asked: 'initialize', showed: 'refused' }, { ask: 'open-sse' }],
  [{ asked: 'open-sse', showed: 'opened', first: true }, { settle: 'http+sse' }],
  [{ asked: 'open-sse', showed: 'opened', first: false }, { settle: 'http+sse' }],
  [{ asked: 'open-sse', showed: 'refused', first: true }, { ask: 'discover' }],
  [{ asked: 'open-sse', showed: 'refused', first: false }, { fail: 'no-way' }],
];

for (const [observation, decision] of table)
  test(`negotiation: ${JSON.stringify(observation)} → ${JSON.stringify(decision)}`, () => {
    assert.deepEqual(negotiate(observation), decision);
  });
