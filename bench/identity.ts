import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { openServices } from '../src/app.ts';
import { parseConfig } from '../src/config.ts';
import { createTelemetry } from '../src/telemetry/telemetry.ts';
import { median, printTable, serve, startFlags } from './support.ts';

const bin = fileURLToPath(new URL('../bin/mcprank.js', import.meta.url));
const adminKey = `sk_mcp_rank_${'0b'.repeat(16)}`;
const rounds = 3;
const seconds = 4;
const workers = 32;
const settings = {
  MCPRANK_PORT: '0',
  MCPRANK_SYNC: 'off',
  MCPRANK_STARTER: 'off',
  MCPRANK_LOG: 'error',
  MCPRANK_ADMIN_KEY: adminKey,
  MCPRANK_TIERS: 'free=100,enterprise=900000000',
};

type TokenSet = { readonly access_token: string; readonly refresh_token: string };

/** Tokens issued and refreshed over HTTP, every one durable on SQLite before its reply; and the check of one in process. */
export async function run(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-bench-'));
  const served = await serve([...startFlags, bin, 'serve'], {
    ...settings,
    MCPRANK_DATA_DIR: folder,
  });
  const pool = new Pool(served.url, { connections: workers });
  const post = async (path: string, body: object): Promise<TokenSet> => {
    const reply = await pool.request({
      method: 'POST',
      path: `/v1/identity/${path}`,
      headers: { 'x-api-key': adminKey, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (reply.statusCode !== 200) throw new Error(`${path}: ${reply.statusCode} ${await reply.body.text()}`);
    return (await reply.body.json()) as TokenSet;
  };
  let users = 0;
  const issue = () => post('token', { user_id: `user-${++users}` });
  const chains = await Promise.all(Array.from({ length: workers }, issue));
  const refresh = async (worker: number) => {
    const { refresh_token } = chains[worker] as TokenSet;
    chains[worker] = await post('refresh', { refresh_token });
  };

  const token = await rate(issue);
  const refreshed = await rate(refresh);
  await pool.close();
  await served.stop();
  rmSync(folder, { recursive: true, force: true });
  printTable(
    ['identity', 'per second', 'p50 ms', 'p99 ms', 'bar', ''],
    [
      ['POST /v1/identity/token (new users)', ...cells(token), '≥ 1000/s', verdict(token.perSecond >= 1_000)],
      ['POST /v1/identity/refresh', ...cells(refreshed), '≥ 500/s', verdict(refreshed.perSecond >= 500)],
    ],
  );
  await checks();
}

type Rate = { readonly perSecond: number; readonly p50: number; readonly p99: number };

/** The median of three rounds, each worker waiting for its reply before it asks again. */
async function rate(act: (worker: number) => Promise<unknown>): Promise<Rate> {
  const found: Rate[] = [];
  for (let round = 0; round < rounds; round++) {
    const times: number[] = [];
    const start = performance.now();
    const end = start + seconds * 1_000;
    const work = async (_: unknown, worker: number) => {
      while (performance.now() < end) {
        const asked = performance.now();
        await act(worker);
        times.push(performance.now() - asked);
      }
    };
    await Promise.all(Array.from({ length: workers }, work));
    const perSecond = times.length / ((performance.now() - start) / 1_000);
    times.sort((a, b) => a - b);
    const at = (share: number) => times[Math.floor(times.length * share)] ?? Number.NaN;
    found.push({ perSecond, p50: at(0.5), p99: at(0.99) });
  }
  const middle = median(found.map(({ perSecond }) => perSecond));
  return found.find(({ perSecond }) => perSecond === middle) as Rate;
}

async function checks(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-bench-'));
  const config = parseConfig({ ...settings, MCPRANK_DATA_DIR: folder });
  const services = await openServices(config, { telemetry: createTelemetry({ level: 'silent' }) });
  const { identity } = services;
  const asking = { developerId: 'dev_bench', keyId: 'key_bench' };
  const tokens: string[] = [];
  for (let i = 0; i < 1_000; i++) tokens.push((await identity.issue(asking, `user-${i}`)).accessToken);
  const cold = performance.now();
  for (const each of tokens) await identity.verify(each, asking.developerId);
  const coldMicros = performance.now() - cold;
  const passes = 100;
  const warmRounds: number[] = [];
  for (let round = 0; round < 5; round++) {
    const start = performance.now();
    for (let pass = 0; pass < passes; pass++)
      for (const each of tokens) await identity.verify(each, asking.developerId);
    warmRounds.push(((performance.now() - start) * 1_000) / (passes * tokens.length));
  }
  const warm = median(warmRounds);
  await services.close();
  rmSync(folder, { recursive: true, force: true });
  console.log('');
  printTable(
    ['verification of a MIT, in process', 'µs', 'bar', ''],
    [
      ['warm (1,000 tokens in turn)', warm.toFixed(2), '≤ 15', verdict(warm <= 15)],
      ['first sight: signature and one query', coldMicros.toFixed(0), '', ''],
    ],
  );
}

function cells({ perSecond, p50, p99 }: Rate): string[] {
  return [perSecond.toFixed(0), p50.toFixed(1), p99.toFixed(1)];
}

function verdict(met: boolean): string {
  return met ? 'met' : 'MISSED';
}
