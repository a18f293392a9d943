import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeCatalogue } from './large-catalogue.ts';
import { printTable, residentMegabytes, type Served, serve, startFlags } from './support.ts';

export const adminKey = `sk_mcp_rank_${'0b'.repeat(16)}`;
const root = fileURLToPath(new URL('..', import.meta.url));
export const checkout = join(root, 'bin/mcprank.js');

/** Import, start until ready, and memory: with the starter, from a checkout and as a package, and with 28,000 servers / 150,000 tools. */
export async function run(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-bench-'));
  const bar = { seconds: 1.5, megabytes: 150 };
  const rows = [
    await measure('starter', checkout, undefined, bar),
    await measure('starter, as a package', layOutPackage(join(folder, 'package')), undefined, bar),
  ];
  const file = join(folder, 'large.jsonl');
  await writeCatalogue(file, 28_000, 150_000);
  rows.push(await measure('28,000 / 150,000', checkout, file, { seconds: 10, megabytes: 700 }));
  rmSync(folder, { recursive: true, force: true });
  printTable(
    [
      ...['catalogue', 'import s', 'import peak MB', 'ready after s', 'bar', '', 'again after s'],
      ...['resident MB', 'bar', '', 'again MB'],
    ],
    rows,
  );
}

/** What `npm pack` takes, built now, where there are no sources. */
function layOutPackage(folder: string): string {
  spawnSync('npm', ['run', 'build', '--silent'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  for (const name of ['package.json', 'bin', 'dist', 'model', 'starter'])
    cpSync(join(root, name), join(folder, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return join(folder, 'bin/mcprank.js');
}

async function measure(
  name: string,
  bin: string,
  file: string | undefined,
  bar: { seconds: number; megabytes: number },
): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-bench-'));
  const env = {
    MCPRANK_DATA_DIR: folder,
    MCPRANK_PORT: '0',
    MCPRANK_SYNC: 'off',
    MCPRANK_STARTER: file === undefined ? 'on' : 'off',
    MCPRANK_ADMIN_KEY: adminKey,
  };
  let imported = ['-', '-'];
  if (file !== undefined) imported = importCatalogue(file, env);
  // The first start with the starter writes it to the store too: that is what a newcomer waits for.
  const first = await start(bin, env);
  const before = await residentAtRest(first.served);
  await first.served.stop();
  // What was built is kept beside the store.
  const second = await start(bin, env);
  const after = await residentAtRest(second.served);
  await second.served.stop();
  rmSync(folder, { recursive: true, force: true });
  const isReady = first.seconds <= bar.seconds;
  return [
    name,
    ...imported,
    first.seconds.toFixed(2),
    `≤ ${bar.seconds} s`,
    isReady ? 'met' : 'MISSED',
    second.seconds.toFixed(2),
    before.toFixed(0),
    `≤ ${bar.megabytes} MB`,
    before <= bar.megabytes ? 'met' : 'MISSED',
    after.toFixed(0),
  ];
}

/** Until it is ready to answer a search. */
export async function start(
  bin: string,
  env: Readonly<Record<string, string>>,
): Promise<{ served: Served; seconds: number }> {
  const began = performance.now();
  const served = await serve([...startFlags, bin, 'serve'], env);
  while ((await fetch(`${served.url}/readyz`)).status !== 200)
    await new Promise((resolve) => setTimeout(resolve, 20));
  return { served, seconds: (performance.now() - began) / 1000 };
}

/** MB, after some work and a rest. */
export async function residentAtRest(served: Served): Promise<number> {
  for (let i = 0; i < 200; i++) {
    await fetch(`${served.url}/v1/search`, {
      method: 'POST',
      headers: { 'x-api-key': adminKey, 'content-type': 'application/json' },
      body: JSON.stringify({ query: `send an e-mail number ${i}` }),
    });
  }
  // V8 gives back what a burst took after ten seconds without work.
  await new Promise((resolve) => setTimeout(resolve, 20_000));
  return residentMegabytes(served);
}

/** Seconds, and MB at the most. */
export function importCatalogue(file: string, env: Record<string, string>): string[] {
  const script = `process.on('exit', () => process.stderr.write('peak ' + process.resourceUsage().maxRSS)); await import(${JSON.stringify(checkout)})`;
  const started = performance.now();
  const done = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', script, 'catalog', 'import', file, '--json'],
    { env: { ...process.env, ...env } },
  );
  if (done.status !== 0) throw new Error(done.stderr.toString());
  const peak = Number(/peak (\d+)/.exec(done.stderr.toString())?.[1]) / 1024;
  return [((performance.now() - started) / 1000).toFixed(1), peak.toFixed(0)];
}
