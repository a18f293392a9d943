import { SlotList, type Slotted } from '../../base/slot-list.ts';
import type { OutboundCall } from '../../outbound/outbound.ts';
import type { OnNotification } from '../mcp-model.ts';
import type { RpcMessage } from '../messages/rpc-message.ts';
import { questionIn, respondUnasked } from '../messages/server-request.ts';
import type { Endpoint } from './post.ts';
import { isEventStream } from './reply-checks.ts';
import { createEventBound, createSseEvents } from './sse-events.ts';

/** The GET stream beside the calls on which a server with sessions may ask and tell, too (2025-11-25, "Listening for Messages from the Server"). */
export type ServerStream = {
  /** Open when it settles, or known not to be offered; a server that is slow about it is not waited for. */
  open(): Promise<void>;
  /** Gives the server's questions to this call until it unsubscribes; with several calls at once, to the one that came last. */
  subscribe(onMessage: (message: RpcMessage) => void): () => void;
  close(): void;
};

/** Opening the stream takes about as long as the handshake took, a new connection and its TLS included; a busy machine may take several times that. */
const patienceFactor = 4;
/** At least and at most so long: a server that says nothing before its first question holds up one call a session. */
const minPatienceMs = 1_000;
const maxPatienceMs = 10_000;

/** How long a call waits for this stream, which most servers never use, but on which a question is lost while it is not there. */
export function patienceAfter(handshakeMs: number): number {
  return Math.min(maxPatienceMs, minPatienceMs + patienceFactor * handshakeMs);
}

type Subscriber = Slotted & {
  /** Grows from one to the next. */
  readonly number: number;
  readonly onMessage: (message: RpcMessage) => void;
};

export function createServerStream(deps: {
  readonly endpoint: Endpoint;
  readonly headers: Readonly<Record<string, string>>;
  readonly respond: (message: Buffer) => Promise<void>;
  readonly onNotification: OnNotification;
  /** A call waits no longer than this for the server to open the stream. */
  readonly patienceMs: number;
}): ServerStream {
  const { respond, onNotification } = deps;
  const subscribers = new SlotList<Subscriber>();
  let lastNumber = 0;
  let opening: Promise<void> | undefined;
  let call: OutboundCall | undefined;
  const send = (message: Buffer) => void respond(message).catch(() => undefined);

  const take = (message: RpcMessage) => {
    const { method, id, params } = message;
    if (method === undefined) return;
    if (id === undefined) return onNotification({ method, params: params && [params.span()] });
    const last = subscribers
      .all()
      .toSorted((a, b) => a.number - b.number)
      .at(-1)?.onMessage;
    // What a server asks as soon as it knows us is about no call: there are no roots to show.
    if (last !== undefined && method !== 'roots/list') return last(message);
    const question = questionIn(message, send);
    if (question !== null) respondUnasked(question, send, 'No call is in flight that this could be about');
  };
  return {
    open() {
      opening ??= openStream(deps, take, (started) => {
        call = started;
      }).catch(() => undefined);
      return opening;
    },
    subscribe(onMessage) {
      const subscriber: Subscriber = { slot: -1, number: ++lastNumber, onMessage };
      subscribers.add(subscriber);
      return () => void subscribers.delete(subscriber);
    },
    close: () => call?.cancel(),
  };
}

/** Settles when the stream is open or known not to be, at the latest when patience ends. */
async function openStream(
  { endpoint, headers, patienceMs }: Parameters<typeof createServerStream>[0],
  onMessage: (message: RpcMessage) => void,
  onStart: (call: OutboundCall) => void,
): Promise<void> {
  const { outbound, url, credential, limits } = endpoint;
  const { promise, resolve } = Promise.withResolvers<void>();
  // What has come meanwhile is read first: a process that was held up itself has no reason to be impatient.
  const patience = setTimeout(() => setImmediate(resolve), patienceMs);
  const settle = () => {
    clearTimeout(patience);
    resolve();
  };
  const events = createSseEvents({ pause: () => call.pause(), resume: () => call.resume() }, onMessage);
  const isTooLarge = createEventBound(limits.maxBytes);
  const call = outbound.stream(
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
        if (status !== 200 || !isEventStream(fields)) call.cancel();
        settle();
      },
      data(chunk) {
        events.feed(chunk);
        return isTooLarge(chunk);
      },
      // Once per session: a server that has no such stream, or ends it, wants nothing to do with it.
      end: settle,
    },
  );
  onStart(call);
  return promise;
}
