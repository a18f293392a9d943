import { Type } from 'typebox';
import type { HostCheck } from '../base/own-hosts.ts';
import { Problem } from '../base/problem.ts';
import { json, type Route, route } from '../http/route.ts';

export type Operations = {
  /** What readiness waits for: name -> is it there. */
  readonly readiness: () => Promise<Readonly<Record<string, boolean>>>;
  readonly checkHost: HostCheck;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
};

const liveness = Type.Object({ status: Type.Literal('ok') }, { $id: 'Liveness' });
const readinessSchema = Type.Object(
  { status: Type.Literal('ready'), checks: Type.Record(Type.String(), Type.Boolean()) },
  { $id: 'Readiness' },
);

export function operationRoutes(operations: Operations): Route[] {
  const alive = () => json({ status: 'ok' });
  return [
    route({
      method: 'GET',
      url: '/v1/health',
      summary: 'Liveness',
      scope: null,
      reply: liveness,
      handle: alive,
    }),
    route({
      method: 'GET',
      url: '/healthz',
      summary: 'Liveness, for orchestrators',
      scope: null,
      reply: liveness,
      handle: alive,
    }),
    route({
      method: 'GET',
      url: '/readyz',
      summary: 'Readiness: 200 once the index is loaded and the store answers, else 503',
      scope: null,
      reply: readinessSchema,
      handle: async () => {
        const checks = await operations.readiness();
        const missing = Object.keys(checks).filter((name) => !checks[name]);
        if (missing.length > 0)
          throw new Problem('unavailable', `Not ready: waiting for ${missing.join(' and ')}`, {
            retryAfterMs: 1_000,
          });
        return json({ status: 'ready', checks });
      },
    }),
    route({
      method: 'GET',
      url: '/metrics',
      summary: 'Metrics in the Prometheus text format',
      scope: null,
      reply: null,
      otherReplies: [{ status: 200, description: 'Prometheus text format', contentType: 'text/plain' }],
      handle: async ({ headers }) => {
        operations.checkHost(headers);
        const { contentType, text } = await operations.metrics();
        return { status: 200, body: text, contentType };
      },
    }),
  ];
}
