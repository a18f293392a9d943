import { joinJson } from '../../base/json-splice.ts';
import type { OutboundCall, OutboundFailure, ReplyHeaders } from '../../outbound/outbound.ts';
import { type OnNotification, UpstreamFailure } from '../mcp-model.ts';
import { modernRevision, type RpcMessage } from '../messages/rpc-message.ts';
import { modernRequest, ownParams } from '../messages/rpc-request.ts';
import type { Endpoint } from '../transports/post.ts';
import { fromOutbound, isEventStream, unauthorized } from '../transports/reply-checks.ts';
import { createEventBound, createSseEvents, messagesIn, type Source } from '../transports/sse-events.ts';

/** What a server of 2026-07-28 tells beside calls ("Subscriptions"), on the stream of one `subscriptions/listen` at a time. */
export type ChangeSubscription = {
  /** Somebody wants to hear of lists that change, or nobody does any more. */
  setListening(isListening: boolean): void;
  /** Whether the server says that it tells of this resource, which it is asked to from now on whenever somebody listens. Throws UpstreamFailure. */
  add(uri: string): Promise<boolean>;
  remove(uri: string): void;
  close(): void;
};

type Deps = {
  readonly endpoint: Endpoint;
  readonly nextId: () => number;
  readonly onNotification: OnNotification;
  readonly now: () => number;
};

const method = 'subscriptions/listen';
const acknowledged = 'notifications/subscriptions/acknowledged';
const allLists = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true };
/** Clients that left say of no resource that it is none of theirs any more: the oldest goes. */
const maxUris = 1_000;
/** A stream that nobody listens to is kept so long. */
const graceMs = 5_000;
/** After a stream broke off. */
const firstPauseMs = 1_000;
const maxPauseMs = 60_000;
/** A server that refused may be another one by then: a deployment, a gateway in front. */
const refusedMs = 300_000;
/** One that was open this long was well. */
const healthyMs = 30_000;
/** Of a refusal this much is read. */
const refusalBytes = 65_536;
/** Statuses that are about who asks and how often, not about what. */
const isAboutCaller: ReadonlySet<number> = new Set([408, 429]);

type Stream = {
  readonly call: OutboundCall;
  readonly asked: ReadonlySet<string>;
  /** Which resources it tells of; null: the server has no such streams. */
  readonly honored: Promise<ReadonlySet<string> | null>;
  readonly ended: Promise<void>;
};

export function createChangeSubscription(deps: Deps): ChangeSubscription {
  const uris = new Set<string>();
  let isListening = false;
  /** Who is waiting for the server's word about a resource. */
  let adding = 0;
  let isClosed = false;
  let refusedUntil = Number.NEGATIVE_INFINITY;
  let stream: Stream | undefined;
  let next: Promise<Stream> | undefined;
  let pauseMs = firstPauseMs;
  let retry: NodeJS.Timeout | undefined;
  const isOffered = () => deps.now() >= refusedUntil;
  const isWanted = () => !isClosed && (isListening || adding > 0);

  const restart = (openedAt: number) => {
    stream = undefined;
    if (!isWanted()) return;
    pauseMs = deps.now() - openedAt > healthyMs ? firstPauseMs : Math.min(pauseMs * 2, maxPauseMs);
    retry = setTimeout(settle, isOffered() ? pauseMs : refusedMs).unref();
  };
  /** One for all that is wanted now. The former one ends when it is there, so that nothing is lost in between. */
  const open = (): Stream => {
    clearTimeout(retry);
    const former = stream;
    const openedAt = deps.now();
    const opened = openStream(deps, new Set(uris));
    stream = opened;
    opened.honored.then(
      (honored) => {
        if (honored === null) refusedUntil = deps.now() + refusedMs;
      },
      () => undefined,
    );
    // Somebody may wait for what the former one is answered.
    if (former !== undefined)
      Promise.allSettled([former.honored, opened.honored]).then(() => former.call.cancel());
    opened.ended.then(() => {
      if (stream === opened) restart(openedAt);
    });
    return opened;
  };
  /** What is wanted while a stream waits for its answer stands in one more, all of it together. */
  const openNext = (): Promise<Stream> => {
    const opening = stream;
    if (opening === undefined) return Promise.resolve(open());
    next ??= Promise.allSettled([opening.honored]).then(() => {
      next = undefined;
      return isWanted() && isOffered() ? open() : opening;
    });
    return next;
  };
  const settle = () => {
    if (isWanted()) {
      if (stream === undefined && isOffered()) open();
      return;
    }
    clearTimeout(retry);
    const over = stream;
    stream = undefined;
    over?.call.cancel();
  };
  return {
    setListening(next) {
      isListening = next;
      settle();
    },
    async add(uri) {
      if (!isOffered()) return false;
      const known = stream?.asked.has(uri) && uris.has(uri) ? stream : undefined;
      if (uris.size >= maxUris) for (const oldest of uris.keys().take(1)) uris.delete(oldest);
      uris.add(uri);
      adding++;
      let isTold = false;
      try {
        isTold = (await (known ?? (await openNext())).honored)?.has(uri) === true;
        return isTold;
      } finally {
        adding--;
        if (!isTold) uris.delete(uri);
        // Whoever subscribes mostly listens next: nothing is lost in between.
        setTimeout(settle, graceMs).unref();
      }
    },
    remove(uri) {
      if (!uris.delete(uri)) return;
      if (isWanted()) void openNext();
      else settle();
    },
    close() {
      isClosed = true;
      settle();
    },
  };
}

