import { type Static, Type } from 'typebox';
import { idempotencyKey } from '../base/idempotency-key.ts';
import type { JsonView } from '../base/json-scanner.ts';
import type { JsonPart, JsonParts } from '../base/json-splice.ts';
import { Problem } from '../base/problem.ts';
import { type Call, json, type Reply, type Route, route } from '../http/route.ts';
import type { User } from '../identity/identity.ts';
import {
  type McpAnswer,
  type McpCall,
  paramsOf,
  paramsShape,
  RpcFailure,
  responsesIn,
  resultIn,
  rpcError,
  serverInfoKey,
  toolParams,
  toolResult,
  UpstreamFailure,
  withoutReservedMeta,
} from '../mcp/mcp.ts';
import { accountIn } from './account-header.ts';
import { anything, strict, text, time } from './field-schemas.ts';
import { isoTime } from './iso-time.ts';
import type { EnforcedMcp, PolicyEnforcement } from './policy-enforcement.ts';
import { rpcEnvelopeSchema } from './rpc-schemas.ts';
import { describeServerBasics } from './server-routes.ts';
import { serverBasicsSchema } from './server-schemas.ts';
import { progressMeta, streamedReply, streamToolCall, takesStream } from './streamed-tool-call.ts';

const serverId = text(200);
const queryLogId = Type.Optional(text(100));
const resuming = {
  continuation: Type.Optional(text(100_000)),
  input_responses: Type.Optional(Type.Record(Type.String(), anything)),
};

const rpcCallSchema = Type.Object(
  {
    server_id: serverId,
    method: text(200),
    params: Type.Optional(anything),
    id: Type.Optional(
      Type.Union([Type.String({ maxLength: 200 }), Type.Number()], {
        description: 'a string or a number',
      }),
    ),
    query_log_id: queryLogId,
    ...resuming,
  },
  { ...strict, $id: 'RpcCall' },
);
const listBody = Type.Object({ server_id: serverId }, strict);
const toolCallSchema = Type.Object(
  {
    server_id: serverId,
    name: text(200),
    arguments: Type.Optional(anything),
    query_log_id: queryLogId,
    ...resuming,
  },
  { ...strict, $id: 'ToolCall' },
);

const open = { additionalProperties: Type.Unknown() };
const mcpToolSchema = Type.Object(
  {
    name: Type.String(),
    description: Type.Optional(Type.String()),
    inputSchema: Type.Optional(anything),
  },
  { ...open, $id: 'McpTool', description: 'as its server gives it' },
);
const toolResultSchema = Type.Object(
  {
    content: Type.Array(anything),
    isError: Type.Boolean(),
    structuredContent: Type.Optional(Type.Unknown()),
    _meta: Type.Optional(anything),
  },
  { $id: 'ToolResult' },
);
const inputNeededSchema = Type.Object(
  {
    status: Type.Literal('input_required'),
    input_requests: anything,
    continuation: Type.String(),
  },
  {
    $id: 'InputNeeded',
    description: 'the server asks something: go on with `continuation` and `input_responses`',
  },
);
const approvalFields = {
  id: Type.String(),
  expires_at: time,
  url: Type.String({ description: 'where a person decides' }),
};
const approvalNeededSchema = Type.Object(
  {
    status: Type.Literal('input_required'),
    approval: Type.Object(approvalFields),
    continuation: Type.String(),
  },
  {
    $id: 'ApprovalNeeded',
    description: 'somebody has to approve this call: make it again with `continuation` once they have',
  },
);
const callProblems = ['not_found', 'server_gone', 'upstream_error', 'request_timeout'] as const;
/** The server could not be used (JSON-RPC 2.0 leaves -32000 to -32099 to implementations). */
const unusable = -32000;
const parseError = -32700;
const invalidRequest = -32600;
const invalidParams = -32602;

type Asking = Pick<
  Call<unknown, unknown, unknown, User | null>,
  'caller' | 'user' | 'headers' | 'signal' | 'json' | 'recheck'
>;

/** 1 MB of arguments, and what stands around them; larger than the 8 MB that a server may answer. */
const maxBodyBytes = 8_500_000;

