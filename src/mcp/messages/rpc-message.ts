import {
  itemsOf,
  JsonFault,
  type JsonShape,
  type JsonView,
  membersOf,
  scanJson,
} from '../../base/json-scanner.ts';
import { changeMembers, type JsonParts } from '../../base/json-splice.ts';
import { scanLargeItems } from '../../base/large-json.ts';
import { type RpcError, type RpcReply, UpstreamFailure } from '../mcp-model.ts';

/** Reading JSON-RPC 2.0 messages as MCP uses it, of any revision: where the members stand, not what they hold. */

export const modernRevision = '2026-07-28';
/** The newest revision with a handshake, and the older ones that we speak. */
export const sessionRevision = '2025-11-25';
export const sessionRevisions: readonly string[] = [
  sessionRevision,
  '2025-06-18',
  '2025-03-26',
  '2024-11-05',
];
export const discoverMethod = 'server/discover';

export const paramsShape = {
  name: true,
  uri: true,
  arguments: true,
  url: true,
  requestId: true,
  progressToken: true,
  inputResponses: true,
  requestState: true,
  _meta: true,
} as const satisfies JsonShape;

const resultShape = {
  content: true,
  structuredContent: true,
  isError: true,
  resultType: true,
  tools: true,
  nextCursor: true,
  ttlMs: true,
  cacheScope: true,
  inputRequests: true,
  requestState: true,
  supportedVersions: true,
  protocolVersion: true,
  capabilities: {
    tools: { listChanged: true },
    prompts: { listChanged: true },
    resources: { listChanged: true, subscribe: true },
  },
  serverInfo: true,
  instructions: true,
  _meta: { 'io.modelcontextprotocol/serverInfo': true },
} as const satisfies JsonShape;

/** What is read of a message; no member of these may stand twice. */
export const messageShape = {
  jsonrpc: true,
  id: true,
  method: true,
  params: paramsShape,
  result: resultShape,
  error: { code: true, message: true, data: { supported: true, elicitations: true } },
} as const satisfies JsonShape;

/** One message; a member that is null is absent. */
export type RpcMessage = {
  readonly view: JsonView;
  readonly id: JsonView | undefined;
  readonly method: string | undefined;
  readonly params: JsonView | undefined;
  readonly result: JsonView | undefined;
  readonly error: JsonView | undefined;
};

export function toMessage(view: JsonView): RpcMessage {
  return {
    view,
    id: view.present('id'),
    method: view.get('method')?.string(),
    params: view.present('params'),
    result: view.present('result'),
    error: view.present('error'),
  };
}

/** JSON from an upstream; anything that is no JSON-RPC message is a protocol failure. */
export function readMessages(bytes: Buffer): readonly RpcMessage[] {
  try {
    const view = scanJson(bytes, messageShape);
    // 2025-03-26 allowed several in one array.
    return toMessages(view.kind === 'array' ? itemsOf(view, messageShape) : [view]);
  } catch (cause) {
    throw asNotMcp(cause);
  }
}

/** The same for what is large, which is given away (`base/large-json.ts`). */
export async function readLargeMessages(bytes: Buffer): Promise<readonly RpcMessage[]> {
  try {
    return toMessages(await scanLargeItems(bytes, messageShape));
  } catch (cause) {
    throw asNotMcp(cause);
  }
}

function toMessages(views: readonly JsonView[]): readonly RpcMessage[] {
  if (!views.every(({ kind }) => kind === 'object')) throw notMcp('what it sent is not JSON-RPC');
  return views.map(toMessage);
}

function asNotMcp(cause: unknown): unknown {
  if (!(cause instanceof JsonFault)) return cause;
  return notMcp(
    cause.reason === 'duplicate' ? `it says ${cause.member} twice` : 'what it sent is not JSON',
    cause,
  );
}

/** An id as it stands, and the same text for one that came back as text: servers echo 7 as "7", too. */
export function isSameId(id: JsonView | undefined, own: number): boolean {
  return id !== undefined && (id.string() ?? id.text()) === String(own);
}

