import { Type } from 'typebox';
import type { Catalog } from '../catalog/catalog.ts';
import { json, type Route, route } from '../http/route.ts';
import type { Gate } from './gate.ts';

const body = Type.Object(
  {
    query_log_id: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    server_id: Type.String({ minLength: 1, maxLength: 200 }),
    tool_name: Type.String({ minLength: 1, maxLength: 128 }),
    success: Type.Boolean(),
    latency_ms: Type.Optional(Type.Number({ minimum: 0, maximum: 86_400_000 })),
    error_type: Type.Optional(
      Type.Enum(['auth', 'rate_limit', 'timeout', 'invalid_arguments', 'server', 'other']),
    ),
    idempotency_key: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  },
  { additionalProperties: false },
);

export function invocationRoutes(catalog: Catalog, gate: Pick<Gate, 'require'>): Route[] {
  return [
    route({
      method: 'POST',
      url: '/v1/invocations',
      summary:
        'Record the outcome of a tool invocation; `Prefer: respond-async` answers 202 before it is durable',
      scope: 'invocations',
      status: 201,
      body,
      reply: Type.Object({ invocation_id: Type.String(), recorded: Type.Literal(true) }),
      handle: async ({ body, caller, headers }) => {
        // RFC 7240 section 4.1; several preferences may stand in one field.
        const later = /(^|,)\s*respond-async\s*(,|;|$)/i.test(String(headers.prefer ?? ''));
        await gate.require(caller, body.server_id, body.tool_name);
        const { invocationId } = await catalog.recordInvocation(
          {
            developerId: caller.developerId,
            keyId: caller.keyId,
            queryLogId: body.query_log_id ?? null,
            serverId: body.server_id,
            toolName: body.tool_name,
            success: body.success,
            latencyMs: body.latency_ms ?? null,
            errorType: body.error_type ?? null,
            idempotencyKey: body.idempotency_key ?? null,
          },
          { durable: !later },
        );
        return json({ invocation_id: invocationId, recorded: true }, later ? 202 : 201);
      },
    }),
  ];
}
