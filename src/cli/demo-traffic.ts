import { type ApiKey, operatorDeveloper } from '../access/access.ts';
import type { Services } from '../app.ts';
import type { Clock } from '../base/clock.ts';
import { type Health, type ProbeResult, toolNamed } from '../catalog/catalog.ts';
import { noBindings } from '../policy/policy.ts';
import { readHit } from '../search/search.ts';
import {
  approvals,
  createRandom,
  days,
  developers,
  hopeless,
  hopelessShare,
  hourly,
  hourMs,
  outage,
  queries,
  toolset,
  users,
  weekendShare,
} from './demo-script.ts';

/** A clock that the week is played by; what measures goes by the real one. */
export type DemoClock = Clock & { set(now: number): void };

export function createDemoClock(start: number): DemoClock {
  let now = start;
  return {
    // Whole milliseconds, as the real one: they stand in ids.
    now: () => Math.floor(now),
    monotonic: () => performance.now(),
    set(at) {
      now = at;
    },
  };
}

export type Played = { readonly searches: number; readonly calls: number; readonly failures: number };
type Person = ApiKey & { readonly share: number };
type Wanted = { readonly serverId: string; readonly tool: string };
type Stage = {
  readonly services: Services;
  readonly clock: DemoClock;
  readonly random: () => number;
  readonly people: readonly Person[];
  readonly start: number;
  readonly end: number;
  /** How often each server was called so far. */
  readonly used: Map<string, number>;
  /** The server that is down for a while, from then on. */
  down: string | undefined;
};

/** Plays a week that ends at `end` through the services themselves: what it leaves is what a week of use would have left. */
export async function playWeek(services: Services, clock: DemoClock, end: number): Promise<Played> {
  const start = end - days * 24 * hourMs;
  const random = createRandom(1);
  clock.set(start);
  await services.identity.start();
  const people: Person[] = [];
  for (const { share, ...key } of developers)
    people.push({ ...(await services.access.createKey(key)), share });
  const stage: Stage = { services, clock, random, people, start, end, used: new Map(), down: undefined };
  await bindToolset(stage);
  const sums = { searches: 0, calls: 0, failures: 0 };
  for (let hour = 0; hour < days * 24; hour++) await playHour(stage, hour, sums);
  await playApprovals(stage);
  clock.set(end);
  for (const part of [services.queryLog, services.catalog, services.callLog]) await part.flush();
  return sums;
}

async function bindToolset({ services, people }: Stage): Promise<void> {
  const by = { actor: 'system', developerId: operatorDeveloper };
  const { name, ...rules } = toolset;
  await services.policy.admin.putToolset(name, rules, by);
  await services.policy.admin.putBindings(name, { ...noBindings, developers: [people[1]!.developer] }, by);
}

async function playHour(stage: Stage, hour: number, sums: { -readonly [name in keyof Played]: number }) {
  const { clock, random, services, people, start } = stage;
  const at = new Date(start + hour * hourMs);
  const isWeekend = at.getDay() === 0 || at.getDay() === 6;
  const wanted = (hourly[at.getHours()] ?? 0) * (isWeekend ? weekendShare : 1) * (0.8 + 0.4 * random());
  const times = Array.from({ length: Math.round(wanted) }, random).sort();
  for (const part of times) {
    clock.set(start + (hour + part) * hourMs);
    const outcome = await playOne(stage);
    sums.searches++;
    if (outcome !== null) sums.calls++;
    if (outcome === false) sums.failures++;
  }
  if (hour % 6 === 0) await probeUsed(stage);
  if (hour % 24 === 9) {
    for (const user of users) await services.identity.issue(people[0]!, user);
    const signals = await services.catalog.rankingSignals();
    services.search.setSignals(signals);
    await services.learning.update();
  }
}

/** One search, and most times a call of what it found. null: nobody called. */
async function playOne(stage: Stage): Promise<boolean | null> {
  const { random, services, people } = stage;
  const person =
    people[
      pick(
        random(),
        people.map(({ share }) => share),
      )
    ] ?? people[0]!;
  const isHopeless = random() < hopelessShare;
  const query = isHopeless
    ? hopeless[Math.floor(random() * hopeless.length)]!
    : queries[Math.floor(queries.length * random() ** 2)]!;
  const { page, queryLogId } = await services.search.find({
    caller: person,
    query,
    limit: 5,
    toolLimit: 3,
    filters: {},
    explain: false,
    minScore: isHopeless ? 0.99 : 0,
  });
  const hit = page.hits[random() < 0.85 ? 0 : 1];
  if (hit === undefined || random() > 0.75) return null;
  const { id: serverId, tools } = readHit(hit);
  const tool = tools[0]?.name;
  if (tool === undefined) return null;
  return call(stage, person, { wanted: { serverId, tool }, queryLogId });
}

