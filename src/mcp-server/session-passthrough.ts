import type { JsonView } from '../base/json-scanner.ts';
import { type Caller, type Mcp, type SessionReply, type SessionRequest, toMessage } from '../mcp/mcp.ts';
import type { Decision } from './client-request.ts';
import type { McpHttpRequest } from './door-request.ts';
import type { McpHttpReply } from './streams/answer.ts';
import { relayStream, streamHeaders, streamType } from './streams/event-stream.ts';

const sessionHeader = 'mcp-session-id';

/**
 * A client's request in a session of its own with the server behind us, or the one that begins it. null: it belongs to no
 * such session, and the server begins none.
 */
export async function relayToSession(
  mcp: Pick<Mcp, 'relay'>,
  asked: {
    readonly request: McpHttpRequest;
    readonly caller: Caller;
    readonly view: JsonView | undefined;
    readonly decision: Decision;
    readonly serverId: string;
  },
): Promise<McpHttpReply | null> {
  const request = sessionRequest(asked);
  if (request === null) return null;
  const reply = await mcp.relay(asked.caller, request);
  return reply === null ? null : toHttpReply(reply, request.method);
}

function sessionRequest({
  request: { method, headers },
  view,
  decision,
  serverId,
}: Parameters<typeof relayToSession>[1]): SessionRequest | null {
  const session = headers[sessionHeader];
  const isInitialize = decision.kind === 'initialize';
  if (session === undefined && !isInitialize) return null;
  const about = {
    serverId,
    session: isInitialize || session === undefined ? null : session,
    accept: headers.accept ?? '*/*',
    revision: headers['mcp-protocol-version'] ?? null,
  };
  if (method === 'GET') return { ...about, method, lastEventId: headers['last-event-id'] ?? null };
  if (method === 'DELETE') return { ...about, method };
  return view === undefined ? null : { ...about, method, message: toMessage(view) };
}

function toHttpReply({ status, session, body }: SessionReply, method: string): McpHttpReply {
  const given = session === undefined ? {} : { [sessionHeader]: session };
  if (body === null || Buffer.isBuffer(body)) return { status, headers: given, body };
  // Nothing comes after a stream that stays open; a stop would wait for what might.
  const headers = { ...streamHeaders, ...(method === 'GET' ? { connection: 'close' } : {}), ...given };
  return { status, contentType: streamType, headers, body: relayStream(body) };
}
