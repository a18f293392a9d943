import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openSession } from './mcp-client.ts';
import { baseHeaders, type Call, type Door, doors, type Kind, openDoor, startService } from './mcp-doors.ts';
import { type Other, othersMissing, startBeforeProgram, startBeforeUrl } from './peers/mcp-others.ts';
import {
  cpuMs,
  leaveFirstCore,
  load,
  type Measured,
  median,
  peakMegabytes,
  percentile,
  printTable,
  residentMegabytes,
  type Served,
  serve,
  startFlags,
} from './support.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const rounds = 5;
const seconds = 1;
/** Before that no side is as fast as it gets: compilers are at work for so long, and for so many calls. */
const warmSeconds = 4;
const warmSecondsAtMost = 20;
const [rest] = doors as readonly [Door];
const doorNamed = (name: string): Door => doors.find((door) => door.name.includes(name)) ?? rest;

/** Something under load, and what became of it. */
type Side = {
  readonly served: Served;
  readonly call: Call;
  /** The first seconds of its life. */
  cold: Measured | undefined;
  readonly runs: Measured[];
  cpuMs: number;
  calls: number;
};
type Against = { readonly against: string | undefined };

/**
 * tools/call through every door of ours, through the least gateway there can be and, with `against`, through the same doors of
 * an older build: alternately, in front of the same upstream, each door in a process of its own.
 */
export async function everyDoor({ against }: Against): Promise<void> {
  // Load and upstream share the other core, so that the one behind each gateway is its own.
  leaveFirstCore();
  for (const kind of ['json', 'sse', 'stdio'] as const) await doorsBefore(kind, against);
  await oneConnection();
}

/** What is largest and what is longest: bodies, sessions that nobody uses, memory after many calls. */
export async function bounds({ against }: Against): Promise<void> {
  leaveFirstCore();
  await largeBodies(against);
  await idleSessions(against);
  await flatMemory();
}

async function doorsBefore(kind: Kind, checkout: string | undefined): Promise<void> {
  const upstream = kind === 'stdio' ? null : await startUpstream(kind);
  const url = upstream?.url ?? null;
  /** Those that later doors are compared with go on. */
  const kept = new Map<string, Side>();
  const rows: string[][] = [];
  const pairs: string[][] = [];
  for (const door of doors.filter(({ also }) => kind === 'json' || also?.includes(kind))) {
    const { row, pair } = await measureDoor(door, { kind, url, checkout, kept });
    rows.push(row);
    pairs.push(...defined([pair]));
  }
  for (const { served } of kept.values()) await served.stop();
  await upstream?.stop();
  printTable(
    ['upstream', 'door, 16 connections', ...columns, '× REST', 'bar', '× least', '× its p99, cold', 'warm'],
    rows,
  );
  if (pairs.length > 0) printTable(['upstream', 'the same, old', ...columns, 'new × old'], pairs);
}

type Place = {
  readonly kind: Kind;
  readonly url: string | null;
  readonly checkout: string | undefined;
  readonly kept: Map<string, Side>;
};

async function measureDoor(door: Door, { kind, url, checkout, kept }: Place) {
  const ours = await sideAt(root, door, url);
  const old = checkout === undefined ? undefined : await sideAt(checkout, door, url);
  const least = url === null || door.local ? undefined : await leastFor(door, url);
  const beside = again(kept.get(door.beside?.[0] ?? ''));
  await alternate(defined([ours, old, least, beside]), 16);
  const row = [kind, door.name, ...cells(ours), ...besideCells(door, ours, beside), ...tails(ours, least)];
  const pair = old && [kind, door.name, ...cells(old), fixed(ratioOf(ours, old), 2)];
  const isKept = doors.some((each) => each.beside?.[0] === door.name);
  if (isKept) kept.set(door.name, ours);
  for (const { served } of defined([isKept ? undefined : ours, old, least])) await served.stop();
  return { row, pair };
}

function besideCells({ beside: [, share] = ['', 0] }: Door, ours: Side, beside: Side | undefined): string[] {
  if (beside === undefined) return ['', ''];
  const ratio = ratioOf(ours, beside);
  return [fixed(ratio, 2), `≥ ${share} ${verdict(ratio >= share)}`];
}

/** A side that is warm, for another row. */
function again(side: Side | undefined): Side | undefined {
  return side && { ...sideOf(side.served, side.call), cold: side.cold };
}

const defined = <T>(sides: readonly (T | undefined)[]): T[] => sides.filter((side) => side !== undefined);
const columns = ['calls/s', 'p50 ms', 'p99 cold', 'p99 warm', 'CPU µs', 'MB'];
function cells(side: Side): string[] {
  const { served, cold, cpuMs: spentMs, calls } = side;
  const times = side.runs.flatMap(({ latencies }) => latencies);
  return [
    ...[fixed(rate(side), 0), fixed(percentile(times, 0.5), 2)],
    ...[fixed(p99(defined([cold])), 1), fixed(p99(side.runs), 1)],
    ...[fixed((spentMs * 1000) / calls, 0), fixed(residentMegabytes(served), 0)],
  ];
}

