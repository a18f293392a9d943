import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
  percentile,
  printTable,
  residentMegabytes,
  type Served,
  serve,
  startFlags,
} from './support.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const adminKey = `sk_mcp_rank_${'0b'.repeat(16)}`;
const rounds = 5;
const seconds = 2;
/** Before that no side is as fast as it gets. */
const warmSeconds = 6;
const path = '/v1/proxy/bench/x';
const gibibyte = 2 ** 30;

/**
 * A GET of 6 KB through us, key, MIT and user's token included, through the least proxy there can be and, with `against`, through
 * an older build, in turn; then 1 GiB each way.
 */
export async function run({ against }: { readonly against: string | undefined }): Promise<void> {
  // Load and upstream share the other core, so that the one behind each proxy is its own.
  leaveFirstCore();
  const upstream = await serveElsewhere();
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-bench-'));
  const ours = await connected('ours', await startOurs(join(folder, 'ours'), upstream.url));
  const { headers } = ours;
  const bare = await serve([join(root, 'bench/peers/proxy-gateway.ts'), upstream.url]);
  const nginx = await serveNginx(join(folder, 'nginx'), upstream.url);
  const others = [
    side('fastify + undici.dispatch', bare, headers, 0.7),
    ...(nginx === null ? [] : [side('nginx (one worker)', nginx, headers, 0.4)]),
    ...(against === undefined
      ? []
      : [
          await connected(
            'old',
            await startOurs(join(folder, 'old'), upstream.url, { checkout: against }),
            0.85,
          ),
        ]),
  ];
  await alternate([ours, ...others]);
  printTable(
    [
      'GET of 6 KB with MIT, 32 connections',
      'calls/s',
      'p50 ms',
      'p99 ms',
      'CPU µs',
      'MB',
      'ours ×',
      'bar',
      '',
    ],
    [ours, ...others].map((each) => row(each, ours)),
  );
  if (nginx === null) console.log('nginx is not installed: its row (≥ 0.4 ×) is left out');
  for (const { served } of [ours, ...others]) await served.stop();
  const fresh = await connected(
    'fresh',
    await startOurs(join(folder, 'ours'), upstream.url, { flags: startFlags }),
  );
  await flatMemory(fresh.served, fresh.headers);
  await fresh.served.stop();
  upstream.child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}

type Side = {
  readonly name: string;
  readonly served: Served;
  readonly headers: Readonly<Record<string, string>>;
  /** The share of its rate that ours shall reach. */
  readonly bar: number | undefined;
  readonly runs: Measured[];
  cpuMs: number;
};

function side(name: string, served: Served, headers: Side['headers'], bar?: number): Side {
  return { name, served, headers, bar, runs: [], cpuMs: 0 };
}

async function connected(name: string, served: Served, bar?: number): Promise<Side> {
  return side(name, served, await connect(served.url), bar);
}

async function alternate(sides: readonly Side[]): Promise<void> {
  const once = ({ served, headers }: Side, duration: number) =>
    load({ url: served.url + path, method: 'GET', headers, seconds: duration });
  for (const each of sides) await once(each, warmSeconds);
  for (let round = 0; round < rounds; round++)
    for (const each of sides) {
      const before = cpuMs(each.served);
      const measured = await once(each, seconds);
      if (measured.failed > 0) console.log(`${measured.failed} calls failed at ${each.name}`);
      each.cpuMs += cpuMs(each.served) - before;
      each.runs.push(measured);
    }
}

function row(each: Side, ours: Side): string[] {
  const times = each.runs.flatMap(({ latencies }) => latencies);
  const figures = [
    median(each.runs.map(({ perSecond }) => perSecond)).toFixed(0),
    percentile(times, 0.5).toFixed(2),
    percentile(times, 0.99).toFixed(1),
    ((each.cpuMs * 1000) / times.length).toFixed(0),
    residentMegabytes(each.served).toFixed(0),
  ];
  if (each === ours) return [each.name, ...figures];
  const ratio = median(ours.runs.map(({ perSecond }, i) => perSecond / (each.runs[i]?.perSecond ?? 0)));
  const judged = each.bar === undefined ? [] : [`≥ ${each.bar}`, ratio >= each.bar ? 'met' : 'MISSED'];
  return [each.name, ...figures, ratio.toFixed(2), ...judged];
}

export function startOurs(
  folder: string,
  upstream: string,
  { flags = [], checkout = root }: { readonly flags?: readonly string[]; readonly checkout?: string } = {},
): Promise<Served> {
  mkdirSync(folder, { recursive: true });
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
  return serve([...flags, join(checkout, 'bin/mcprank.js'), 'serve'], {
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
