import { type Static, Type } from 'typebox';
import { idempotencyKey } from '../base/idempotency.ts';
import { Problem } from '../base/problem.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { type Call, json, type Reply, type Route, route } from '../http/route.ts';
import type { User } from '../identity/identity.ts';
import {
  type Json,
  type Mcp,
  type McpAnswer,
  type McpCall,
  toolResult,
  UpstreamFailure,
} from '../mcp/mcp.ts';
import { documentedServer, documentedServerSchema } from './server-routes.ts';

const serverId = Type.String({ minLength: 1, maxLength: 200 });
const anything = Type.Record(Type.String(), Type.Unknown());
const queryLogId = Type.Optional(Type.String({ minLength: 1, maxLength: 100 }));
const resuming = {
  continuation: Type.Optional(Type.String({ minLength: 1, maxLength: 100_000 })),
  input_responses: Type.Optional(Type.Record(Type.String(), anything)),
};
const strict = { additionalProperties: false };

const callBody = Type.Object(
  {
    server_id: serverId,
    method: Type.String({ minLength: 1, maxLength: 200 }),
    params: Type.Optional(anything),
    id: Type.Optional(
      Type.Union([Type.String({ maxLength: 200 }), Type.Integer()], {
        description: 'a string or an integer',
      }),
    ),
    query_log_id: queryLogId,
    ...resuming,
  },
  strict,
);
const listBody = Type.Object({ server_id: serverId }, strict);
const toolBody = Type.Object(
  {
    server_id: serverId,
    name: Type.String({ minLength: 1, maxLength: 200 }),
    arguments: Type.Optional(anything),
    query_log_id: queryLogId,
    ...resuming,
  },
  strict,
);

const listedTool = Type.Object({
  name: Type.String(),
  description: Type.Optional(Type.String()),
  inputSchema: Type.Optional(anything),
});
const rpcError = Type.Object({
  code: Type.Integer(),
  message: Type.String(),
  data: Type.Optional(Type.Unknown()),
});
const inputNeeded = Type.Object({
  status: Type.Literal('input_required'),
  input_requests: anything,
  continuation: Type.String(),
});
/** The server could not be used (JSON-RPC 2.0 leaves -32000 to -32099 to implementations). */
const unusable = -32000;

type Asking = Pick<Call<unknown, unknown, unknown, User | null>, 'caller' | 'user' | 'signal'>;

export function mcpRoutes(mcp: Mcp, catalog: Pick<Catalog, 'get'>): Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/mcp/server',
      summary: "One server's record",
      scope: 'mcp',
      user: 'optional',
      query: Type.Object({ server_id: serverId }, strict),
      reply: Type.Object(documentedServerSchema),
      handle: async ({ query }) => json(documentedServer(await catalog.get(query.server_id))),
    }),
    route({
      method: 'POST',
      url: '/v1/mcp/call',
      summary: 'Any JSON-RPC method on a server; always answers with a JSON-RPC envelope',
      scope: 'mcp',
      user: 'optional',
      body: callBody,
      reply: Type.Object({
        jsonrpc: Type.Literal('2.0'),
        id: Type.Union([Type.String(), Type.Integer()]),
        result: Type.Optional(anything),
        error: Type.Optional(rpcError),
      }),
      handle: (call) => answerEnvelope(mcp, call),
    }),
    route({
      method: 'POST',
      url: '/v1/mcp/tools/list',
      summary: 'The tools of a server, all pages of them',
      scope: 'mcp',
      user: 'optional',
      body: listBody,
      reply: Type.Object({ tools: Type.Array(listedTool) }),
      handle: async (call) => {
        try {
          const { tools, upstreamMs } = await mcp.listTools(callerOf(call), call.body.server_id);
          return answerWith({ tools }, upstreamMs);
        } catch (error) {
          throw inWords('Listing tools failed', error);
        }
      },
    }),
    route({
      method: 'POST',
      url: '/v1/mcp/tools/call',
      summary: 'Call one tool; `Idempotency-Key` makes a repeated request harmless',
      scope: 'mcp',
      user: 'optional',
      body: toolBody,
      reply: Type.Union([
        Type.Object({
          content: Type.Array(anything),
          isError: Type.Boolean(),
          structuredContent: Type.Optional(Type.Unknown()),
        }),
        inputNeeded,
      ]),
      handle: (call) => callTool(mcp, call),
    }),
  ];
}

