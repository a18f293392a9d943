import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serveNginx } from './peers/nginx.ts';
import {
  cpuMs,
  leaveFirstCore,
  load,
  type Measured,
  median,
  printTable,
  residentMegabytes,
  type Served,
  serve,
  startFlags,
} from './support.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const adminKey = `sk_mcp_rank_${'0b'.repeat(16)}`;
const rounds = 3;
const seconds = 3;
const path = '/v1/proxy/bench/x';
const gibibyte = 2 ** 30;

/** A GET of 6 KB through us, key, MIT and user's token included, and through the least proxy there can be; then 1 GiB each way. */
export async function run(): Promise<void> {
  // Load and upstream share the other core, so that the one behind each proxy is its own.
  leaveFirstCore();
  const upstream = await serveElsewhere();
  const bare = await serve([join(root, 'bench/peers/proxy-gateway.ts'), upstream.url]);
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-bench-'));
  const ours = await startOurs(folder, upstream.url);
  const headers = await connect(ours.url);
  const nginx = await serveNginx(join(folder, 'nginx'), upstream.url);
  const sides = { ours, bare, ...(nginx !== null && { nginx }) };
  const measured = { ours: [] as Measured[], bare: [] as Measured[], nginx: [] as Measured[] };
  const spent = { ours: [] as number[], bare: [] as number[], nginx: [] as number[] };
  for (const { url } of Object.values(sides))
    await load({ url: url + path, method: 'GET', headers, seconds: 2 });
  for (let round = 0; round < rounds; round++)
    for (const [name, served] of Object.entries(sides) as [keyof typeof measured, Served][]) {
      const before = cpuMs(served);
      const one = await load({ url: served.url + path, method: 'GET', headers, seconds });
      if (one.failed > 0) console.log(`${one.failed} calls failed at ${name}`);
      measured[name].push(one);
      spent[name].push(((cpuMs(served) - before) * 1000) / (one.perSecond * seconds));
    }
  const rate = (all: readonly Measured[]) => median(all.map(({ perSecond }) => perSecond));
  const ratio = rate(measured.ours) / rate(measured.bare);
  printTable(
    ['row', 'ours', 'beside: fastify + undici.dispatch', 'ratio', 'bar', ''],
    [
      [
        'GET of 6 KB with MIT, calls/s, 32 connections',
        rate(measured.ours).toFixed(0),
        rate(measured.bare).toFixed(0),
        ratio.toFixed(2),
        '≥ 0.7',
        ratio >= 0.7 ? 'met' : 'MISSED',
      ],
      ...(nginx === null
        ? []
        : [
            [
              'the same beside nginx (one worker)',
              rate(measured.ours).toFixed(0),
              rate(measured.nginx).toFixed(0),
              (rate(measured.ours) / rate(measured.nginx)).toFixed(2),
              '≥ 0.4',
              rate(measured.ours) / rate(measured.nginx) >= 0.4 ? 'met' : 'MISSED',
            ],
          ]),
      [
        'CPU µs a call',
        median(spent.ours).toFixed(0),
        median(spent.bare).toFixed(0),
        (median(spent.bare) / median(spent.ours)).toFixed(2),
        '',
        '',
      ],
    ],
  );
  await nginx?.stop();
  if (nginx === null) console.log('nginx is not installed: its row (≥ 0.4 ×) is left out');
  await ours.stop();
  const fresh = await startOurs(folder, upstream.url, startFlags);
  await flatMemory(fresh, await connect(fresh.url));
  await fresh.stop();
  await bare.stop();
  upstream.child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}

export function startOurs(folder: string, upstream: string, flags: readonly string[] = []): Promise<Served> {
  const providers = join(folder, 'providers.json');
  const row = {
    client_id: 'bench',
    client_secret: 'bench-client-secret',
    authorization_url: `${upstream}/authorize`,
    token_url: `${upstream}/token`,
    scopes: ['bench'],
    default_origin: upstream,
  };
  writeFileSync(providers, JSON.stringify({ bench: row }));
  return serve([...flags, join(root, 'bin/mcprank.js'), 'serve'], {
    MCPRANK_DATA_DIR: folder,
    MCPRANK_PORT: '0',
    MCPRANK_SYNC: 'off',
    MCPRANK_LOG: 'error',
    MCPRANK_STARTER: 'off',
    MCPRANK_ADMIN_KEY: adminKey,
    MCPRANK_TIERS: 'free=100,enterprise=900000000',
    MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1',
    MCPRANK_PROVIDERS: providers,
    MCPRANK_PROXY_BODY_MB: '1024',
  });
}

