import { Type } from 'typebox';
import type { Access } from '../access/access.ts';
import { Problem } from '../base/problem.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { RequestStats, StatsStep } from '../http/http.ts';
import { json, type Route, route } from '../http/route.ts';
import type { QueryLogSummary } from '../search/search.ts';
import { idPath, orNull, strict, time } from './field-schemas.ts';
import { isoTime } from './iso-time.ts';

const windows = { '1h': 3_600_000, '6h': 21_600_000, '24h': 86_400_000 } as const;
const dayMs = 86_400_000;
/** Success over time: few servers, so that their lines can be told apart, and steps long enough to hold some calls. */
const serversDrawn = 5;
const stepsDrawn = 12;
const msOrNull = orNull(Type.Number());
const counts = {
  requests: Type.Integer(),
  client_errors: Type.Integer(),
  server_errors: Type.Integer(),
  p50_ms: msOrNull,
  p95_ms: msOrNull,
  p99_ms: msOrNull,
};
const windowSchema = Type.Enum(['1h', '6h', '24h']);
const keyUsageSchema = Type.Object(
  {
    key_id: Type.String(),
    days: Type.Array(
      Type.Object(
        {
          day: Type.String({ format: 'date', description: 'UTC' }),
          searches: Type.Integer(),
          calls: Type.Integer(),
          failures: Type.Integer(),
        },
        { $id: 'KeyUsageDay' },
      ),
    ),
  },
  { $id: 'KeyUsage' },
);
const activitySchema = Type.Object(
  {
    window: windowSchema,
    total: Type.Object(counts, { $id: 'RequestCounts' }),
    steps: Type.Array(Type.Object({ at: time, ...counts }, { $id: 'RequestCountsAt' })),
    kinds: Type.Array(Type.Object({ kind: Type.String(), requests: Type.Integer() })),
    servers: Type.Array(
      Type.Object(
        {
          server_id: Type.String(),
          calls: Type.Integer(),
          successes: Type.Integer(),
          latency_ms: msOrNull,
        },
        { $id: 'ServerUse' },
      ),
    ),
    success: Type.Array(
      Type.Object(
        {
          server_id: Type.String(),
          steps: Type.Array(Type.Object({ at: time, calls: Type.Integer(), successes: Type.Integer() })),
        },
        { $id: 'ServerSuccess' },
      ),
      { description: `the ${serversDrawn} servers called most, in ${stepsDrawn} steps` },
    ),
    searches: Type.Object({ count: Type.Integer(), cached: Type.Integer() }),
    found_nothing: Type.Array(
      Type.Object(
        { query: Type.String(), times: Type.Integer(), last_at: time },
        { $id: 'EmptySearch', description: 'a query that found nothing' },
      ),
    ),
    recent: Type.Array(
      Type.Object(
        { query: Type.String(), shown: Type.Integer(), latency_ms: Type.Number(), at: time },
        { $id: 'RecentSearch' },
      ),
    ),
  },
  { $id: 'Activity' },
);

export type ActivityDeps = {
  readonly stats: RequestStats;
  readonly access: Pick<Access, 'listKeys'>;
  readonly catalog: Pick<Catalog, 'use'>;
  readonly queryLog: {
    summary(since: number): Promise<QueryLogSummary>;
    searchesByDay(keyId: string, since: number): Promise<ReadonlyMap<number, number>>;
  };
  readonly now: () => number;
};

/** What the service is used for, as its operator sees it. */
export function activityRoutes({ stats, access, catalog, queryLog, now }: ActivityDeps): Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/admin/activity',
      summary:
        'What was asked and what came of it: requests and latencies of this process, calls and searches of all of them',
      scope: 'admin',
      query: Type.Object({ window: Type.Optional(windowSchema) }, strict),
      reply: activitySchema,
      handle: async ({ query: { window = '1h' } }) => {
        const since = now() - windows[window];
        const [servers, searched] = await Promise.all([catalog.use.byServer(since), queryLog.summary(since)]);
        const success = await successOf(
          catalog,
          servers.slice(0, serversDrawn).map(({ serverId }) => serverId),
          { now: now(), stepMs: windows[window] / stepsDrawn },
        );
        const { steps, total, kinds } = stats.read(windows[window]);
        return json({
          window,
          total: describe(total),
          steps: steps.map((step) => ({ at: isoTime(step.at), ...describe(step) })),
          kinds,
          servers: servers.map(({ serverId, calls, successes, latencyMs }) => ({
            server_id: serverId,
            calls,
            successes,
            latency_ms: latencyMs,
          })),
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
        });
      },
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
      return { at: isoTime((first + i) * stepMs), calls: of?.calls ?? 0, successes: of?.successes ?? 0 };
    }),
  }));
}

function describe({ requests, clientErrors, serverErrors, p50, p95, p99 }: Omit<StatsStep, 'at'>) {
  return {
    requests,
    client_errors: clientErrors,
    server_errors: serverErrors,
    p50_ms: p50,
    p95_ms: p95,
    p99_ms: p99,
  };
}