function openStream({ endpoint, nextId, onNotification }: Deps, uris: ReadonlySet<string>): Stream {
  const { outbound, credential, limits, url } = endpoint;
  const honored = Promise.withResolvers<ReadonlySet<string> | null>();
  // It is to say so first of all (2026-07-28, "Subscriptions"), and whoever subscribes is waiting for it.
  const impatience = setTimeout(() => {
    const detail = 'The server does not say which changes it tells of';
    honored.reject(new UpstreamFailure('timeout', detail));
  }, limits.firstByteMs).unref();
  honored.promise.catch(() => undefined).finally(() => clearTimeout(impatience));
  const ended = Promise.withResolvers<void>();
  const notifications = { ...allLists, ...(uris.size > 0 && { resourceSubscriptions: [...uris] }) };
  const reader = createReader({
    take({ method: told, id, params, error }) {
      if (told === acknowledged) honored.resolve(resourcesIn(params?.value()));
      else if (told !== undefined && id === undefined)
        onNotification({ method: told, params: params && [params.span()] });
      else if (error !== undefined) honored.resolve(null);
    },
    refused(status, headers) {
      credential.onResponse(status, headers);
      if (status === 401 || status === 403) honored.reject(unauthorized(status, headers));
      else if (status >= 400 && status < 500 && !isAboutCaller.has(status)) honored.resolve(null);
    },
    end(failure) {
      honored.reject(
        failure === null
          ? new UpstreamFailure('broken', 'The server closed its stream')
          : fromOutbound(failure),
      );
      ended.resolve();
    },
    source: { pause: () => call.pause(), resume: () => call.resume() },
    maxBytes: limits.maxBytes,
  });
  const call = outbound.stream(
    {
      method: 'POST',
      url,
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': modernRevision,
        'mcp-method': method,
        ...credential.fields('POST', url),
      },
      body: joinJson(modernRequest(nextId(), { method, params: ownParams({ notifications }) })),
      firstByteMs: limits.firstByteMs,
      idleMs: 0,
      timeoutMs: 0,
      maxBytes: Number.MAX_SAFE_INTEGER,
    },
    reader,
  );
  return { call, asked: uris, honored: honored.promise, ended: ended.promise };
}

/** Events as messages; an answer that is no stream as the message it may be. */
function createReader(on: {
  readonly take: (message: RpcMessage) => void;
  readonly refused: (status: number, headers: ReplyHeaders) => void;
  readonly end: (failure: OutboundFailure | null) => void;
  readonly source: Source;
  readonly maxBytes: number;
}) {
  const events = createSseEvents(on.source, on.take);
  let refusal: Buffer | undefined;
  const isTooLarge = createEventBound(on.maxBytes);
  return {
    head(status: number, headers: ReplyHeaders) {
      if (status === 200 && isEventStream(headers)) return;
      refusal = Buffer.alloc(0);
      on.refused(status, headers);
    },
    data(chunk: Buffer): boolean {
      if (refusal !== undefined) {
        refusal = Buffer.concat([refusal, chunk]);
        return refusal.length > refusalBytes;
      }
      events.feed(chunk);
      return isTooLarge(chunk);
    },
    end(failure: OutboundFailure | null) {
      for (const message of messagesIn(refusal?.toString() ?? '')) on.take(message);
      on.end(failure);
    },
  };
}

/** Those of what was asked for that the server tells of. */
function resourcesIn(params: unknown): ReadonlySet<string> {
  const { notifications } = (params ?? {}) as {
    readonly notifications?: { readonly resourceSubscriptions?: unknown };
  };
  const told = notifications?.resourceSubscriptions;
  return new Set(Array.isArray(told) ? told.filter((uri) => typeof uri === 'string') : []);
}