export function mcpRoutes({ mcp, catalogFor }: PolicyEnforcement): Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/mcp/server',
      summary: "One server's record",
      scope: 'mcp',
      user: 'optional',
      query: Type.Object({ server_id: serverId }, strict),
      reply: serverBasicsSchema,
      problems: ['not_found', 'server_gone'],
      handle: async ({ query, caller }) =>
        json(describeServerBasics(await catalogFor(caller).get(query.server_id))),
    }),
    route({
      method: 'POST',
      url: '/v1/mcp/call',
      summary: 'Any JSON-RPC method on a server; always answers with a JSON-RPC envelope',
      scope: 'mcp',
      user: 'optional',
      body: rpcCallSchema,
      spans: { params: paramsShape, input_responses: true },
      uncheckedMembers: ['method', 'params', 'id'],
      onBrokenJson: () => envelope('null', errorMember(parseError, 'Parse error: the body is not JSON')),
      maxBodyBytes,
      reply: rpcEnvelopeSchema,
      problems: ['not_found', 'server_gone'],
      handle: (call) => answerEnvelope(mcp, call),
    }),
    route({
      method: 'POST',
      url: '/v1/mcp/tools/list',
      summary: 'The tools of a server, all pages of them',
      scope: 'mcp',
      user: 'optional',
      body: listBody,
      reply: Type.Object({ tools: Type.Array(mcpToolSchema) }),
      problems: callProblems,
      handle: (call) => listTools(mcp, call),
    }),
    route({
      method: 'POST',
      url: '/v1/mcp/tools/call',
      summary: 'Call one tool; `Idempotency-Key` makes a repeated request harmless',
      scope: 'mcp',
      user: 'optional',
      body: toolCallSchema,
      spans: { arguments: true, input_responses: true },
      maxBodyBytes,
      reply: Type.Union([toolResultSchema, inputNeededSchema, approvalNeededSchema]),
      otherReplies: [streamedReply],
      problems: [...callProblems, 'conflict'],
      handle: (call) => callTool(mcp, call),
    }),
  ];
}

async function listTools(
  mcp: EnforcedMcp,
  call: Asking & { readonly body: Static<typeof listBody> },
): Promise<Reply<never>> {
  try {
    const { tools, upstreamMs } = await mcp.listTools(callerOf(call), call.body.server_id);
    const list = tools.flatMap(({ view }, i) => (i === 0 ? [view.span()] : [',', view.span()]));
    return answer(['{"tools":[', ...list, ']}'], upstreamMs);
  } catch (error) {
    throw inWords('Listing tools failed', error);
  }
}

/** Who asks a server who it is may hear it: 2026-07-28 says it where the protocol's own words stand. */
const introduction: ReadonlySet<string> = new Set([serverInfoKey]);

async function answerEnvelope(
  mcp: EnforcedMcp,
  call: Asking & { readonly body: Static<typeof rpcCallSchema> },
): Promise<Reply<never>> {
  const { body, json: sent } = call;
  const id = sent?.get('id');
  const echoed = id === undefined ? '1' : id.span();
  const fault = requestFault(sent);
  if (fault !== null) return envelope(id !== undefined && isId(id) ? echoed : 'null', fault);
  try {
    const method = sent?.get('method')?.string() ?? '';
    const params = sent?.present('params');
    const found = await mcp.call(callerOf(call), {
      ...requestOf(body, sent),
      method,
      params: params && paramsOf(params),
    });
    if (found.kind === 'input') return envelope(echoed, inputMembers(found), found.upstreamMs);
    const { reply } = found;
    const member: JsonParts =
      'result' in reply
        ? [
            '"result":',
            ...withoutReservedMeta(reply.result, method === 'server/discover' ? introduction : undefined),
          ]
        : ['"error":', ...reply.error.text];
    return envelope(echoed, member, found.upstreamMs);
  } catch (error) {
    if (!(error instanceof UpstreamFailure)) throw error;
    return envelope(echoed, errorMember(unusable, error.detail, { reason: error.reason }));
  }
}

