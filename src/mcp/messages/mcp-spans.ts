/**
 * MCP requests as spans: OpenTelemetry's semantic conventions for MCP and GenAI, semantic-conventions-genai 0.1.0
 * (docs/gen-ai/mcp.md). Arguments, results and session ids are not told: the last would let a reader of traces into a session.
 */
import { type JsonView, membersOf } from '../../base/json-scanner.ts';
import { changeMembers, type JsonParts, joinJson } from '../../base/json-splice.ts';
import { inSpan, type Span, type TraceFields, type Tracing } from '../../base/tracing.ts';
import type { RpcParams, RpcReply } from '../mcp-model.ts';
import { type RpcMessage, readMessages } from './rpc-message.ts';
import { withMeta } from './rpc-request.ts';

export type SpannedRequest = {
  readonly method: string;
  /** Of the tool or prompt. */
  readonly name?: string | undefined;
  readonly id?: JsonView | undefined;
  readonly serverId?: string | null | undefined;
  /** Where the request's own context comes from. */
  readonly meta?: JsonView | undefined;
};

/** Callers may name what there is not, at any length. */
const nameLength = 200;

/** Serves or sends a request in a span of its own. */
export function inMcpSpan<T>(
  tracing: Tracing,
  kind: 'client' | 'server',
  { id, serverId, meta, ...asked }: SpannedRequest,
  work: (span: Span) => T,
): T {
  if (!tracing.isOn) return inSpan(tracing, asked.method, {}, work);
  const method = asked.method.slice(0, nameLength);
  const name = asked.name?.slice(0, nameLength);
  const isTool = method === 'tools/call';
  const target = isTool || method === 'prompts/get' ? name : undefined;
  const options = {
    kind,
    metric: `mcp.${kind}.operation.duration`,
    ...(kind === 'server' && { parent: traceFieldsIn(meta) }),
    attributes: {
      'mcp.method.name': method,
      'gen_ai.operation.name': isTool ? 'execute_tool' : undefined,
      'gen_ai.tool.name': isTool ? name : undefined,
      'gen_ai.prompt.name': method === 'prompts/get' ? name : undefined,
      'jsonrpc.request.id': (id?.string() ?? id?.text())?.slice(0, nameLength),
      'mcprank.server.id': serverId ?? undefined,
    },
  };
  return inSpan(tracing, target === undefined ? method : `${method} ${target}`, options, work);
}

/** How it ended: a code of JSON-RPC, or `tool_error` where the tool said that it failed. */
export function tellOutcome(span: Span, reply: RpcReply): void {
  if ('error' in reply) tellError(span, reply.error.code);
  else if (reply.result.get('isError')?.text() === 'true') span.fail('tool_error');
}

export function tellError(span: Span, code: number): void {
  span.set({ 'rpc.response.status_code': String(code) });
  span.fail(String(code));
}

/** `traceparent` and `tracestate` stand in `_meta` without a prefix (SEP-414). */
function traceFieldsIn(meta: JsonView | undefined): TraceFields {
  const fields: Record<string, string> = {};
  if (meta?.kind !== 'object') return fields;
  for (const { name, value } of membersOf(meta)) {
    const text = name === 'traceparent' || name === 'tracestate' ? value.string() : undefined;
    if (text !== undefined) fields[name] = text;
  }
  return fields;
}

/** The params with the context of what is under way in `_meta`, in place of the caller's own. */
export function withTraceContext(tracing: Tracing, params: RpcParams): RpcParams {
  const changes = changesOf(tracing.fields());
  return changes === null ? params : withMeta(params, changes);
}

/** The same for a message that is passed on as it came. */
export function tracedMessage(tracing: Tracing, message: RpcMessage): RpcMessage {
  const changes = changesOf(tracing.fields());
  if (changes === null) return message;
  const { view, params } = message;
  const own = changeMembers(params, { _meta: changeMembers(params?.present('_meta'), changes) });
  const [traced = message] = readMessages(joinJson(changeMembers(view, { params: own })));
  return traced;
}

function changesOf(fields: TraceFields): Record<string, JsonParts> | null {
  const entries = Object.entries(fields);
  if (entries.length === 0) return null;
  return Object.fromEntries(entries.map(([name, value]) => [name, [JSON.stringify(value)]]));
}
