import { Type } from 'typebox';
import type { Access } from '../access/access.ts';
import { Problem } from '../base/problem.ts';
import { type Catalog, callersFaults } from '../catalog/catalog.ts';
import type { RequestStats, StatsStep } from '../http/http.ts';
import { json, type Route, route } from '../http/route.ts';
import { streamType } from '../mcp-server/mcp-server.ts';
import type { CallLog, CallOutcome } from '../policy/policy.ts';
import type { QueryLogSummary } from '../search/search.ts';
import {
  activitySchema,
  keyUsageSchema,
  serversDrawn,
  stepsDrawn,
  windowSchema,
} from './activity-schemas.ts';
import { idPath, strict } from './field-schemas.ts';
import { isoTime } from './iso-time.ts';
import type { LiveActivity } from './live-activity.ts';

type CallReports = CallLog['reports'];

const windows = { '1h': 3_600_000, '6h': 21_600_000, '24h': 86_400_000 } as const;
const dayMs = 86_400_000;
const hourMs = 3_600_000;
const hoursShown = 24;
export type ActivityDeps = {
  readonly stats: RequestStats;
  readonly access: Pick<Access, 'listKeys'>;
  readonly catalog: Pick<Catalog, 'use'>;
  readonly queryLog: {
    summary(since: number): Promise<QueryLogSummary>;
    searchesByDay(keyId: string, since: number): Promise<ReadonlyMap<number, number>>;
  };
  readonly calls: CallReports;
  readonly now: () => number;
};

/** What the service is used for, as its operator sees it. */
export function activityRoutes(deps: ActivityDeps, live: LiveActivity): Route[] {
  const { access, catalog, queryLog, now } = deps;
  return [
    route({
      method: 'GET',
      url: '/v1/admin/activity',
      summary:
        'What was asked and what came of it: requests and latencies of this process, calls and searches of all of them',
      scope: 'admin',
      query: Type.Object({ window: Type.Optional(windowSchema) }, strict),
      reply: activitySchema,
      handle: async ({ query: { window = '1h' } }) => json(await readActivity(deps, window)),
    }),
    route({
      method: 'GET',
      url: '/v1/admin/activity/live',
      summary: 'The same every five seconds, as server-sent events, for as long as the right to it lasts',
      scope: 'admin',
      query: Type.Object({ window: Type.Optional(windowSchema) }, strict),
      reply: null,
      otherReplies: [{ status: 200, description: 'one Activity an event', contentType: streamType }],
      handle: ({ query: { window = '1h' }, caller }) => live.open(caller.keyId, window),
    }),
    route({
      method: 'GET',
      url: '/v1/admin/keys/:id/usage',
      summary: 'What a key was used for, day by day',
      scope: 'admin',
      params: idPath,
      query: Type.Object({ days: Type.Optional(Type.Integer({ minimum: 1, maximum: 90 })) }, strict),
      reply: keyUsageSchema,
      problems: ['not_found'],
      handle: async ({ params: { id }, query: { days = 30 } }) => {
        if (!(await access.listKeys()).some(({ keyId }) => keyId === id))
          throw new Problem('not_found', 'Key not found');
        const last = Math.floor(now() / dayMs);
        const first = last - days + 1;
        const [calls, searches] = await Promise.all([
          catalog.use.byDay(id, first * dayMs),
          queryLog.searchesByDay(id, first * dayMs),
        ]);
        return json({
          key_id: id,
          days: Array.from({ length: days }, (_, i) => {
            const { calls: made = 0, successes = 0 } = calls.get(first + i) ?? {};
            return {
              day: isoTime((first + i) * dayMs).slice(0, 10),
              searches: searches.get(first + i) ?? 0,
              calls: made,
              failures: made - successes,
            };
          }),
        });
      },
    }),
  ];
}

export type Window = keyof typeof windows;

