import type { Outbound, OutboundCall } from '../../outbound/outbound.ts';
import type { Credential, Limits } from '../mcp-model.ts';
import type { RpcMessage } from '../messages/rpc-message.ts';
import { askIn } from '../messages/server-request.ts';
import { createEvents, isStream } from './streamable-http.ts';

/** The stream beside the calls on which a server with sessions may ask, too (2025-11-25, "Listening for Messages from the Server"). */
export type Standing = {
  /** Open when it settles, or known not to be offered; a server that is slow about it is not waited for. */
  open(): Promise<void>;
  /** Hears the server's requests until the answer is called; with several at once, the one that came last. */
  join(hear: (message: RpcMessage) => void): () => void;
  close(): void;
};

/** Opening the stream takes about as long as the handshake took, a new connection and its TLS included; a busy machine may take several times that. */
const patienceFactor = 4;
/** At least and at most so long: a server that says nothing before its first question holds up one call a session. */
const patienceLeastMs = 1_000;
const patienceMostMs = 10_000;

/** How long a call waits for this stream, which most servers never use, but on which a question is lost while it is not there. */
export function patienceWith(handshakeMs: number): number {
  return Math.min(patienceMostMs, patienceLeastMs + patienceFactor * handshakeMs);
}

export function createStanding(deps: {
  readonly outbound: Outbound;
  readonly url: string;
  readonly credential: Credential;
  readonly limits: Limits;
  readonly headers: Readonly<Record<string, string>>;
  readonly respond: (text: string) => Promise<void>;
  /** A call waits no longer than this for the server to open the stream. */
  readonly patienceMs: number;
}): Standing {
  const { outbound, url, credential, limits, headers, respond, patienceMs } = deps;
  const listening = new Set<(message: RpcMessage) => void>();
  let opening: Promise<void> | undefined;
  let stream: OutboundCall | undefined;

  const hear = (message: RpcMessage) => {
    if (message.method === undefined || message.id === undefined) return;
    // What a server asks as soon as it knows us is about no call; there are none to show.
    if (message.method === 'roots/list')
      return send(JSON.stringify({ jsonrpc: '2.0', id: message.id, result: { roots: [] } }));
    const last = [...listening].at(-1);
    if (last !== undefined) last(message);
    else if (askIn(message, send) !== null) send(nobodyAsked(message.id));
  };
  const send = (text: string) => void respond(text).catch(() => undefined);

  const start = (): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    // What has come meanwhile is read first: a process that was held up itself has no reason to be impatient.
    const patience = setTimeout(() => setImmediate(resolve), patienceMs);
    const settle = () => {
      clearTimeout(patience);
      resolve();
    };
    const events = createEvents(hear);
    let sinceEvent = 0;
    stream = outbound.stream(
      {
        method: 'GET',
        url,
        headers: { accept: 'text/event-stream', ...headers, ...credential.fields('GET', url) },
        firstByteMs: limits.firstByteMs,
        idleMs: 0,
        timeoutMs: 0,
        maxBytes: Number.MAX_SAFE_INTEGER,
      },
      {
        head(status, fields) {
          if (status !== 200 || !isStream(fields)) stream?.cancel();
          settle();
        },
        data(chunk) {
          sinceEvent = chunk.includes('\n\n') ? 0 : sinceEvent + chunk.length;
          events.feed(chunk);
          return sinceEvent > limits.maxBytes;
        },
        // Once per session: a server that has no such stream, or ends it, wants nothing to do with it.
        end: settle,
      },
    );
    return promise;
  };

  return {
    open() {
      opening ??= Promise.resolve()
        .then(start)
        .catch(() => undefined);
      return opening;
    },
    join(ear) {
      listening.add(ear);
      return () => void listening.delete(ear);
    },
    close: () => stream?.cancel(),
  };
}

function nobodyAsked(id: RpcMessage['id']): string {
  const error = { code: -32603, message: 'No call is under way that this could be about' };
  return JSON.stringify({ jsonrpc: '2.0', id, error });
}
