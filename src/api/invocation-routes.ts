import { Type } from 'typebox';
import type { Catalog } from '../catalog/catalog.ts';
import { json, type Route, route } from '../http/route.ts';
import { strict, text } from './field-schemas.ts';
import type { Gate } from './gate.ts';

const invocationSchema = Type.Object(
  {
    query_log_id: Type.Optional(text(100)),
    server_id: text(200),
    tool_name: text(128),
    success: Type.Boolean(),
    latency_ms: Type.Optional(Type.Number({ minimum: 0, maximum: 86_400_000 })),
    error_type: Type.Optional(
      Type.Enum(['auth', 'rate_limit', 'timeout', 'invalid_arguments', 'server', 'other']),
    ),
    idempotency_key: Type.Optional(text(200)),
  },
  { ...strict, $id: 'Invocation' },
);
const recordedSchema = Type.Object(
  { invocation_id: Type.String(), recorded: Type.Literal(true) },
  { $id: 'RecordedInvocation' },
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
      body: invocationSchema,
      reply: recordedSchema,
      otherReplies: [{ status: 202, description: 'Taken, and not yet durable', schema: recordedSchema }],
      problems: ['not_found', 'server_gone', 'conflict'],
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
