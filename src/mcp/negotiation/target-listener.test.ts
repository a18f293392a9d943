import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem, type ProblemKind } from '../../base/problem.ts';
import type { Target } from '../mcp-model.ts';
import { listenToTarget } from './target-listener.ts';

const turns = async () => {
  for (let i = 0; i < 5; i++) await new Promise(setImmediate);
};

async function hearAfter(kind: ProblemKind) {
  let failing = false;
  let again = 0;
  const overs: (() => void)[] = [];
  const end = await listenToTarget(
    async () => {
      if (failing) throw new Problem(kind, 'not now');
      return {} as Target;
    },
    (_target, onOver) => {
      overs.push(onOver);
      return () => undefined;
    },
    () => again++,
  );
  failing = true;
  overs[0]?.();
  await turns();
  const mend = () => {
    failing = false;
  };
  return { end, overs, again: () => again, mend };
}

test('who hears a server goes on when the store or the provider is back; not where there is nothing any more', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const passing = await hearAfter('unavailable');
  t.mock.timers.tick(2_000);
  await turns();
  assert.equal(passing.overs.length, 1, 'still away');
  passing.mend();
  t.mock.timers.tick(4_000);
  await turns();
  assert.deepEqual([passing.overs.length, passing.again()], [2, 1]);

  const left = await hearAfter('upstream_error');
  left.end();
  left.mend();
  const gone = await hearAfter('not_found');
  gone.mend();
  t.mock.timers.tick(600_000);
  await turns();
  assert.deepEqual([left.overs.length, gone.overs.length], [1, 1]);
});
