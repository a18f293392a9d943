/**
 * Everything that says whether the project is in order, behind `npm test` and `npm run test:full`.
 *
 *   node test/run.ts fast             lint, types, unit tests and the tests of the running app
 *   node test/run.ts full             those, dead code, on PostgreSQL too, and test/full/
 *   node test/run.ts full --no-skips  a skipped test fails the run
 *   node test/run.ts fast --slowest   also says which tests took longest
 */
import { spawn } from 'node:child_process';
import { globSync, mkdirSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { pathToFileURL } from 'node:url';
import { root } from './support/paths.ts';
import { startPostgres } from './support/postgres.ts';

// The types of the same hundreds of files are stripped once, not once for each of the test processes.
process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), 'node-compile-cache');

// Each commit of a test's store waits for the disk; a store in memory is the same store, and answers at once.
process.env.TMPDIR ??= foldersInMemory() ? '/dev/shm' : tmpdir();

const full = process.argv[2] === 'full';
if (full) process.env.TEST_FULL = '1';
const skipsForbidden = process.argv.includes('--no-skips');
const slowestShown = process.argv.includes('--slowest') ? 40 : 0;
/** Of one process, whatever it runs. */
const timeoutMs = full ? 1_800_000 : 300_000;
/** Processes that share the fast tests: more than there are cores to expect, since half of their time tests wait. */
const shards = 5;

const checks: readonly (readonly [promise: string, command: string, ...args: string[]])[] = [
  ['the code is formatted and free of lint', 'biome', 'check', '--error-on-warnings', '.'],
  ['the types hold', 'tsc', '--noEmit', '--singleThreaded'],
  ['the types of the console hold', 'tsc', '-p', 'console'],
  // Of those who change the repository, not of those who try it: five seconds of the processor.
  ...(full ? [['no file, export or dependency is dead', 'knip'] as const] : []),
];

function foldersInMemory(): boolean {
  try {
    const { bavail, bsize } = statfsSync('/dev/shm');
    return bavail * bsize > 2 ** 30;
  } catch {
    return false;
  }
}

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

/**
 * Test files share a few processes: to start one for each costs as much as most of them. Each shard is a file that imports
 * its share, the largest files first and spread evenly.
 */
function writeShards(folder: string): string[] {
  const patterns = ['src/**/*.test.ts', 'train/**/*.test.ts', 'test/!(full|support)/*.test.ts'];
  const files = patterns.flatMap((pattern) => globSync(pattern, { cwd: root }));
  const bySize = files.sort((a, b) => statSync(join(root, b)).size - statSync(join(root, a)).size);
  return Array.from({ length: shards }, (_, shard) => {
    const file = join(folder, `shard-${shard + 1}.ts`);
    const share = bySize.filter((_each, i) => i % shards === shard);
    const imports = share.map((each) => `await import('${pathToFileURL(join(root, each)).href}');\n`);
    writeFileSync(file, imports.join(''));
    return file;
  });
}

async function runTests(): Promise<{ readonly failed: number; readonly skipped: number }> {
  const folder = join(root, '.tmp/shards');
  mkdirSync(folder, { recursive: true });
  const alone = full ? globSync('test/full/*.test.ts', { cwd: root }).sort() : [];
  const files = [...writeShards(folder), ...alone];
  const tests = run({ files, cwd: root, concurrency: shards, timeout: timeoutMs });
  const counted = { failed: 0, skipped: 0 };
  const durations: { readonly name: string; readonly ms: number }[] = [];
  tests.on('test:fail', () => counted.failed++);
  tests.on('test:pass', ({ skip, name, nesting, details }) => {
    if (skip !== undefined && skip !== false) counted.skipped++;
    if (nesting === 0) durations.push({ name, ms: details.duration_ms });
  });
  for await (const line of tests.compose(new spec())) process.stdout.write(line as string);
  rmSync(folder, { recursive: true, force: true });
  const slowest = durations.sort((a, b) => b.ms - a.ms).slice(0, slowestShown);
  for (const { name, ms } of slowest) console.log(`${(ms / 1000).toFixed(1).padStart(6)} s  ${name}`);
  return counted;
}

if (full && (await check(['the console is built', process.execPath, 'console/build.js'])))
  process.env.CONSOLE_IS_BUILT = 'yes';
/** Beside the tests: these wait where the checks compute. */
const checked = Promise.all(checks.map(check));
const postgres = full && process.env.TEST_DATABASE_URL === undefined ? await startPostgres() : undefined;
if (postgres !== undefined) process.env.TEST_DATABASE_URL = postgres.url;
else if (full && process.env.TEST_DATABASE_URL === undefined)
  console.log('PostgreSQL is not installed: its tests are skipped');
try {
  const { failed, skipped } = await runTests();
  const clean = (await checked).every(Boolean);
  if (skipsForbidden && skipped > 0) console.error(`${skipped} skipped, and skips are forbidden here`);
  process.exitCode = clean && failed === 0 && !(skipsForbidden && skipped > 0) ? 0 : 1;
} finally {
  await postgres?.stop();
}
