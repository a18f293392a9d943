/**
 * Searches while a sentence-embedding model is at work on the catalogue, beside searches without one: two services that take
 * turns. The model is small and slow, in the form of a real one (test/support/embeddings.ts); its weights do not matter here.
 * MODEL_FOLDER=… takes a real one, SERVERS=25000 gives it 150,000 texts.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { noOnnx, writeOnnxModel } from '../test/support/embeddings.ts';
import { leaveFirstCore, load, median, printTable, type Served, serve, startFlags } from './support.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const adminKey = `sk_mcp_rank_${'0b'.repeat(16)}`;
const headers = { 'x-api-key': adminKey };
/** Six texts each; none of them is embedded before the end. */
const servers = Number(process.env.SERVERS ?? 5_000);
const rounds = 5;
const seconds = 3;
const words = 'email storm letter rain invoice song bank forecast weather payment'.split(' ');

export async function run(): Promise<void> {
  if (noOnnx !== false) return console.log(`skipped: ${noOnnx}`);
  leaveFirstCore();
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-bench-'));
  const model = process.env.MODEL_FOLDER ?? join(folder, 'model');
  if (process.env.MODEL_FOLDER === undefined) writeOnnxModel(model, 20);
  const plain = await start(join(folder, 'plain'), {});
  const embedding = await start(join(folder, 'embedding'), {
    MCPRANK_EMBEDDINGS: `onnx:${model}`,
    NODE_OPTIONS: `--import ${join(root, 'bench/peers/onnx-packages.ts')}`,
  });
  const embeddedBefore = await metric(embedding, 'embedded_texts');
  const rates = { plain: [] as number[], embedding: [] as number[] };
  const slowest = { plain: [] as number[], embedding: [] as number[] };
  let failed = 0;
  for (let round = 0; round < rounds; round++)
    for (const [name, served] of [
      ['plain', plain],
      ['embedding', embedding],
    ] as const) {
      const measured = await load({
        url: `${served.url}/v1/search`,
        headers,
        body: query,
        connections: 16,
        seconds,
      });
      rates[name].push(measured.perSecond);
      slowest[name].push(measured.p99);
      failed += measured.failed;
    }
  const embedded = (await metric(embedding, 'embedded_texts')) - embeddedBefore;
  const ratio = median(rates.embedding) / median(rates.plain);
  const figures = ({ plain, embedding }: typeof rates) => [
    median(embedding).toFixed(0),
    median(plain).toFixed(0),
  ];
  printTable(
    ['row', 'beside a model at work', 'without', 'ratio', 'bar', ''],
    [
      [
        'distinct searches a second',
        ...figures(rates),
        ratio.toFixed(2),
        '≥ .8',
        ratio >= 0.8 ? 'met' : 'MISSED',
      ],
      ['p99, ms', ...figures(slowest), '', '', ''],
      ['searches that failed', String(failed), '', '', '0', failed === 0 ? 'met' : 'MISSED'],
      ['texts embedded meanwhile', String(embedded), '', '', '> 0', embedded > 0 ? 'met' : 'MISSED'],
    ],
  );
  for (const served of [plain, embedding]) await served.stop();
  rmSync(folder, { recursive: true, force: true });
}

let asked = 0;
const query = () => {
  asked++;
  return JSON.stringify({
    query: `${words[asked % 10]} and ${words[(asked * 3) % 10]} ${asked}`,
    tool_limit: 2,
  });
};

async function start(dataDir: string, env: Readonly<Record<string, string>>): Promise<Served> {
  const served = await serve([...startFlags, join(root, 'bin/mcprank.js'), 'serve'], {
    MCPRANK_DATA_DIR: dataDir,
    MCPRANK_PORT: '0',
    MCPRANK_SYNC: 'off',
    MCPRANK_PROBE: 'off',
    MCPRANK_LOG: 'error',
    MCPRANK_STARTER: 'off',
    MCPRANK_ADMIN_KEY: adminKey,
    MCPRANK_TIERS: 'free=100,enterprise=900000000',
    ...env,
  });
  const tool = (i: number, n: number) => ({
    name: `tool_${n}`,
    description: `Does ${`${words[(i + n) % 10]} and `.repeat(30)} number ${i * 5 + n}`,
  });
  for (let from = 0; from < servers; from += 500) {
    const page = Array.from({ length: 500 }, (_, k) => ({
      id: `s/${from + k}`,
      name: `Server ${from + k}`,
      description: `Handles ${words[k % 10]}`,
      remote_url: 'https://nobody.example.com/mcp',
      tools: Array.from({ length: 5 }, (_unused, n) => tool(from + k, n)),
    }));
    const reply = await fetch(`${served.url}/v1/admin/servers`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(page),
    });
    if (!reply.ok) throw new Error(await reply.text());
  }
  while ((await metric(served, 'search_servers')) < servers) await delay(200);
  return served;
}

async function metric({ url }: Served, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^mcprank_${name} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
}