async function call(
  stage: Stage,
  person: Person,
  { wanted: { serverId, tool }, queryLogId }: { readonly wanted: Wanted; readonly queryLogId: string },
): Promise<boolean> {
  const { services, random, used } = stage;
  const count = (used.get(serverId) ?? 0) + 1;
  used.set(serverId, count);
  const isOut = isDown(stage, serverId);
  const success = random() > (isOut ? 0.92 : 0.03);
  const latencyMs = isOut ? 30_000 : 60 * 20 ** (random() * random());
  const errorType = success ? null : isOut ? 'timeout' : random() < 0.5 ? 'invalid_arguments' : 'server';
  const { developerId, keyId } = person;
  const outcome = {
    developerId,
    keyId,
    queryLogId,
    serverId,
    toolName: tool,
    success,
    latencyMs,
    errorType,
  } as const;
  await services.catalog.recordInvocation({ ...outcome, idempotencyKey: null }, { durable: false });
  services.callLog.record({
    developer_id: developerId,
    key_id: keyId,
    user_id: random() < 0.6 ? users[Math.floor(random() * users.length)]! : null,
    server_id: serverId,
    tool,
    definition: null,
    toolset: null,
    outcome: errorType ?? 'ok',
    latency_ms: Math.round(latencyMs),
    request_bytes: Math.round(40 + 400 * random()),
    reply_bytes: success ? Math.round(200 * 40 ** random()) : 120,
    arguments_digest: null,
    arguments_masked: null,
  });
  return success;
}

/** The servers that are used are looked at, as the service itself does. */
async function probeUsed(stage: Stage): Promise<void> {
  const { services, used, random } = stage;
  for (const serverId of used.keys()) {
    const isOut = isDown(stage, serverId);
    await services.catalog.health.probe(serverId, async () => (isOut ? down : up(30 + 200 * random())));
  }
}

const down: ProbeResult = {
  state: 'down',
  era: null,
  auth: null,
  latencyMs: null,
  tools: null,
  reason: 'no answer within 10 seconds',
  unreached: false,
};

function up(latencyMs: number): ProbeResult {
  return { ...down, state: 'up' satisfies Health['state'], era: 'session', latencyMs, reason: null };
}

async function playApprovals({ services, clock, people, end }: Stage): Promise<void> {
  const { developerId, keyId } = people[1]!;
  const serverId = 'io.github.github/github-mcp-server';
  const tool = 'delete_file';
  const server = await services.catalog.get(serverId);
  const { definition } = toolNamed(server, tool);
  const { version } = services.policy.admin.toolset(toolset.name).toolset;
  for (const [n, { hoursAgo, decision, note = null }] of approvals.entries()) {
    clock.set(end - hoursAgo * hourMs);
    const args = JSON.stringify({ owner: 'globex', repo: 'site', path: `old-${n}.md`, branch: 'main' });
    const { id } = await services.approvals.request(
      {
        developerId,
        keyId,
        userId: users[n % users.length]!,
        serverId,
        address: server.remoteUrl,
        method: 'tools/call',
        tool,
        definition,
        canonicalParams: args,
        arguments: args,
        toolset: toolset.name,
        version,
        self: false,
      },
      null,
    );
    if (decision === null) continue;
    clock.set(clock.now() + hourMs / 10);
    const by = { actor: 'system', developerId: operatorDeveloper, keyId: 'demo', userId: null };
    await services.approvals.decide(id, { isApproved: decision, note }, by);
    if (!decision) continue;
    await services.approvals.start(id, 0, `key:${keyId}`);
    await services.approvals.finish(id);
  }
}

/** The one that was used most when the outage began, whichever is used most in it. */
function isDown(stage: Stage, serverId: string): boolean {
  const hoursAgo = (stage.end - stage.clock.now()) / hourMs;
  if (hoursAgo > outage.fromHoursAgo || hoursAgo <= outage.toHoursAgo) return false;
  stage.down ??= mostUsed(stage.used);
  return serverId === stage.down;
}

function mostUsed(used: ReadonlyMap<string, number>): string | undefined {
  return [...used].sort(([, a], [, b]) => b - a)[0]?.[0];
}

/** The index of the share that a number from 0 to 1 falls into. */
function pick(at: number, shares: readonly number[]): number {
  let sum = 0;
  return shares.findIndex((share) => {
    sum += share;
    return at < sum;
  });
}