/** A user who came the whole way; answers with what a call for them carries. */
export async function connect(url: string): Promise<Record<string, string>> {
  const post = async (to: string, body: unknown) => {
    const reply = await fetch(url + to, {
      method: 'POST',
      headers: { 'x-api-key': adminKey, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const answer = (await reply.json()) as Record<string, string>;
    if (!reply.ok) throw new Error(`${to}: ${JSON.stringify(answer)}`);
    return answer;
  };
  const session = await post('/v1/identity/sessions', { user_id: 'bench', provider: 'bench' });
  const page = await fetch(session.auth_url ?? '');
  const cookie = page.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ');
  const text = await page.text();
  const action = /<form[^>]* action="([^"]+)"/.exec(text)?.[1] ?? '';
  const fields = [...text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)];
  const redirect = await fetch(new URL(action, url), {
    method: 'POST',
    redirect: 'manual',
    headers: { cookie, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(
      Object.fromEntries(fields.map((match) => [match[1] ?? '', match[2] ?? ''])),
    ).toString(),
  });
  const state = new URL(redirect.headers.get('location') ?? '').searchParams.get('state') ?? '';
  const back = await fetch(
    `${url}/v1/identity/callback/bench?${new URLSearchParams({ state, code: 'bench' })}`,
    {
      headers: { cookie },
    },
  );
  if (!back.ok) throw new Error(`not connected: ${await back.text()}`);
  const { access_token } = await post('/v1/identity/token', { user_id: 'bench' });
  return { 'x-api-key': adminKey, authorization: `Bearer ${access_token}` };
}

/** Resident memory at its highest while 1 GiB goes down and up, over what it was after a first round of each. */
async function flatMemory(ours: Served, headers: Readonly<Record<string, string>>): Promise<void> {
  const rows: string[][] = [];
  for (const [name, pass] of [
    ['download', download],
    ['upload', upload],
  ] as const) {
    await pass(`${ours.url}${path}/large`, headers, gibibyte / 16);
    const before = residentMegabytes(ours);
    let most = before;
    const watch = setInterval(() => {
      most = Math.max(most, residentMegabytes(ours));
    }, 20);
    const since = performance.now();
    const bytes = await pass(`${ours.url}${path}/large`, headers, gibibyte);
    clearInterval(watch);
    const grown = most - before;
    const perSecond = bytes / 2 ** 20 / ((performance.now() - since) / 1000);
    const met = bytes === gibibyte && grown < 30;
    rows.push([
      `${name} of 1 GiB`,
      `${perSecond.toFixed(0)} MiB/s`,
      before.toFixed(0),
      `${grown.toFixed(1)} MB`,
      '< 30 MB',
      met ? 'met' : 'MISSED',
    ]);
  }
  printTable(['row', 'speed', 'resident MB', 'grown', 'bar', ''], rows);
}

type Pass = (url: string, headers: Readonly<Record<string, string>>, bytes: number) => Promise<number>;

const download: Pass = async (url, headers, bytes) => {
  const gone = new AbortController();
  const reply = await fetch(url, { headers, signal: gone.signal });
  if (!reply.ok) throw new Error(`download: ${reply.status}`);
  let read = 0;
  for await (const chunk of reply.body ?? []) {
    read += chunk.length;
    if (read >= bytes) break;
  }
  gone.abort();
  return read;
};

const upload: Pass = (url, headers, bytes) =>
  new Promise((resolve, reject) => {
    const piece = Buffer.alloc(1_048_576, 'x');
    const sent = request(
      url,
      { method: 'POST', headers: { ...headers, 'content-length': bytes } },
      (reply) => {
        reply.resume();
        reply.on('end', () =>
          reply.statusCode === 200 ? resolve(bytes) : reject(new Error(`upload: ${reply.statusCode}`)),
        );
      },
    );
    sent.on('error', reject);
    let left = bytes;
    const write = () => {
      while (left > 0) {
        left -= piece.length;
        if (!sent.write(piece)) return void sent.once('drain', write);
      }
      sent.end();
    };
    write();
  });

export async function serveElsewhere(): Promise<{ url: string; child: ReturnType<typeof spawn> }> {
  const child = spawn(process.execPath, [join(root, 'bench/peers/proxy-upstream.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const text of child.stdout.setEncoding('utf8')) {
    const url = /listening on (http:\S+)/.exec(String(text))?.[1];
    if (url !== undefined) return { url, child };
  }
  throw new Error('the upstream did not start');
}
