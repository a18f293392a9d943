import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { root } from '../support/paths.ts';

const run = promisify(execFile);

/** Works until its young generation is large, rests, and says how large that is from then on. */
const program = `
import { getHeapSpaceStatistics } from 'node:v8';
import { collectAtRest } from ${JSON.stringify(join(root, 'src/cli/memory-at-rest.ts'))};
const young = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size;
collectAtRest();
const kept = [];
for (let i = 0; i < 3e6; i++) { const made = { i }; if (i % 4 === 0) kept.push(made); }
const before = young();
kept.length = 0;
const until = Date.now() + 30_000;
while (young() >= before / 4 && Date.now() < until) await new Promise((next) => setTimeout(next, 500));
console.log(JSON.stringify({ before, after: young() }));
`;

test('a process that rests gives back what its busy time needed', async () => {
  const { stdout } = await run(process.execPath, [
    '--max-semi-space-size=8',
    '--input-type=module',
    '-e',
    program,
  ]);
  const { before, after } = JSON.parse(stdout) as { before: number; after: number };
  assert.ok(before > 4_000_000, `a busy process has a large young generation: ${before}`);
  assert.ok(after < before / 4, `${after} of ${before} are left`);
});
