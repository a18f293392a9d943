import type { JsonView } from '../../base/json-scanner.ts';
import { joinJson } from '../../base/json-splice.ts';
import type { OnNotification, RpcRequest, SendOptions } from '../mcp-model.ts';
import {
  cancelled,
  initializedMessage,
  initializeFor,
  newestCommon,
  supportedVersions,
} from '../messages/handshake.ts';
import { sessionRevision } from '../messages/rpc-message.ts';
import { sessionRequest } from '../messages/rpc-request.ts';
import type { Endpoint, Posted, Poster } from '../transports/post.ts';
import { createServerStream, patienceAfter, type ServerStream } from '../transports/server-stream.ts';

/** A session of the revisions with a handshake, over Streamable HTTP. */
export type UpstreamSession = {
  /** Some servers have none: every request stands alone, and nothing can be lost. */
  readonly hasId: boolean;
  /** What the server said of itself in the handshake. */
  readonly introduction: JsonView;
  send(request: RpcRequest, options: SendOptions): Promise<Posted>;
  /** Somebody wants to hear what the server tells beside the calls. */
  listen(): void;
  close(): void;
};

type Headers = Readonly<Record<string, string>>;
const endTimeoutMs = 2_000;

/** The handshake. When the server has no such thing, what it answered instead. */
export async function openSession(
  post: Poster,
  endpoint: Endpoint,
  on: {
    readonly now: () => number;
    readonly onNotification: OnNotification;
    readonly revision: string | null;
  },
): Promise<UpstreamSession | Posted> {
  const began = on.now();
  const say = (request: RpcRequest) =>
    post({ id: 1, body: joinJson(sessionRequest(1, request)), headers: {} });
  let hello = await say(initializeFor(on.revision ?? sessionRevision));
  // 2025-03-26 and later: a server that does not know our revision may name its own.
  const common = newestCommon(supportedVersions(hello.result));
  if (common !== undefined) hello = await say(initializeFor(common));
  const introduction = introductionIn(hello);
  if (introduction === null) return hello;

  const headers = sessionHeaders(hello, introduction);
  const respond = async (message: Buffer | string) => {
    await post({ id: null, body: message, headers });
  };
  await respond(initializedMessage);
  const hasId = headers['mcp-session-id'] !== undefined;
  const stream = hasId
    ? createServerStream({
        endpoint,
        headers,
        respond,
        onNotification: on.onNotification,
        patienceMs: patienceAfter(on.now() - began),
      })
    : null;
  return {
    hasId,
    introduction,
    send: createSend({ post, headers, respond, stream }),
    listen: () => void stream?.open(),
    close() {
      stream?.close();
      if (hasId) endSession(endpoint, headers);
    },
  };
}

function introductionIn({ status, result }: Posted): JsonView | null {
  return status < 300 && result?.kind === 'reply' && 'result' in result.reply ? result.reply.result : null;
}

function createSend(session: {
  readonly post: Poster;
  readonly headers: Headers;
  readonly respond: (message: Buffer) => Promise<void>;
  readonly stream: ServerStream | null;
}): UpstreamSession['send'] {
  const { post, headers, respond, stream } = session;
  let lastId = 1;
  return (request, { signal, onNotification }) => {
    const id = ++lastId;
    const mayAsk = stream !== null && request.method === 'tools/call';
    const tells = request.method === 'resources/subscribe';
    const send = () =>
      post({
        id,
        body: joinJson(sessionRequest(id, request)),
        headers,
        signal,
        respond,
        // In these revisions a closed stream is no cancellation: it has to be said.
        onAbandoned: () => void respond(cancelled(id)).catch(() => undefined),
        onNotification,
        subscribe: mayAsk ? stream.subscribe : undefined,
      });
    return stream !== null && (mayAsk || tells) ? stream.open().then(send) : send();
  };
}

function sessionHeaders(hello: Posted, introduction: JsonView): Headers {
  const id = hello.headers['mcp-session-id'];
  const version = introduction.present('protocolVersion')?.string() ?? '';
  return {
    // Lenient: one that names no version gets the one we offered.
    'mcp-protocol-version': /^[\x21-\x7e]{1,100}$/.test(version) ? version : sessionRevision,
    ...(typeof id === 'string' && /^[\x21-\x7e]{1,2000}$/.test(id) ? { 'mcp-session-id': id } : {}),
  };
}

function endSession({ outbound, credential, url }: Endpoint, headers: Headers): void {
  outbound
    .request({
      method: 'DELETE',
      url,
      headers: { ...headers, ...credential.fields('DELETE', url) },
      timeoutMs: endTimeoutMs,
    })
    .catch(() => undefined);
}
