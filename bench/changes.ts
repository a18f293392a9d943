/**
 * What a change of a large catalogue costs beside the building of its whole index: one server, and one in twenty; processor time of the
 * service for it (less what it takes in as long without a change), and how long it is until it is found.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { writeCatalogue } from './large-catalogue.ts';
import { adminKey, checkout, importCatalogue, start } from './start.ts';
import { cpuMs, median, printTable, type Served } from './support.ts';

const [servers, tools] = [28_000, 150_000];
const singles = 5;
/** One in so many. */
const share = 20;
/** Behind a change of one, and of many: what is written and let go then belongs to it. */
const restMs = { one: 3_000, many: 12_000 };
/** Between two searches for it: each costs a few milliseconds, too. */
const lookMs = 20;
const headers = { 'x-api-key': adminKey, 'content-type': 'application/json' };

type Cost = { readonly cpuMs: number; readonly foundMs: number };

export async function run({ against }: { readonly against: string | undefined }): Promise<void> {
  const sides: (readonly [name: string, bin: string])[] = [['this one', checkout]];
  if (against !== undefined) sides.push(['the other', join(against, 'bin/mcprank.js')]);
  const rows: string[][] = [];
  for (const [name, bin] of sides) rows.push(...(await measure(name, bin)));
  printTable(['build', 'what changed', 'CPU ms', 'of the whole', 'found after ms'], rows);
}

async function measure(name: string, bin: string): Promise<string[][]> {
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-bench-'));
  const file = join(folder, 'catalogue.jsonl');
  await writeCatalogue(file, servers, tools);
  const env = {
    MCPRANK_DATA_DIR: folder,
    MCPRANK_PORT: '0',
    MCPRANK_SYNC: 'off',
    MCPRANK_PROBE: 'off',
    MCPRANK_STARTER: 'off',
    MCPRANK_ADMIN_KEY: adminKey,
  };
  importCatalogue(file, env);
  const { served, seconds } = await start(bin, env);
  await delay(restMs.many);
  const whole = { cpuMs: cpuMs(served), foundMs: seconds * 1000 };
  const [one, idle]: [Cost[], Cost[]] = [[], []];
  for (let i = 0; i < singles; i++) {
    idle.push(await cost(served, restMs.one, null));
    one.push(await cost(served, restMs.one, (word) => changeOne(served, word)));
  }
  const many = await cost(served, restMs.many, (word) => changeMany({ file, folder, env }, word));
  const meanwhile = median(idle.map((each) => each.cpuMs));
  await served.stop();
  rmSync(folder, { recursive: true, force: true });
  const row = (what: string, { cpuMs: cpu, foundMs }: Cost) => [
    name,
    what,
    cpu.toFixed(0),
    `${((100 * cpu) / whole.cpuMs).toFixed(1)} %`,
    foundMs.toFixed(0),
  ];
  return [
    row('all: a first start', whole),
    row(`one server, the median of ${singles}`, {
      cpuMs: median(one.map((each) => each.cpuMs)) - meanwhile,
      foundMs: median(one.map((each) => each.foundMs)),
    }),
    row(`one server in ${share}`, {
      ...many,
      cpuMs: many.cpuMs - (meanwhile * restMs.many) / restMs.one,
    }),
  ];
}

/** null: of nothing. */
async function cost(
  served: Served,
  rest: number,
  change: ((word: string) => Promise<void>) | null,
): Promise<Cost> {
  const word = `zx${Array.from({ length: 8 }, () => 'bcdfghkm'[Math.floor(Math.random() * 8)]).join('')}`;
  const before = cpuMs(served);
  await change?.(word);
  const acknowledged = performance.now();
  while (change !== null && !(await isFound(served, word))) await delay(lookMs);
  const foundMs = performance.now() - acknowledged;
  await delay(rest);
  return { cpuMs: cpuMs(served) - before, foundMs };
}

async function isFound(served: Served, word: string): Promise<boolean> {
  const body = JSON.stringify({ query: word, limit: 1, tool_limit: 0 });
  const reply = await fetch(`${served.url}/v1/search`, { method: 'POST', headers, body });
  const { servers: found } = (await reply.json()) as { servers: { description: string }[] };
  return found[0]?.description.includes(word) === true;
}

async function changeOne(served: Served, word: string): Promise<void> {
  const body = JSON.stringify({
    id: 'bench-one',
    name: 'One',
    description: `Does ${word} for a team`,
    url: 'http://127.0.0.1:9',
  });
  const reply = await fetch(`${served.url}/v1/admin/servers`, { method: 'POST', headers, body });
  if (!reply.ok) throw new Error(await reply.text());
}

/** By another process, as a sync might: only what differs is written. */
async function changeMany(
  {
    file,
    folder,
    env,
  }: { readonly file: string; readonly folder: string; readonly env: Record<string, string> },
  word: string,
): Promise<void> {
  const changed = readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .filter((_, i) => i % share === 0)
    .map((line) => line.replace('"description":"', `"description":"${word} `));
  const part = join(folder, 'changed.jsonl');
  writeFileSync(part, changed.join('\n'));
  importCatalogue(part, env);
}
