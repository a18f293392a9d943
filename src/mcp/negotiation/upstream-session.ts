import type { Json, RpcReply, RpcRequest, SendOptions } from '../mcp-model.ts';
import { clientCapabilities, clientInfo, requestText, sessionRevision } from '../messages/rpc-message.ts';
import type { Standing } from '../transports/server-stream.ts';
import type { Posted, Poster } from '../transports/streamable-http.ts';

/** A session of the revisions with a handshake, over Streamable HTTP. */
export type Session = {
  /** Some servers have none: every request stands alone, and nothing can be lost. */
  readonly hasId: boolean;
  /** What the server said of itself in the handshake. */
  readonly hello: Json;
  send(request: RpcRequest, options: SendOptions): Promise<Posted>;
  close(): void;
};

export const initializeRequest: RpcRequest = {
  method: 'initialize',
  params: { protocolVersion: sessionRevision, capabilities: clientCapabilities, clientInfo },
};
export const initializedText = '{"jsonrpc":"2.0","method":"notifications/initialized"}';

/** The handshake. When the server has no such thing, what it answered instead. */
export async function openSession(
  post: Poster,
  wire: {
    /** Says goodbye. */
    readonly end: (headers: Readonly<Record<string, string>>) => void;
    /** The stream for questions beside the calls. */
    readonly standing: (
      headers: Readonly<Record<string, string>>,
      respond: (text: string) => Promise<void>,
    ) => Standing;
  },
  signal?: AbortSignal,
): Promise<Session | Posted> {
  let lastId = 1;
  const hello = await post({ id: 1, text: requestText(1, initializeRequest), headers: {}, signal });
  if (hello.step?.kind !== 'reply' || !('result' in hello.step.reply) || hello.status >= 300) return hello;
  const { protocolVersion } = hello.step.reply.result;
  const headers = sessionHeaders(hello, protocolVersion);
  const respond = async (text: string) => {
    await post({ id: null, text, headers });
  };
  await respond(initializedText);
  const hasId = headers['mcp-session-id'] !== undefined;
  const standing = hasId ? wire.standing(headers, respond) : null;

  return {
    hasId,
    hello: hello.step.reply.result,
    send(request, { signal: caller, notice }) {
      const id = ++lastId;
      const mayAsk = standing !== null && request.method === 'tools/call';
      const send = () =>
        post({
          id,
          text: requestText(id, request),
          headers,
          signal: caller,
          respond,
          // In these revisions a closed stream is no cancellation: it has to be said.
          giveUp: () => void respond(cancelledText(id)).catch(() => undefined),
          notice,
          join: mayAsk ? standing.join : undefined,
        });
      return mayAsk ? standing.open().then(send) : send();
    },
    close() {
      standing?.close();
      if (hasId) wire.end(headers);
    },
  };
}

function sessionHeaders(hello: Posted, protocolVersion: unknown): Record<string, string> {
  const id = hello.headers['mcp-session-id'];
  return {
    // Lenient: one that names no version gets the one we offered.
    'mcp-protocol-version':
      typeof protocolVersion === 'string' && /^[\x21-\x7e]{1,100}$/.test(protocolVersion)
        ? protocolVersion
        : sessionRevision,
    ...(typeof id === 'string' && /^[\x21-\x7e]{1,2000}$/.test(id) ? { 'mcp-session-id': id } : {}),
  };
}

export function cancelledText(id: number): string {
  return JSON.stringify({
    jsonrpc: '2.0',
    method: 'notifications/cancelled',
    params: { requestId: id, reason: 'the caller went away or the time is over' },
  });
}

/** A handshake in the words of `server/discover`, so that callers can ask servers of every age the same. */
export function discovered({ protocolVersion, capabilities, serverInfo, instructions }: Json): RpcReply {
  return {
    result: {
      supportedVersions: [protocolVersion],
      capabilities: capabilities ?? {},
      serverInfo: serverInfo ?? {},
      ...(instructions === undefined ? {} : { instructions }),
    },
  };
}
