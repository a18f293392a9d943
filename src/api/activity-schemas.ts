import { Type } from 'typebox';
import { callOutcomes } from '../policy/policy.ts';
import { orNull, time } from './field-schemas.ts';

/** Success over time: few servers, so that their lines can be told apart, and steps long enough to hold some calls. */
export const serversDrawn = 5;
export const stepsDrawn = 12;
const msOrNull = orNull(Type.Number());
const counts = {
  requests: Type.Integer(),
  client_errors: Type.Integer({ description: 'of callers: 4xx' }),
  server_errors: Type.Integer({ description: 'ours: 5xx but 502' }),
  upstream_errors: Type.Integer({ description: 'of servers and providers behind us: 502' }),
  p50_ms: msOrNull,
  p95_ms: msOrNull,
  p99_ms: msOrNull,
};
export const windowSchema = Type.Enum(['1h', '6h', '24h']);
export const keyUsageSchema = Type.Object(
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
const fault = Type.Union([Type.Enum(['caller', 'server']), Type.Null()], {
  description: 'whose it is; null: it went well',
});
const callerFaults = Type.Integer({
  description: 'calls that their callers got wrong: they say nothing of the server',
});
export const activitySchema = Type.Object(
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
          caller_faults: callerFaults,
          latency_ms: msOrNull,
        },
        { $id: 'ServerUse' },
      ),
    ),
    outcomes: Type.Array(
      Type.Object(
        { outcome: Type.Enum(callOutcomes), fault, calls: Type.Integer() },
        { $id: 'OutcomeCount', description: 'of the record of calls' },
      ),
    ),
    day: Type.Array(
      Type.Object(
        {
          server_id: Type.String(),
          hours: Type.Array(
            Type.Object({
              at: time,
              calls: Type.Integer(),
              caller_faults: Type.Integer(),
              server_faults: Type.Integer(),
            }),
          ),
        },
        { $id: 'ServerDay' },
      ),
      { description: 'of the record of calls: the servers called most in the last 24 hours, hour by hour' },
    ),
    success: Type.Array(
      Type.Object(
        {
          server_id: Type.String(),
          steps: Type.Array(
            Type.Object({
              at: time,
              calls: Type.Integer(),
              successes: Type.Integer(),
              caller_faults: callerFaults,
            }),
          ),
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