/** JSON-RPC's own faults are answered in its envelope (contract B). */
function requestFault(sent: JsonView | undefined): JsonParts | null {
  const id = sent?.get('id');
  if (id !== undefined && !isId(id)) return errorMember(invalidRequest, 'id: expected a string or a number');
  const method = sent?.get('method')?.string() ?? '';
  if (method === '' || method.length > 200)
    return errorMember(invalidRequest, 'method: expected a text of 1 to 200 characters');
  const params = sent?.present('params');
  if (params !== undefined && params.kind !== 'object')
    return errorMember(invalidParams, 'params: expected an object');
  return null;
}

function isId(id: JsonView): boolean {
  return (id.kind === 'string' && id.end - id.start <= 1_000) || id.kind === 'number';
}

function errorMember(code: number, message: string, data?: Readonly<Record<string, unknown>>): JsonParts {
  return ['"error":', ...rpcError(code, message, data).text];
}

function envelope(id: JsonPart, member: JsonParts, upstreamMs = 0): Reply<never> {
  return answer(['{"jsonrpc":"2.0","id":', id, ',', ...member, '}'], upstreamMs);
}

function callTool(
  mcp: EnforcedMcp,
  call: Asking & { readonly body: Static<typeof toolCallSchema> },
): Promise<Reply<never>> {
  const { body, json: sent } = call;
  const key = idempotencyKey(call.headers['idempotency-key']);
  const streams = key === null && takesStream(call.headers.accept);
  const params = toolParams(body.name, sent?.present('arguments'), streams ? progressMeta : undefined);
  const request: McpCall = { ...requestOf(body, sent), method: 'tools/call', params };
  const run = async (caller: Parameters<EnforcedMcp['call']>[0]) => {
    try {
      const found = await (key === null ? mcp.call(caller, request) : mcp.callOnce(caller, request, key));
      if (found.kind === 'input') return answer(['{', ...inputFields(found), '}'], found.upstreamMs);
      return answer(toolResult(resultIn(found.reply)), found.upstreamMs);
    } catch (error) {
      throw inWords('Tool call failed', error);
    }
  };
  const caller = callerOf(call);
  return streams ? streamToolCall((onNotification) => run({ ...caller, onNotification })) : run(caller);
}

function answer(body: JsonParts, upstreamMs: number): Reply<never> {
  return { status: 200, body, timings: [['upstream', upstreamMs]] };
}

function inputFields(needed: Extract<McpAnswer, { kind: 'input' }>): JsonParts {
  const { approval, inputRequests, continuation } = needed;
  if (approval !== undefined) {
    const { id, expiresAt, url } = approval;
    const shown = { id, expires_at: isoTime(expiresAt), url };
    return [JSON.stringify({ status: 'input_required', approval: shown, continuation }).slice(1, -1)];
  }
  return [
    '"status":"input_required","input_requests":',
    ...inputRequests,
    `,"continuation":${JSON.stringify(continuation)}`,
  ];
}

function inputMembers(found: Extract<McpAnswer, { kind: 'input' }>): JsonParts {
  return [
    ...inputFields(found),
    ',"result":{"resultType":"input_required","inputRequests":',
    ...found.inputRequests,
    '}',
  ];
}

function callerOf({ caller, user, headers, signal, recheck }: Asking) {
  const { developerId, developer, keyId, client, groups } = caller;
  const account = accountIn(headers, user);
  return { developerId, developer, keyId, client, groups, userId: user?.userId, account, signal, recheck };
}

function requestOf(
  body: { readonly server_id: string; readonly query_log_id?: string; readonly continuation?: string },
  sent: JsonView | undefined,
): Omit<McpCall, 'method'> {
  const inputResponses = responsesIn(sent?.present('input_responses'));
  if (inputResponses === undefined)
    throw new Problem(
      'invalid_request',
      'input_responses: expected an object with an object for each question',
    );
  return {
    serverId: body.server_id,
    queryLogId: body.query_log_id ?? null,
    continuation: body.continuation,
    inputResponses,
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
    // JSON-RPC 2.0, section 5.1: invalid method parameters.
    isCallersFault: error instanceof RpcFailure && error.code === invalidParams,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}
