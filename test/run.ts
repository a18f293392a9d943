/**
 * Everything that says whether the project is in order, behind `npm test` and `npm run test:full`.
 *
 *   node test/run.ts fast             lint, types, dead code, unit tests and the tests of the running app
 *   node test/run.ts full             those, on PostgreSQL too, and test/full/
 *   node test/run.ts full --no-skips  a skipped test fails the run
 */
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { root } from './support/paths.ts';
import { startPostgres } from './support/postgres.ts';

// The types of the same hundreds of files are stripped once, not once for each of the test processes.
process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), 'node-compile-cache');

const full = process.argv[2] === 'full';
const skipsForbidden = process.argv.includes('--no-skips');
const testTimeoutMs = full ? 900_000 : 120_000;

const checks: readonly (readonly [promise: string, command: string, ...args: string[]])[] = [
  ['the code is formatted and free of lint', 'biome', 'check', '--error-on-warnings', '.'],
  ['the types hold', 'tsc', '--noEmit'],
  ['the types of the console hold', 'tsc', '-p', 'console'],
  ['no file, export or dependency is dead', 'knip'],
];

function check([promise, command, ...args]: (typeof checks)[number]): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    const output: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
    child.on('error', (error) => output.push(Buffer.from(error.message)));
    child.on('close', (code) => {
      console.log(`${code === 0 ? '✔' : '✖'} ${promise} (${[command, ...args].join(' ')})`);
      if (code !== 0) console.log(Buffer.concat(output).toString());
      resolve(code === 0);
    });
  });
}

async function runTests(): Promise<{ readonly failed: number; readonly skipped: number }> {
  const patterns = [
    'src/**/*.test.ts',
    'train/**/*.test.ts',
    'test/!(full|support)/*.test.ts',
    ...(full ? ['test/full/*.test.ts'] : []),
  ];
  const files = patterns.flatMap((pattern) => globSync(pattern, { cwd: root }).sort());
  const tests = run({ files, cwd: root, concurrency: 2, timeout: testTimeoutMs });
  const counted = { failed: 0, skipped: 0 };
  tests.on('test:fail', () => counted.failed++);
  tests.on('test:pass', (event) => {
    if (event.skip !== undefined && event.skip !== false) counted.skipped++;
  });
  for await (const line of tests.compose(new spec())) process.stdout.write(line as string);
  return counted;
}

const clean = (await Promise.all(checks.map(check))).every(Boolean);
const postgres = full && process.env.TEST_DATABASE_URL === undefined ? await startPostgres() : undefined;
if (postgres !== undefined) process.env.TEST_DATABASE_URL = postgres.url;
else if (full && process.env.TEST_DATABASE_URL === undefined)
  console.log('PostgreSQL is not installed: its tests are skipped');
try {
  const { failed, skipped } = await runTests();
  if (skipsForbidden && skipped > 0) console.error(`${skipped} skipped, and skips are forbidden here`);
  process.exitCode = clean && failed === 0 && !(skipsForbidden && skipped > 0) ? 0 : 1;
} finally {
  await postgres?.stop();
}
