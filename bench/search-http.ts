import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  cpuMs,
  leaveFirstCore,
  load,
  type Measured,
  median,
  printTable,
  type Served,
  serve,
  startFlags,
} from './support.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const shared = join(root, '..', 'shared');
const bin = join(root, 'bin/mcprank.js');
const adminKey = `sk_mcp_rank_${'0b'.repeat(16)}`;
const headers = { 'x-api-key': adminKey };
const rounds = 3;
const seconds = 4;

type Size = {
  readonly name: string;
  readonly file: string;
  readonly servers?: number;
  /** Replies a second; set with replies of 6 KB. */
  readonly bar: number;
};
/** What makes a reply of about 6 KB: a default one has five tools for each of ten servers, 16 to 25 KB. */
const short = { limit: 6, tool_limit: 1 };
const sizes: readonly Size[] = [
  {
    name: '490 servers',
    file: join(shared, 'eval/mcp_smithery_toucan/catalogue.jsonl'),
    servers: 490,
    bar: 10_000,
  },
  {
    name: '2,120 servers / 17,578 tools',
    file: join(shared, 'eval/mcp_smithery_toucan/catalogue.jsonl'),
    bar: 3_000,
  },
  {
    name: '12,558 servers / 30,182 tools',
    file: join(shared, 'catalogs/mcp_all/catalogue.jsonl'),
    bar: 1_000,
  },
];

/** Searches over HTTP, key and limit checked: repeated ones beside the framework's best, distinct ones beside search libraries. */
export async function run(): Promise<void> {
  leaveFirstCore();
  const rows: string[][] = [];
  for (const size of sizes) {
    if (!existsSync(size.file)) {
      console.log(
        `${size.name}: skipped, ${size.file.slice(shared.length + 1)} is not beside the repository`,
      );
      continue;
    }
    rows.push(...(await measure(size)));
  }
  printTable(['catalog', 'row', 'per second', 'p50 ms', 'p99 ms', 'beside', 'ratio', 'bar', ''], rows);
}

async function measure(size: Size): Promise<string[][]> {
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-bench-'));
  const file = join(folder, 'catalogue.jsonl');
  if (size.servers === undefined) copyFileSync(size.file, file);
  else writeFileSync(file, readFileSync(size.file, 'utf8').split('\n').slice(0, size.servers).join('\n'));
  const env = {
    MCPRANK_DATA_DIR: folder,
    MCPRANK_PORT: '0',
    MCPRANK_SYNC: 'off',
    MCPRANK_STARTER: 'off',
    MCPRANK_ADMIN_KEY: adminKey,
    MCPRANK_TIERS: 'free=100,enterprise=900000000',
  };
  const imported = spawnSync(process.execPath, [bin, 'catalog', 'import', file, '--json'], {
    env: { ...process.env, ...env },
  });
  if (imported.status !== 0) throw new Error(imported.stderr.toString());

  const ours = await serve([...startFlags, bin, 'serve'], env);
  await untilReady(ours.url);
  const replyFile = join(folder, 'reply.json');
  const fixed = JSON.stringify({ query: 'send emails and manage calendar' });
  writeFileSync(
    replyFile,
    Buffer.from(
      await (
        await fetch(`${ours.url}/v1/search`, {
          method: 'POST',
          headers: { ...headers, 'content-type': 'application/json' },
          body: fixed,
        })
      ).arrayBuffer(),
    ),
  );
  const prebuilt = await serve([join(root, 'bench/peers/prebuilt.ts'), replyFile]);
  const repeated = await alternate(ours, prebuilt, () => fixed, seconds);
  await prebuilt.stop();
  const out = [
    row(
      size.name,
      'repeated query',
      repeated.ours,
      `fastify, same ${readFileSync(replyFile).length} bytes prebuilt`,
      repeated.ratio,
      'ratio ≥ .6',
      repeated.ratio >= 0.6,
    ),
  ];

  const distinct = distinctBodies(size.file, short);
  for (const library of ['minisearch', 'orama']) {
    const peer = await serve([join(root, 'bench/peers/library.ts'), library, file]);
    // Libraries that take a second a query need only a few of them.
    const { ours: mine, ratio } = await alternate(ours, peer, distinct, seconds);
    await peer.stop();
    out.push(
      row(
        size.name,
        'distinct queries, short replies',
        mine,
        library,
        ratio,
        `≥ ${size.bar}/s, ratio ≥ 20`,
        mine.perSecond >= size.bar && ratio >= 20,
      ),
    );
  }
  out.push(await byDefault(size, ours));
  await ours.stop();
  rmSync(folder, { recursive: true, force: true });
  return out;
}

