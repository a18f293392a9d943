import { JsonFault, type JsonView, scanJson } from '../base/json-scanner.ts';
import { isLarge, scanLarge } from '../base/large-json.ts';
import { decodeHeader, messageShape, type RpcError, rpcError } from '../mcp/mcp.ts';

/**
 * What a client of `/mcp` wants, decided from one HTTP request and nothing else: no sockets, timers or state, so that it can
 * be read as a table and fuzzed. Both ages come to one door: a request that claims a revision in its `_meta` is of
 * 2026-07-28, everything else is of the revisions with a handshake.
 */
export type ClientRequest = {
  readonly httpMethod: 'POST' | 'GET' | 'DELETE';
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The one message of a POST. */
  readonly message: JsonView | undefined;
};

/** Which age's words to answer in. */
export type Age = 'modern' | 'session';

export type Decision =
  | {
      readonly kind: 'refuse';
      readonly status: number;
      readonly error: RpcError;
      readonly id: JsonView | undefined;
    }
  /** A request of either age. */
  | {
      readonly kind: 'request';
      readonly age: Age;
      readonly method: string;
      readonly id: JsonView;
      readonly params: JsonView | undefined;
    }
  | { readonly kind: 'initialize'; readonly id: JsonView; readonly params: JsonView | undefined }
  /** A notification: taken note of, never answered. */
  | { readonly kind: 'notification'; readonly method: string; readonly params: JsonView | undefined }
  /** The answer to a question of ours. */
  | { readonly kind: 'response'; readonly id: JsonView; readonly message: JsonView }
  /** The GET stream of a session, and its end. */
  | { readonly kind: 'listen' | 'end-session' };

const modernRevision = '2026-07-28';
const metaPrefix = 'io.modelcontextprotocol/';
const versionKey = `${metaPrefix}protocolVersion`;
const capabilitiesKey = `${metaPrefix}clientCapabilities`;
export const subscriptionKey = `${metaPrefix}subscriptionId`;

/** The members of a client's message that are read. */
const clientShape = {
  ...messageShape,
  params: {
    ...messageShape.params,
    notifications: true,
    taskId: true,
    protocolVersion: true,
    capabilities: true,
    level: true,
    _meta: { [versionKey]: true, [capabilitiesKey]: true, progressToken: true },
  },
} as const;

const parseError = -32700;
const invalidRequest = -32600;
const invalidParams = -32602;
const headerMismatch = -32020;
const unsupportedVersion = -32022;

export function decide(request: ClientRequest): Decision {
  if (request.httpMethod !== 'POST') return { kind: request.httpMethod === 'GET' ? 'listen' : 'end-session' };
  const { message } = request;
  if (message?.kind !== 'object') return refuse(400, invalidRequest, notOneMessage);
  const id = message.present('id');
  const method = message.get('method')?.string();
  const params = message.present('params');
  if (message.get('jsonrpc')?.string() !== '2.0')
    return refuse(400, invalidRequest, 'jsonrpc: expected "2.0"', id);
  if (method === undefined) return decideResponse(message, id);
  if (method === '' || method.length > 200)
    return refuse(400, invalidRequest, 'method: expected 1 to 200 characters', id);
  if (id !== undefined && id.kind !== 'string' && id.kind !== 'number')
    return refuse(400, invalidRequest, 'id: expected a string or a number');
  if (params !== undefined && params.kind !== 'object')
    return refuse(400, invalidParams, 'params: expected an object', id);
  if (id === undefined) {
    if (message.get('id') !== undefined)
      return refuse(400, invalidRequest, 'id: expected a string or a number');
    return { kind: 'notification', method, params };
  }
  return decideRequest(request, { method, id, params });
}

const notOneMessage = 'expected one JSON-RPC message (batches went with the revision 2025-06-18)';

function decideResponse(message: JsonView, id: JsonView | undefined): Decision {
  const isResponse = message.get('result') !== undefined || message.get('error') !== undefined;
  if (!isResponse || id === undefined)
    return refuse(400, invalidRequest, 'method: required in a request', id);
  return { kind: 'response', id, message };
}

type Asked = { readonly method: string; readonly id: JsonView; readonly params: JsonView | undefined };

function decideRequest({ headers }: ClientRequest, asked: Asked): Decision {
  const { method, id, params } = asked;
  const meta = params?.present('_meta');
  const claimed = meta?.get(versionKey);
  const named = headers['mcp-protocol-version'];
  if (claimed === undefined) {
    if (named !== modernRevision)
      return method === 'initialize'
        ? { kind: 'initialize', id, params }
        : { kind: 'request', age: 'session', ...asked };
    if (method === 'initialize')
      return mismatch(id, named, 'an initialize request has no place in the revision that the header names');
    return refuse(
      400,
      invalidParams,
      `params._meta: ${versionKey} is required with MCP-Protocol-Version ${named}`,
      id,
    );
  }
  const fault = envelopeFault(meta) ?? standardHeaderFault(asked, headers, claimed.string() ?? '');
  if (fault !== undefined) return { ...fault, id };
  return { kind: 'request', age: 'modern', ...asked };
}

