/**
 * The only way out to the network: undici behind an address guard.
 *
 * Promises: a connection is dialled to an address that was checked, and to no other (private, loopback and metadata
 * addresses are refused unless the operator allows them), and all checked addresses of a host are tried; plain http only
 * where allowed; redirects are never followed; nothing is decompressed; every reply is bounded in bytes and time; one
 * origin gets at most so many calls at once, streams that stay open have sockets of their own, and a dead origin is left
 * alone by a circuit breaker; whoever waits for a turn or a connection is answered within ten seconds; a caller that goes
 * away ends its call. Behind an outgoing proxy, the proxy resolves names: what can be seen to be private from here is
 * refused all the same.
 * A blocked address and an unreachable one read the same to the caller (no port scanning through us, threats E8); the
 * cause goes to the log. Nothing is tried twice here: only who knows what a call means may repeat it.
 */
import { type Clock, systemClock } from '../base/clock.ts';
import { Problem } from '../base/problem.ts';
import type { Secret } from '../base/secret.ts';
import { noTracing, type Tracing } from '../base/tracing.ts';
import { createAdmission } from './admission/admission.ts';
import {
  type BreakerLimits,
  type CircuitBreaker,
  createCircuitBreaker,
  defaultBreakerLimits,
} from './admission/circuit-breaker.ts';
import { type ConcurrencyLimits, createConcurrencyLimit } from './admission/concurrency-limit.ts';
import { checkRequestLine, toFields } from './checks/request-headers.ts';
import { createUrlCheck } from './checks/upstream-url.ts';
import { parseAllowRules } from './connect/address.ts';
import { createAddressGuard } from './connect/address-guard.ts';
import { createLookup, type Resolve } from './connect/lookup.ts';
import { createDeadlines } from './deadlines.ts';
import { createDispatcher, type Lane, type Proxies } from './dispatcher.ts';
import { openReply } from './open-reply.ts';
import { type CallLane, HttpCall } from './outbound-call.ts';
import type { OpenReply, OutboundCall, OutboundRequest, Receiver, ReplyHeaders } from './outbound-model.ts';

export type { Resolve } from './connect/lookup.ts';
export type {
  ByteSink,
  ByteSource,
  OpenReply,
  OutboundCall,
  OutboundRequest,
  Receiver,
  ReplyHeaders,
} from './outbound-model.ts';

import { createTracedStream } from './outbound-spans.ts';

export { OutboundFailure } from './outbound-model.ts';

export type OutboundReply = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
};

export type Outbound = {
  /** One call, its reply read whole. Throws `OutboundFailure` when there is no usable reply, `invalid_request` for a URL that we do not speak to and for what would not be one request. */
  request(request: OutboundRequest): Promise<OutboundReply>;
  /** One call, its reply given as it arrives. Throws at once only what `request` throws as `invalid_request`; every other failure comes by `end`. */
  stream(request: OutboundRequest, receiver: Receiver): OutboundCall;
  /** One call up to the reply's head; the body comes as fast as it is read, and is not bounded. Rejects like `request`. */
  open(request: OutboundRequest, started?: (call: OutboundCall) => void): Promise<OpenReply>;
  /**
   * Throws `invalid_request` for a URL that we do not speak to; with `host`, also for one whose host can be seen to be
   * blocked before it is looked up (for who configures servers: callers are told no more than that it cannot be reached).
   */
  checkUrl(url: string, options?: { readonly host: boolean }): void;
  close(): Promise<void>;
};

export type OutboundConfig = {
  readonly allowUpstreams: readonly string[];
  /** Hosts that are allowed too, as they are at the moment of asking. */
  readonly trusts?: (hostname: string, port: number) => boolean;
  /** Outgoing proxies; one may have a password. */
  readonly httpProxy?: Secret | null;
  readonly httpsProxy?: Secret | null;
  /** Hosts that are reached past them. */
  readonly noProxy?: string;
};

export type OutboundOptions = {
  readonly clock?: Clock;
  /** In place of the hosts file and DNS. */
  readonly resolve?: Resolve;
  readonly limits?: { readonly [lane in Lane]?: Partial<ConcurrencyLimits> };
  readonly breaker?: BreakerLimits;
  readonly tracing?: Tracing;
};