/** The same with all that a reply shows when nothing is said about it. */
async function byDefault({ name, file }: Size, ours: Served): Promise<string[]> {
  const request = { url: `${ours.url}/v1/search`, headers, body: distinctBodies(file) };
  await load({ ...request, seconds: 2 });
  const runs: Measured[] = [];
  for (let round = 0; round < rounds; round++) runs.push(await load({ ...request, seconds }));
  const rate = median(runs.map(({ perSecond }) => perSecond));
  const { p50 = 0, p99 = 0 } = runs.find(({ perSecond }) => perSecond === rate) ?? {};
  return [name, 'distinct queries, replies as by default', rate.toFixed(0), String(p50), String(p99)];
}

async function alternate(
  ours: Served,
  peer: Served,
  body: () => string,
  time: number,
): Promise<{ ours: Measured; ratio: number }> {
  const mine: Measured[] = [];
  const theirs: Measured[] = [];
  await load({ url: `${ours.url}/v1/search`, headers, body, seconds: 1 });
  await load({ url: `${peer.url}/v1/search`, headers, body, seconds: 1 });
  for (let round = 0; round < rounds; round++) {
    await idle(peer);
    mine.push(await load({ url: `${ours.url}/v1/search`, headers, body, seconds: time }));
    theirs.push(await load({ url: `${peer.url}/v1/search`, headers, body, seconds: time }));
  }
  const failed = mine.reduce((sum, each) => sum + each.failed, 0);
  if (failed > 0) console.log(`${failed} requests failed`);
  const rate = (all: readonly Measured[]) => median(all.map(({ perSecond }) => perSecond));
  const middle = mine.find(({ perSecond }) => perSecond === rate(mine));
  return {
    ours: middle ?? { perSecond: 0, p50: 0, p99: 0, failed: 0, latencies: [] },
    ratio: rate(mine) / rate(theirs),
  };
}

/** A library that takes a second a query still works on the last ones when the load is over, on the core that is ours next. */
async function idle(served: Served): Promise<void> {
  for (let waited = 0; waited < 240; waited++) {
    const before = cpuMs(served);
    await new Promise((resolve) => setTimeout(resolve, 250));
    if (cpuMs(served) - before <= 20) return;
  }
}

function row(
  catalog: string,
  what: string,
  ours: Measured,
  beside: string,
  ratio: number,
  bar: string,
  met: boolean,
): string[] {
  return [
    catalog,
    what,
    ours.perSecond.toFixed(0),
    String(ours.p50),
    String(ours.p99),
    beside,
    ratio.toFixed(2),
    bar,
    met ? 'met' : 'MISSED',
  ];
}

/** Queries that never repeat: names and descriptions of the catalog, cut and mixed. */
export function distinctBodies(file: string, options: object = {}): () => string {
  const words = [
    ...new Set(
      readFileSync(file, 'utf8')
        .slice(0, 3_000_000)
        .match(/\b[a-z]{4,12}\b/g) ?? [],
    ),
  ];
  let count = 0;
  return () => {
    count++;
    const pick = (i: number) =>
      words[(count * 7919 + i * 104_729 + Math.floor(count / words.length) * i * 31) % words.length];
    const query = `find a tool to ${pick(1)} the ${pick(2)} and ${pick(3)} ${count}`;
    return JSON.stringify({ query, ...options });
  };
}

export async function untilReady(url: string): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if ((await fetch(`${url}/readyz`)).status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('not ready after a minute');
}