function tails(ours: Side, least: Side | undefined): string[] {
  if (least === undefined) return [];
  const cold = (side: Side) => p99(defined([side.cold]));
  const ratios = [ratioOf(ours, least), cold(ours) / cold(least), p99(ours.runs) / p99(least.runs)];
  return ratios.map((each) => fixed(each, 2));
}

/** What a call takes longer through us than without us, when nothing else is under way. */
async function oneConnection(): Promise<void> {
  const upstream = await startUpstream('json');
  const ours = await sideAt(root, rest, upstream.url);
  const least = await leastFor(rest, upstream.url);
  await alternate([ours, least], 1);
  const direct = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${rest.body('{}', 1)}}`;
  const meanMs = (side: Side) => 1000 / rate(side);
  const directMs =
    1000 / (await load({ url: upstream.url, body: direct, connections: 1, seconds: 2 })).perSecond;
  const added = meanMs(ours) - directMs;
  printTable(
    ['one connection, mean ms', 'ours', 'least', 'direct', 'added', 'bar', ''],
    [
      [
        ...[rest.name, fixed(meanMs(ours), 3), fixed(meanMs(least), 3), fixed(directMs, 3), fixed(added, 3)],
        ...['≤ .3 added', verdict(added <= 0.3)],
      ],
    ],
  );
  for (const { served } of [ours, least]) await served.stop();
  await upstream.stop();
}

/** A megabyte of arguments and nearly eight of result, the most that is let through. */
async function largeBodies(checkout: string | undefined): Promise<void> {
  const table: string[][] = [];
  for (const [name, answerBytes, args] of [
    ['1 MB of arguments', 1_000, `{"message":"${'a'.repeat(1_000_000)}"}`],
    ['8 MB of result', 7_990_000, undefined],
  ] as const)
    for (const door of [rest, doorNamed('{id}, 2025, no session'), doorNamed('call_tool, 2025')]) {
      const upstream = await startUpstream('json', answerBytes);
      const ours = await sideAt(root, door, upstream.url, args);
      const old = checkout === undefined ? undefined : await sideAt(checkout, door, upstream.url, args);
      const sides = old === undefined ? [ours] : [ours, old];
      await alternate(sides, 4, 0);
      const figures = sides.flatMap((side) => [fixed(rate(side), 1), fixed(peakMegabytes(side.served), 0)]);
      const ratios =
        old === undefined
          ? []
          : [ratioOf(ours, old), peakMegabytes(ours.served) / peakMegabytes(old.served)].map((n) =>
              fixed(n, 2),
            );
      table.push([name, door.name, ...figures, ...ratios]);
      for (const { served } of sides) await served.stop();
      await upstream.stop();
    }
  printTable(
    ['4 connections', 'door', 'calls/s', 'peak MB', 'old calls/s', 'old peak MB', '× its rate', '× its peak'],
    table,
  );
}

async function idleSessions(checkout: string | undefined): Promise<void> {
  const table: string[][] = [];
  for (const path of ['/mcp', '/mcp/servers/upstream']) {
    const grown: number[] = [];
    for (const build of [root, checkout].filter((each) => each !== undefined)) {
      const upstream = await startUpstream('json');
      const { served, call } = await sideAt(build, rest, upstream.url);
      await load({ ...call, connections: 16, seconds: warmSeconds });
      const before = residentMegabytes(served);
      for (let begun = 0; begun < 1_000; begun += 20)
        await Promise.all(Array.from({ length: 20 }, () => openSession(served.url + path, baseHeaders)));
      await delay(2_000);
      grown.push(residentMegabytes(served) - before);
      await served.stop();
      await upstream.stop();
    }
    const [ours = 0] = grown;
    table.push([path, '≤ 20', verdict(ours <= 20), ...grown.map((each) => fixed(each, 1))]);
  }
  printTable(['a thousand idle sessions', 'bar', '', 'MB', 'old MB'], table);
}

/**
 * The bar is for a JSON upstream. Beside it, without a bar, the same in front of a program: what that costs is mostly
 * HTTP in Node, which all of them pay for, and the others serve one session for all connections there.
 */
export async function besideOthers(): Promise<void> {
  leaveFirstCore();
  if (othersMissing !== null)
    return console.log(`skipped: mcp-hub, mcp-proxy, supergateway (${othersMissing})`);
  const upstream = await startUpstream('json');
  const rows = [
    ...(await beside('json', upstream.url, await startBeforeUrl(upstream.url), 5)),
    ...(await beside('stdio', null, await startBeforeProgram())),
  ];
  await upstream.stop();
  printTable(['upstream', 'calls/s beside', 'door', 'ours', 'theirs', 'ratio', 'bar', ''], rows);
}

/** Like with like: our REST beside mcp-hub's, our MCP door beside the others'. */
async function beside(
  kind: Kind,
  url: string | null,
  others: readonly Other[],
  bar?: number,
): Promise<string[][]> {
  const mcpDoor = doorNamed('{id}, 2025, no session');
  const ours = { rest: await sideAt(root, rest, url), mcp: await sideAt(root, mcpDoor, url) };
  const sides = others.map(({ served, call }) => sideOf(served, call));
  await alternate([ours.rest, ours.mcp, ...sides], 16);
  for (const { served } of [ours.rest, ours.mcp, ...others]) await served.stop();
  return sides.map((side, i) => {
    const name = others[i]?.name ?? '';
    const [us, door] = name.startsWith('mcp-hub') ? [ours.rest, rest] : [ours.mcp, mcpDoor];
    const ratio = ratioOf(us, side);
    const judged = bar === undefined ? [] : [`≥ ${bar}`, verdict(ratio >= bar)];
    return [kind, name, door.name, fixed(rate(us), 0), fixed(rate(side), 0), fixed(ratio, 2), ...judged];
  });
}

/** Resident memory after 100,000 calls, when the heap has grown to what this load takes, and after 100,000 more. */
async function flatMemory(): Promise<void> {
  const upstream = await startUpstream('json');
  const { served, call } = await sideAt(root, { ...rest, flags: startFlags }, upstream.url);
  let calls = 0;
  const until = async (count: number) => {
    while (calls < count) calls += 2 * (await load({ ...call, connections: 16, seconds: 2 })).perSecond;
    return residentMegabytes(served);
  };
  const before = await until(100_000);
  const grown = (await until(200_000)) - before;
  await served.stop();
  await upstream.stop();
  printTable(
    ['calls', 'resident MB', 'grown by 100,000 more', 'bar', ''],
    [['100,000', fixed(before, 0), `${fixed(grown, 0)} MB`, 'flat (< 30 MB)', verdict(grown < 30)]],
  );
}

async function sideAt(checkout: string, door: Door, url: string | null, args?: string): Promise<Side> {
  const served = await startService(checkout, url, door.flags);
  return sideOf(served, await openDoor(door, served.url, args));
}

/** The least gateway, asked as this door is: REST's way, or the protocol's. */
async function leastFor(door: Door, url: string): Promise<Side> {
  const gateway = await serve([join(root, 'bench/peers/mcp-gateway.ts'), url]);
  const asked = door.path.startsWith('/v1/') ? rest : doorNamed('{id}, 2025, no session');
  return sideOf(gateway, { url: gateway.url, body: asked.body('{"message":"hi"}', 1) });
}

function sideOf(served: Served, call: Call): Side {
  return { served, call, cold: undefined, runs: [], cpuMs: 0, calls: 0 };
}

/**
 * Each side in turn, several times over; the first time is for warmth. Few at once: a process that rested for half a minute gave
 * its young generation back and starts over.
 */
async function alternate(sides: readonly Side[], connections: number, warmCalls = 10_000): Promise<void> {
  for (const side of sides)
    if (side.cold === undefined) side.cold = await warm(side, connections, warmCalls);
    else await load({ ...side.call, connections, seconds });
  for (let round = 0; round < rounds; round++)
    for (const side of sides) {
      const before = cpuMs(side.served);
      const measured = await load({ ...side.call, connections, seconds });
      if (measured.failed > 0) console.log(`${measured.failed} calls failed at ${side.call.url}`);
      side.cpuMs += cpuMs(side.served) - before;
      side.calls += measured.latencies.length;
      side.runs.push(measured);
    }
}

async function warm({ call }: Side, connections: number, warmCalls: number): Promise<Measured> {
  const cold = await load({ ...call, connections, seconds: warmSeconds });
  let calls = cold.latencies.length;
  for (let spent = warmSeconds; calls < warmCalls && spent < warmSecondsAtMost; spent += warmSeconds)
    calls += (await load({ ...call, connections, seconds: warmSeconds })).latencies.length;
  return cold;
}

const rate = ({ runs }: Side) => median(runs.map(({ perSecond }) => perSecond));
const p99 = (runs: readonly Measured[]) =>
  percentile(
    runs.flatMap(({ latencies }) => latencies),
    0.99,
  );
/** Of each round, one soon after the other: a neighbour that slows the machine down for a while slows both. */
const ratioOf = (us: Side, them: Side) =>
  median(us.runs.map(({ perSecond }, i) => perSecond / (them.runs[i]?.perSecond ?? 0)));
const fixed = (value: number | undefined, digits: number) => value?.toFixed(digits) ?? '';
const verdict = (met: boolean) => (met ? 'met' : 'MISSED');

/** On the core of the load. */
export function startUpstream(kind: 'json' | 'sse', answerBytes = 1_000): Promise<Served> {
  const args = [join(root, 'bench/peers/mcp-upstream.ts'), kind, String(answerBytes)];
  return serve(args, {}, { pin: false });
}