const waitMs = 10_000;
const defaultLimits: Readonly<Record<Lane, ConcurrencyLimits>> = {
  /** One slow origin holds at most 64 of our calls. */
  call: { concurrency: 64, waiting: 256, waitMs },
  /** Streams that stay open by design, most of them for one user each. */
  stream: { concurrency: 256, waiting: 64, waitMs },
  background: { concurrency: 8, waiting: 64, waitMs },
};

export function createOutbound(config: OutboundConfig, options: OutboundOptions = {}): Outbound {
  const { clock = systemClock, resolve = createLookup() } = options;
  const limitsOf = (lane: Lane) => ({ ...defaultLimits[lane], ...options.limits?.[lane] });
  const allow = parseAllowRules(config.allowUpstreams, config.trusts);
  const toDestination = createUrlCheck(allow);
  const deadlines = createDeadlines();
  const breaker = createCircuitBreaker(clock, options.breaker ?? defaultBreakerLimits);
  const guard = createAddressGuard(allow, resolve);
  const dispatcher = createDispatcher({
    guard,
    resolve,
    proxies: proxiesIn(config),
    // A place is a socket.
    connectionsOf: (lane) => limitsOf(lane).concurrency,
  });
  const openLane = (lane: Lane, breaker: CircuitBreaker | null): CallLane => ({
    admission: createAdmission(createConcurrencyLimit(limitsOf(lane)), breaker),
    deadlines,
    dispatch: (destination, request, handler) => dispatcher.dispatch(lane, destination, request, handler),
  });
  const lanes: Readonly<Record<Lane, CallLane>> = {
    call: openLane('call', breaker),
    stream: openLane('stream', null),
    background: openLane('background', breaker),
  };

  const stream = createTracedStream(options.tracing ?? noTracing, (request, receiver) => {
    const { method, url, body } = request;
    const destination = toDestination(url);
    const { origin } = destination;
    const path = request.target ?? destination.target;
    checkRequestLine(method, path);
    const headers = toFields(request);
    const call = new HttpCall(destination, request, receiver, lanes[laneOf(request)]);
    call.start(
      body === undefined ? { origin, path, method, headers } : { origin, path, method, headers, body },
    );
    return call;
  });
  return {
    stream,
    request: (request) => readWhole((receiver) => stream(request, receiver)),
    open: (request, started) =>
      openReply((receiver) => stream({ maxBytes: Number.POSITIVE_INFINITY, ...request }, receiver), started),
    checkUrl(url, { host } = { host: false }) {
      const destination = toDestination(url);
      if (host && guard.isSeenBlocked(destination))
        throw new Problem(
          'invalid_request',
          'url: expected a public host (MCPRANK_ALLOW_UPSTREAMS lists exceptions)',
        );
    },
    async close() {
      deadlines.close();
      await dispatcher.destroy(new Error('shutting down'));
    },
  };
}

/** The same, in the background: nobody waits for what it sends, which takes nothing from calls. */
export function inBackground({ request, stream, open, checkUrl, close }: Outbound): Outbound {
  const priority = 'background';
  return {
    request: (each) => request({ ...each, priority }),
    stream: (each, receiver) => stream({ ...each, priority }, receiver),
    open: (each, started) => open({ ...each, priority }, started),
    checkUrl,
    close,
  };
}

function proxiesIn({ httpProxy, httpsProxy, noProxy = '' }: OutboundConfig): Proxies | null {
  const [http, https] = [httpProxy, httpsProxy].map((proxy) => proxy?.reveal() ?? '');
  return http || https ? { httpProxy: http ?? '', httpsProxy: https ?? '', noProxy } : null;
}

function laneOf({ timeoutMs, priority }: OutboundRequest): Lane {
  return priority ?? (timeoutMs === 0 ? 'stream' : 'call');
}

async function readWhole(start: (receiver: Receiver) => OutboundCall): Promise<OutboundReply> {
  const chunks: Buffer[] = [];
  let status = 0;
  let headers: ReplyHeaders = {};
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  start({
    head(code, fields) {
      status = code;
      headers = fields;
    },
    data(chunk) {
      chunks.push(chunk);
      return false;
    },
    end: (failure) => (failure === null ? resolve() : reject(failure)),
  });
  await promise;
  return { status, headers: flat(headers), body: Buffer.concat(chunks) };
}

function flat(headers: ReplyHeaders): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : (value ?? ''),
    ]),
  );
}
