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
  let look: () => void = () => undefined;
  const overs: (() => void)[] = [];
  const end = await listenToTarget({
    async find() {
      if (failing) throw new Problem(kind, 'not now');
      return { key: 'a' } as Target;
    },
    start(_target, onOver) {
      overs.push(onOver);
      return () => undefined;
    },
    onAgain: () => again++,
    watch(told) {
      look = told;
      return () => undefined;
    },
  });
  failing = true;
  overs[0]?.();
  await turns();
  const mend = () => {
    failing = false;
  };
  return { end, overs, again: () => again, mend, look: () => look() };
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

test('where there is nothing any more it is looked for when there may be something again, and not after the end', async () => {
  const gone = await hearAfter('not_found');
  gone.look();
  await turns();
  assert.equal(gone.overs.length, 1, 'still nothing');
  gone.mend();
  gone.look();
  await turns();
  assert.deepEqual([gone.overs.length, gone.again()], [2, 1]);
  const left = await hearAfter('not_found');
  left.mend();
  left.end();
  left.look();
  await turns();
  assert.equal(left.overs.length, 1);
});

test('another target takes the place of the one that is heard, the same one does not; the last look counts', async () => {
  const started: string[] = [];
  const ended: string[] = [];
  const found: ((key: string) => void)[] = [];
  let look: () => void = () => undefined;
  let unwatched = 0;
  const find = () => new Promise<Target>((resolve) => found.push((key) => resolve({ key } as Target)));
  const begun = listenToTarget({
    find,
    start({ key }) {
      started.push(key);
      return () => ended.push(key);
    },
    watch(told) {
      look = told;
      return () => unwatched++;
    },
  });
  look();
  found[1]?.('b');
  await turns();
  found[0]?.('a');
  const end = await begun;
  assert.deepEqual([started, ended], [['b'], []], 'what was found before the change is not heard');
  look();
  look();
  found[3]?.('d');
  await turns();
  found[2]?.('c');
  look();
  found[4]?.('d');
  await turns();
  assert.deepEqual([started, ended], [['b', 'd'], ['b']]);
  end();
  assert.deepEqual([ended, unwatched], [['b', 'd'], 1]);
  await assert.rejects(
    listenToTarget({
      find: () => Promise.reject(new Problem('not_found', 'none')),
      start: () => () => undefined,
      watch: () => () => unwatched++,
    }),
  );
  assert.equal(unwatched, 2);
});