/** The reply in a message, null when it is something else. A null beside a result or an error says nothing. */
export function replyIn(message: RpcMessage): RpcReply | null {
  const { method, result, error } = message;
  if (method !== undefined) return null;
  if (error !== undefined && result === undefined) return { error: readError(error) };
  if (result?.kind === 'object' && error === undefined) return { result };
  throw notMcp('its answer has neither a result nor an error');
}

/** 2025-11-25: the user has to open links before the call can be made. */
const urlElicitationRequired = -32042;

function readError(view: JsonView): RpcError {
  const code = view.kind === 'object' ? view.get('code')?.value() : undefined;
  if (typeof code !== 'number' || !Number.isInteger(code)) throw notMcp('its error has no code');
  const data = view.present('data');
  if (code === urlElicitationRequired && !linksIn(data).every(isWebPage)) throw notAPage();
  return { code, message: view.get('message')?.string() ?? '', data, text: [view.span()] };
}

/** An error of our own. */
export function rpcError(code: number, message: string, data?: Readonly<Record<string, unknown>>): RpcError {
  return { code, message, data: undefined, text: [JSON.stringify({ code, message, data })] };
}

function linksIn(data: JsonView | undefined): (string | undefined)[] {
  const elicitations = data?.get('elicitations');
  if (elicitations === undefined) return [];
  return itemsOf(elicitations, { url: true }).map((each) => each.get('url')?.string());
}

/** A link that a user shall open is a page of the web, or is not passed on (threats N10). */
export function isWebPage(link: string | undefined): boolean {
  const url = link === undefined ? null : URL.parse(link);
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '';
}

export function notAPage(): UpstreamFailure {
  return new UpstreamFailure('protocol', 'The server wants the user to open something that is no web page');
}

/** Codes only a server of the 2026-07-28 revision gives: header mismatch, missing capability, unsupported version. */
const modernCodes = new Set([-32020, -32021, -32022]);

export function isModernError(reply: RpcReply): boolean {
  return 'error' in reply && modernCodes.has(reply.error.code);
}

/** A result that only the 2026-07-28 revision writes. */
export function isModernResult(reply: RpcReply): boolean {
  return 'result' in reply && reply.result.get('resultType')?.kind === 'string';
}

export function notMcp(why: string, cause?: unknown): UpstreamFailure {
  return new UpstreamFailure('protocol', `The server does not speak MCP: ${why}`, { cause });
}

/** The texts in an array of texts. */
export function textsIn(view: JsonView | undefined): readonly string[] {
  return view === undefined ? [] : itemsOf(view).flatMap((item) => item.string() ?? []);
}

/** Names whose second label is `modelcontextprotocol` or `mcp` are the protocol's own, never the caller's; all but which task a message is about (2025-11-25, "Tasks"). */
const reservedName =
  /^(?!io\.modelcontextprotocol\/related-task$)[a-z][a-z0-9-]*\.(modelcontextprotocol|mcp)(\.[a-z0-9.-]*)?\//i;

export function isReserved(name: string): boolean {
  return reservedName.test(name);
}

/**
 * An object without what the protocol itself says in `_meta`: that is between neighbours and goes no further. `passes`
 * names what may go on all the same. Every other byte stays.
 */
export function withoutReservedMeta(view: JsonView, passes: ReadonlySet<string> = new Set()): JsonParts {
  const meta = keptMeta(view, passes);
  return meta === undefined ? [view.span()] : changeMembers(view, { _meta: meta });
}

/** What `_meta` has to become for that; null: nothing is left of it, undefined: it may stay as it is. */
export function keptMeta(
  view: JsonView,
  passes: ReadonlySet<string> = new Set(),
): JsonParts | null | undefined {
  const meta = view.present('_meta');
  const members = meta === undefined ? [] : membersOf(meta);
  const reserved = members.filter(({ name }) => isReserved(name) && !passes.has(name));
  if (reserved.length === 0) return undefined;
  if (reserved.length === members.length) return null;
  return changeMembers(meta, Object.fromEntries(reserved.map(({ name }) => [name, null])));
}