async function answerEnvelope(
  mcp: Mcp,
  call: Asking & { readonly body: Static<typeof callBody> },
): Promise<Reply> {
  const { body } = call;
  const envelope = (rest: Json, upstreamMs = 0) =>
    answerWith({ jsonrpc: '2.0', id: body.id ?? 1, ...rest }, upstreamMs);
  try {
    const answer = await mcp.call(
      callerOf(call),
      requestOf(body, { method: body.method, params: body.params }),
    );
    if (answer.kind === 'reply') return envelope(answer.reply, answer.upstreamMs);
    const { inputRequests } = answer;
    return envelope(
      { ...inputFields(answer), result: { resultType: 'input_required', inputRequests } },
      answer.upstreamMs,
    );
  } catch (error) {
    if (!(error instanceof UpstreamFailure)) throw error;
    return envelope({ error: { code: unusable, message: error.detail, data: { reason: error.reason } } });
  }
}

async function callTool(
  mcp: Mcp,
  call: Asking & {
    readonly body: Static<typeof toolBody>;
    readonly headers: Readonly<Record<string, unknown>>;
  },
): Promise<Reply> {
  const { body } = call;
  const params = { name: body.name, arguments: body.arguments ?? {} };
  const request = requestOf(body, { method: 'tools/call', params });
  const key = idempotencyKey(call.headers['idempotency-key']);
  try {
    const answer = await (key === null
      ? mcp.call(callerOf(call), request)
      : mcp.callOnce(callerOf(call), request, key));
    const fields = answer.kind === 'reply' ? toolResult(answer.reply) : inputFields(answer);
    return answerWith(fields, answer.upstreamMs);
  } catch (error) {
    throw inWords('Tool call failed', error);
  }
}

/** Serialised here: an upstream's answer may be nested deeper than V8 can write it (RangeError). */
function answerWith(fields: Json, upstreamMs: number): Reply {
  try {
    return { status: 200, body: JSON.stringify(fields), timings: [['upstream', upstreamMs]] };
  } catch (cause) {
    throw new UpstreamFailure('protocol', 'The server does not speak MCP: its answer cannot be written', {
      cause,
    });
  }
}

function inputFields({ inputRequests, continuation }: Extract<McpAnswer, { kind: 'input' }>) {
  return { status: 'input_required', input_requests: inputRequests, continuation };
}

function callerOf({ caller, user, signal }: Asking) {
  const { developerId, developer, keyId } = caller;
  return { developerId, developer, keyId, userId: user?.userId, signal };
}

function requestOf(
  body: {
    readonly server_id: string;
    readonly query_log_id?: string;
    readonly continuation?: string;
    readonly input_responses?: Record<string, Json>;
  },
  request: { readonly method: string; readonly params?: Json | undefined },
): McpCall {
  return {
    serverId: body.server_id,
    method: request.method,
    params: request.params,
    queryLogId: body.query_log_id ?? null,
    continuation: body.continuation,
    inputResponses: body.input_responses,
  };
}

/** Everything the upstream is to blame for reads `<what> failed: <why>` (502); the cause goes to the log. */
function inWords(what: string, error: unknown): unknown {
  if (!(error instanceof UpstreamFailure)) return error;
  // Nobody is there to read it, and no upstream is to blame: not worth a line of the log.
  if (error.reason === 'cancelled') return new Problem('request_timeout', error.detail);
  const { detail, retryAfterMs } = error;
  return new Problem('upstream_error', `${what}: ${detail}`, {
    cause: error,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}