type Refusal = Extract<Decision, { kind: 'refuse' }>;

/** 2026-07-28, "Per-request metadata": revision and capabilities are required. */
function envelopeFault(meta: JsonView | undefined): Refusal | undefined {
  const version = meta?.get(versionKey)?.string();
  if (version === undefined) return refuse(400, invalidParams, `${versionKey}: expected a text`);
  if (meta?.get(capabilitiesKey)?.kind !== 'object')
    return refuse(400, invalidParams, `${capabilitiesKey}: expected an object`);
  return undefined;
}

/** What `Mcp-Name` has to repeat, by method. */
const namedBy: Readonly<Record<string, 'name' | 'uri' | 'taskId'>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
  'tasks/get': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
};

/** 2026-07-28, "Standard request headers": what stands between reads the headers, so they have to agree with the body. */
function standardHeaderFault(
  { method, params }: Asked,
  headers: ClientRequest['headers'],
  version: string,
): Refusal | undefined {
  const named = headers['mcp-protocol-version'];
  if (named !== undefined && named !== version)
    return mismatch(undefined, named, `the body names protocol version ${version}`);
  const methodHeader = headers['mcp-method'];
  if (methodHeader !== undefined && methodHeader !== method)
    return mismatch(undefined, methodHeader, `the body names method ${method}`);
  if (version !== modernRevision) {
    const data = { supported: [modernRevision], requested: version };
    return {
      kind: 'refuse',
      status: 400,
      error: rpcError(unsupportedVersion, 'Unsupported protocol version', data),
      id: undefined,
    };
  }
  if (named === undefined) return mismatch(undefined, '(missing)', 'MCP-Protocol-Version is required');
  if (methodHeader === undefined) return mismatch(undefined, '(missing)', 'Mcp-Method is required');
  return nameFault(method, params, headers['mcp-name']?.trim());
}

function nameFault(
  method: string,
  params: JsonView | undefined,
  given: string | undefined,
): Refusal | undefined {
  const field = Object.hasOwn(namedBy, method) ? namedBy[method] : undefined;
  const value = field === undefined ? undefined : params?.get(field)?.string();
  if (field === undefined || (given === undefined && value === undefined)) return undefined;
  if (given === undefined)
    return mismatch(undefined, '(missing)', `Mcp-Name is required with params.${field}`);
  const decoded = decodeHeader(given);
  if (decoded === undefined) return mismatch(undefined, given, 'Mcp-Name is not valid Base64');
  if (value !== undefined && decoded !== value)
    return mismatch(undefined, given, `the body has another params.${field}`);
  return undefined;
}

function mismatch(id: JsonView | undefined, header: string, body: string): Refusal {
  const message = `Bad Request: the request headers and body disagree: ${body}`;
  return {
    kind: 'refuse',
    status: 400,
    error: rpcError(headerMismatch, message, { mismatch: { header, body } }),
    id,
  };
}

/** An id is said again where it is one: a text or a number (JSON-RPC 2.0 section 4). */
function refuse(status: number, code: number, message: string, id?: JsonView): Refusal {
  const said = id?.kind === 'string' || id?.kind === 'number' ? id : undefined;
  return { kind: 'refuse', status, error: rpcError(code, message), id: said };
}

/** The body is no JSON, or says something twice that we read. */
function refuseBody(fault: 'syntax' | 'utf8' | 'depth' | 'duplicate', words: string): Refusal {
  const isParse = fault === 'syntax' || fault === 'utf8';
  return refuse(400, isParse ? parseError : invalidRequest, isParse ? `Parse error: ${words}` : words);
}

/** The capabilities that a request of 2026-07-28 declares. */
export function declaredCapabilities(params: JsonView | undefined): JsonView | undefined {
  return params?.present('_meta')?.present(capabilitiesKey);
}

type Read = JsonView | Extract<Decision, { kind: 'refuse' }> | undefined;

/** The message of a POST, or why there is none. A large body is given away: that of the message takes its place. */
export function readMessage({
  method,
  body = Buffer.alloc(0),
}: {
  readonly method: string;
  readonly body: Buffer | undefined;
}): Read | Promise<Read> {
  if (method !== 'POST') return undefined;
  if (isLarge(body)) return scanLarge(body, clientShape).catch(refuseFault);
  try {
    return scanJson(body, clientShape);
  } catch (error) {
    return refuseFault(error);
  }
}

function refuseFault(error: unknown): Extract<Decision, { kind: 'refuse' }> {
  if (!(error instanceof JsonFault)) throw error;
  const { reason, member } = error;
  return refuseBody(reason, reason === 'duplicate' ? `${member}: sent twice` : wordsFor(reason));
}

function wordsFor(reason: JsonFault['reason']): string {
  if (reason === 'depth') return 'nested deeper than 64 levels';
  return reason === 'utf8' ? 'the body is not UTF-8' : 'the body is not JSON';
}