export async function readActivity(deps: ActivityDeps, window: Window) {
  const { stats, catalog, queryLog, calls, now } = deps;
  const since = now() - windows[window];
  const [servers, searched, outcomes, day] = await Promise.all([
    catalog.use.byServer(since),
    queryLog.summary(since),
    calls.outcomes(since),
    dayOf(calls, now()),
  ]);
  const success = await successOf(
    catalog,
    servers.slice(0, serversDrawn).map(({ serverId }) => serverId),
    { now: now(), stepMs: windows[window] / stepsDrawn },
  );
  const { steps, total, kinds } = stats.read(windows[window]);
  return {
    window,
    total: describe(total),
    steps: steps.map((step) => ({ at: isoTime(step.at), ...describe(step) })),
    kinds,
    servers: servers.map(({ serverId, calls: made, successes, callerFaults: wrong, latencyMs }) => ({
      server_id: serverId,
      calls: made,
      successes,
      caller_faults: wrong,
      latency_ms: latencyMs,
    })),
    outcomes: outcomes.map(({ outcome, calls: made }) => ({ outcome, fault: faultOf(outcome), calls: made })),
    day,
    success,
    searches: searched.searches,
    found_nothing: searched.foundNothing.map(({ query, times, lastAt }) => ({
      query,
      times,
      last_at: isoTime(lastAt),
    })),
    recent: searched.recent.map(({ query, shown, latencyMs, at }) => ({
      query,
      shown,
      latency_ms: latencyMs,
      at: isoTime(at),
    })),
  };
}

const callerFaults: ReadonlySet<string> = new Set<CallOutcome>([
  ...callersFaults,
  'denied',
  'refused',
  'cancelled',
]);

/** Whose fault it is that a call did not go well. */
function faultOf(outcome: CallOutcome): 'caller' | 'server' | null {
  if (outcome === 'ok' || outcome === 'waiting') return null;
  return callerFaults.has(outcome) ? 'caller' : 'server';
}

/** Each server with every hour, the latest last. */
async function dayOf(calls: CallReports, now: number) {
  const first = Math.floor(now / hourMs) - hoursShown + 1;
  const found = await calls.byHour(first * hourMs);
  return [...new Set(found.map(({ serverId }) => serverId))].map((serverId) => ({
    server_id: serverId,
    hours: Array.from({ length: hoursShown }, (_, i) => {
      const rows = found.filter((row) => row.serverId === serverId && row.hour === first + i);
      const sum = (fault: 'caller' | 'server' | 'any') =>
        rows.reduce((n, row) => n + (fault === 'any' || faultOf(row.outcome) === fault ? row.calls : 0), 0);
      return {
        at: isoTime((first + i) * hourMs),
        calls: sum('any'),
        caller_faults: sum('caller'),
        server_faults: sum('server'),
      };
    }),
  }));
}

/** Each server with every step, the latest last. */
async function successOf(
  { use }: ActivityDeps['catalog'],
  serverIds: readonly string[],
  { now, stepMs }: { readonly now: number; readonly stepMs: number },
) {
  const first = Math.floor(now / stepMs) - stepsDrawn + 1;
  const found = await use.byStep(serverIds, first * stepMs, stepMs);
  return serverIds.map((serverId) => ({
    server_id: serverId,
    steps: Array.from({ length: stepsDrawn }, (_, i) => {
      const of = found.find((row) => row.serverId === serverId && row.step === first + i);
      return {
        at: isoTime((first + i) * stepMs),
        calls: of?.calls ?? 0,
        successes: of?.successes ?? 0,
        caller_faults: of?.callerFaults ?? 0,
      };
    }),
  }));
}

function describe({
  requests,
  clientErrors,
  serverErrors,
  upstreamErrors,
  p50,
  p95,
  p99,
}: Omit<StatsStep, 'at'>) {
  return {
    requests,
    client_errors: clientErrors,
    server_errors: serverErrors,
    upstream_errors: upstreamErrors,
    p50_ms: p50,
    p95_ms: p95,
    p99_ms: p99,
  };
}
