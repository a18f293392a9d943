import { isObject } from '../../base/json.ts';
import type { Json, RpcError, RpcReply, RpcRequest } from '../mcp-model.ts';
import { UpstreamFailure } from '../mcp-model.ts';

/** Building requests and reading replies: JSON-RPC 2.0 as MCP uses it, of either era. */

export const modernRevision = '2026-07-28';
export const discoverMethod = 'server/discover';
/** The newest revision with a handshake. */
export const sessionRevision = '2025-11-25';
export const clientInfo = { name: 'mcprank', version: '1' };
/** What our callers can answer by way of `input_required`. */
export const clientCapabilities = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };

/** Codes only a server of the 2026-07-28 revision gives: header mismatch, missing capability, unsupported version. */
const modernCodes = new Set([-32020, -32021, -32022]);
/** 2025-11-25: the user has to open links before the call can be made. */
const urlElicitationRequired = -32042;
/** Names whose second label is `modelcontextprotocol` or `mcp` are the protocol's own, never the caller's; all but which task a message is about (2025-11-25, "Tasks"). */
const reservedName =
  /^(?!io\.modelcontextprotocol\/related-task$)[a-z][a-z0-9-]*\.(modelcontextprotocol|mcp)(\.[a-z0-9.-]*)?\//i;

export type RpcMessage = {
  readonly id?: string | number | null;
  readonly method?: string;
  readonly params?: Json;
  readonly result?: Json;
  readonly error?: RpcError;
};

const modernMeta = {
  'io.modelcontextprotocol/protocolVersion': modernRevision,
  'io.modelcontextprotocol/clientInfo': clientInfo,
  'io.modelcontextprotocol/clientCapabilities': clientCapabilities,
};
const modernMetaText = JSON.stringify(modernMeta);

export function requestText(id: number, { method, params }: RpcRequest): string {
  const own = params === undefined ? '' : `,"params":${JSON.stringify(withoutReserved(params))}`;
  return `{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)}${own}}`;
}

/** The same with the metadata that the 2026-07-28 revision wants in every request. */
export function modernRequestText(id: number, { method, params = {} }: RpcRequest): string {
  const { _meta, ...rest } = withoutReserved(params);
  const own = JSON.stringify(rest).slice(1, -1);
  const meta = isObject(_meta) ? JSON.stringify({ ..._meta, ...modernMeta }) : modernMetaText;
  return `{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)},"params":{${own}${own === '' ? '' : ','}"_meta":${meta}}}`;
}

/** Both ways: what the protocol itself says in `_meta` is between neighbours and goes no further. */
export function withoutReserved(fields: Json): Json {
  if (!isObject(fields._meta)) return fields;
  const kept = Object.entries(fields._meta).filter(([name]) => !reservedName.test(name));
  const { _meta, ...rest } = fields;
  return kept.length === 0 ? rest : { ...rest, _meta: Object.fromEntries(kept) };
}

/** JSON from an upstream; anything that is no JSON-RPC message is a protocol failure. */
export function parseMessages(text: string): RpcMessage[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw notMcp('what it sent is not JSON', cause);
  }
  // 2025-03-26 allowed several in one array.
  const messages = Array.isArray(value) ? value : [value];
  if (!messages.every(isObject)) throw notMcp('what it sent is not JSON-RPC');
  return messages as RpcMessage[];
}

/** The reply in a message, null when it is something else. A reply with both or neither of result and error is none. */
export function replyIn(message: RpcMessage): RpcReply | null {
  if (message.method !== undefined) return null;
  if (message.error !== undefined && message.result === undefined) return { error: readError(message.error) };
  if (isObject(message.result) && message.error === undefined)
    return { result: withoutReserved(message.result) };
  throw notMcp('its answer has neither a result nor an error');
}

function readError(value: unknown): RpcError {
  const error = isObject(value) ? value : {};
  if (typeof error.code !== 'number' || !Number.isInteger(error.code)) throw notMcp('its error has no code');
  if (error.code === urlElicitationRequired && !linksIn(error.data).every(isWebPage)) throw notAPage();
  return {
    code: error.code,
    message: typeof error.message === 'string' ? error.message : '',
    ...(error.data === undefined ? {} : { data: error.data }),
  };
}

function linksIn(data: unknown): unknown[] {
  const { elicitations } = (data ?? {}) as { elicitations?: unknown };
  return Array.isArray(elicitations) ? elicitations.map((each: { url?: unknown } | null) => each?.url) : [];
}

/** A link that a user shall open is a page of the web, or is not passed on (threats N10). */
export function isWebPage(link: unknown): boolean {
  const url = URL.parse(String(link));
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '';
}

export function notAPage(): UpstreamFailure {
  return new UpstreamFailure('protocol', 'The server wants the user to open something that is no web page');
}

export function isModernError(reply: RpcReply): boolean {
  return 'error' in reply && modernCodes.has(reply.error.code);
}

/** A result that only the 2026-07-28 revision writes. */
export function isModernResult(reply: RpcReply): boolean {
  return 'result' in reply && typeof reply.result.resultType === 'string';
}

export function notMcp(why: string, cause?: unknown): UpstreamFailure {
  return new UpstreamFailure('protocol', `The server does not speak MCP: ${why}`, { cause });
}
