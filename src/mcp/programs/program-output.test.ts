import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOutputMask } from './output-mask.ts';
import { ProgramOutput } from './program-output.ts';

const program = {
  command: 'x',
  args: ['--api-key', 'of-an-argument', '--token=of-an-equal-sign', '--level', 'verbose'],
  env: { TOKEN: 'kept-value', LONGER: 'kept-value-and-more', DEBUG: '1', TEAM: 'blue' },
};

test('of what a program writes, the values that it was given to keep are masked, whole and before lines are cut', () => {
  const mask = createOutputMask(program);
  const lines = [
    'TOKEN=kept-value kept-value',
    'LONGER is kept-value-and-more',
    'argv: of-an-argument of-an-equal-sign verbose 1 blue',
    `${'x'.repeat(495)}kept-value`,
    'Authorization: Bearer abcdef0123456789abcdef0123456789',
  ].map((line) => mask(line, 500));
  assert.deepEqual(lines.slice(0, 3), [
    'TOKEN=[TOKEN] [TOKEN]',
    'LONGER is [LONGER]',
    'argv: [--api-key] [--token] verbose 1 blue',
  ]);
  assert.ok(!lines.join('\n').includes('kept'));
  assert.ok(!lines.join('\n').includes('abcdef0123456789'));
  const long = mask(`${'kept-value'.repeat(799)}      kept-value-and-more`, 100_000);
  assert.ok(!long.includes('kept'), long.slice(-40));
  assert.equal(mask('y'.repeat(9_000), 2_000).length, 2_000);
});

test('a program’s last fifty lines are kept, each of five hundred letters, and none of another’s', () => {
  const output = new ProgramOutput();
  for (let i = 0; i < 200; i++) output.add('s', { at: i, line: `${i} ${'y'.repeat(1_000)}` });
  const lines = output.of('s');
  assert.deepEqual([lines.length, lines[0]?.at, lines.at(-1)?.at], [50, 150, 199]);
  assert.ok(lines.every(({ line }) => line.length === 500));
  assert.deepEqual(output.of('other'), []);
});
