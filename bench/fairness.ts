/**
 * Nobody stops anybody else: fifty tenants on one service, one of them hostile in a way that a seed chooses. The other
 * forty-nine ask at a steady rate, first alone, then beside it.
 */
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type Stage, startStage, unleash } from './fairness-stage.ts';
import type { HostileKind } from './peers/hostile-tenant.ts';
import { leaveFirstCore, median, percentile, printTable } from './support.ts';

const tenants = 49;
/** Of each of them. */
const perSecond = 8;
/** Of one window; alone and beside the hostile one take turns. */
const seconds = 3;
const rounds = 3;
const timeoutMs = 10_000;

const hostileKinds: readonly HostileKind[] = [
  'slow names',
  'open streams',
  'silent servers',
  'hung programs',
  'bad keys',
  'idempotency keys',
  'webhooks',
  '8 MB replies',
  'replies that nobody reads',
];

/** What a tenant asks in turn. */
const requests: readonly ((n: number) => readonly [path: string, body: object])[] = [
  (n) => ['/v1/search', { query: `invoice and weather ${n}` }],
  () => ['/v1/mcp/tools/call', { server_id: 'good', name: 'go', arguments: {} }],
  () => ['/v1/invocations', { server_id: 'good', tool_name: 'go', success: true }],
  (n) => ['/v1/search', { query: `a ticket for a flight ${n}` }],
  () => ['/v1/mcp/tools/call', { server_id: 'echo', name: 'echo', arguments: {} }],
  (n) => ['/v1/identity/token', { user_id: `user ${n % 50}` }],
];

/** Of all tenants: what each was answered, and how long after it was due: milliseconds. */
type Measured = {
  readonly good: readonly number[];
  readonly p99: number;
  readonly others: ReadonlyMap<number, number>;
};

/** Everybody's requests fall due at a steady rate, whether or not those before were answered. */
async function measure({ ours, keys }: Stage): Promise<Measured> {
  const good = keys.map(() => 0);
  const latencies: number[] = [];
  const others = new Map<number, number>();
  const agents = keys.map(() => new Agent({ keepAlive: true }));
  const asked: Promise<void>[] = [];
  const began = performance.now();
  const total = tenants * perSecond * seconds;
  for (let n = 0; n < total; n++) {
    const due = began + (n * 1_000) / (tenants * perSecond);
    const aheadMs = due - performance.now();
    if (aheadMs > 1) await delay(aheadMs);
    const tenant = n % tenants;
    const [path, body] = requests[Math.floor(n / tenants) % requests.length]?.(n) ?? ['', {}];
    asked.push(
      post(ours.url + path, { agent: agents[tenant], key: keys[tenant] ?? '', body }).then((status) => {
        latencies.push(performance.now() - due);
        if (status >= 200 && status < 300) good[tenant] = (good[tenant] ?? 0) + 1;
        else others.set(status, (others.get(status) ?? 0) + 1);
      }),
    );
  }
  await Promise.all(asked);
  for (const agent of agents) agent.destroy();
  return { good, p99: percentile(latencies, 0.99), others };
}

/** 0: it broke, or took too long. */
function post(
  url: string,
  { agent, key, body }: { readonly agent: Agent | undefined; readonly key: string; readonly body: object },
): Promise<number> {
  return new Promise((resolve) => {
    const headers = { 'x-api-key': key, 'content-type': 'application/json' };
    const sent = request(
      url,
      { method: 'POST', headers, timeout: timeoutMs, ...(agent && { agent }) },
      (reply) => {
        reply.resume();
        reply.once('end', () => resolve(reply.statusCode ?? 0));
        reply.once('error', () => resolve(0));
      },
    );
    sent.once('timeout', () => sent.destroy());
    sent.once('error', () => resolve(0));
    sent.end(JSON.stringify(body));
  });
}

export async function run({ seeds }: { readonly seeds: number }): Promise<void> {
  leaveFirstCore();
  const rows: string[][] = [];
  let missed = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    const { kinds, strength } = choose(seed);
    const { alone, beside } = await tryKinds(kinds, strength);
    const sums = (all: readonly Measured[]) =>
      Array.from({ length: tenants }, (_, i) => all.reduce((sum, { good }) => sum + (good[i] ?? 0), 0));
    const before = sums(alone);
    const kept = Math.min(...sums(beside).map((count, i) => count / Math.max(1, before[i] ?? 0)));
    const [usual, then] = [alone, beside].map((all) => median(all.map(({ p99 }) => p99))) as [number, number];
    const isMet = kept >= 0.8 && then <= 3 * usual;
    if (!isMet) missed++;
    const figures = [
      strength.toFixed(1),
      kept.toFixed(2),
      usual.toFixed(0),
      then.toFixed(0),
      (then / usual).toFixed(1),
    ];
    rows.push([String(seed), kinds.join(', '), ...figures, notGood(beside), isMet ? 'met' : 'MISSED']);
    // Minutes pass until the table is there.
    console.log(
      `seed ${seed} ${isMet ? 'met' : 'MISSED'}: ${kinds.join(', ')} at ${strength.toFixed(1)}; the worst of ${tenants} kept ${kept.toFixed(2)} (${kept >= 0.8 ? 'met' : 'MISSED'}: ≥ .8); p99 ${usual.toFixed(0)} → ${then.toFixed(0)} ms, ${(then / usual).toFixed(1)} times (${then <= 3 * usual ? 'met' : 'MISSED'}: ≤ 3)`,
    );
  }
  printTable(
    [
      'seed',
      'hostile by',
      'strength',
      'kept by the worst of 49 (≥ .8)',
      'p99 alone, ms',
      'beside it',
      'ratio (≤ 3)',
      'not 2xx',
      '',
    ],
    rows,
  );
  console.log(`${missed === 0 ? 'MET' : 'MISSED'}: ${seeds - missed} of ${seeds} seeds met`);
  if (missed > 0) process.exitCode = 1;
}

/** A service of its own for each, so that nothing of the one before is left. */
async function tryKinds(kinds: readonly HostileKind[], strength: number) {
  const stage = await startStage(tenants);
  const { ours, hostileKey: key, hook } = stage;
  const [alone, beside]: [Measured[], Measured[]] = [[], []];
  // Compilers are at work for the first seconds.
  await measure(stage);
  for (let round = 0; round < rounds; round++) {
    alone.push(await measure(stage));
    const hostile = await unleash({ url: ours.url, key, hook, kinds, strength });
    beside.push(await measure(stage));
    hostile.kill('SIGKILL');
    await delay(500);
  }
  await stage.stop();
  return { alone, beside };
}

function notGood(all: readonly Measured[]): string {
  const counts = new Map<number, number>();
  for (const { others } of all)
    for (const [status, count] of others) counts.set(status, (counts.get(status) ?? 0) + count);
  return [...counts].map(([status, count]) => `${count} × ${status === 0 ? 'no answer' : status}`).join(', ');
}

/** One kind for each seed in turn, and at random one or two more with it. */
function choose(seed: number): { readonly kinds: readonly HostileKind[]; readonly strength: number } {
  const random = randomOf(seed);
  const count = hostileKinds.length;
  const kinds = new Set([hostileKinds[(seed - 1) % count] ?? 'bad keys']);
  const more = seed <= count ? 0 : 1 + Math.floor(random() * 2);
  while (kinds.size < 1 + more) kinds.add(hostileKinds[Math.floor(random() * count)] ?? 'bad keys');
  return { kinds: [...kinds], strength: 0.5 + random() / 2 };
}

/** mulberry32 */
function randomOf(seed: number): () => number {
  let state = seed * 0x9e3779b1;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
