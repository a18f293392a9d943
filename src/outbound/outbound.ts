/**
 * The only way out to the network.
 *
 * Promises: a connection is dialled to an address that was checked, and to no other (private, loopback and
 * metadata addresses are refused unless the operator allows them); plain http only where allowed; redirects
 * are never followed; nothing is decompressed; every reply is bounded in bytes and time; one origin gets at most
 * so many calls at once, and a dead one is left alone by a circuit breaker; a caller that goes away ends its call.
 * A blocked address and an unreachable one read the same to the caller (no port scanning through us, threats
 * E8); the cause goes to the log. Nothing is tried twice here: only who knows what a call means may repeat it.
 */
import { type Clock, systemClock } from '../base/clock.ts';
import { parseAllowRules } from './address.ts';
import { checkUrl, createDial, portOf, type Resolve, resolveAll } from './connector.ts';
import { type Destination, type Exchange, exchange } from './exchange.ts';
import { createGates, defaultGateLimits, type GateLimits } from './gate.ts';
import { createConnections } from './http/connections.ts';
import type { OpenReply, OutboundRequest, Receiver, ReplyHeaders } from './model.ts';
import { openReply } from './source.ts';

export type { Resolve } from './connector.ts';
export type { Exchange } from './exchange.ts';
export { defaultGateLimits } from './gate.ts';
export type {
  ByteSink,
  ByteSource,
  Gone,
  OpenReply,
  OutboundRequest,
  Receiver,
  ReplyHeaders,
} from './model.ts';
export { OutboundFailure } from './model.ts';

export type OutboundReply = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
};

export type Outbound = {
  /** One exchange, read whole. Throws `OutboundFailure` when there is no usable reply, `invalid_request` for a URL that we do not speak to and for what would not be one request. */
  request(request: OutboundRequest): Promise<OutboundReply>;
  /** One exchange, heard as it arrives. Throws at once only what `request` throws as `invalid_request`; every other failure comes by `end`. */
  stream(request: OutboundRequest, receiver: Receiver): Exchange;
  /** One exchange up to the reply's head; the body comes as fast as it is read, and is not bounded. Rejects like `request`. */
  open(request: OutboundRequest, started?: (exchange: Exchange) => void): Promise<OpenReply>;
  close(): Promise<void>;
};

export type OutboundOptions = {
  readonly clock?: Clock;
  readonly gates?: GateLimits;
  /** Sockets to one origin. */
  readonly connections?: number;
};

/** Sockets to one origin: what may be under way, and as many streams that stay open beside it. */
const connectionsPerOrigin = 192;
/** Below the five seconds after which many servers close an idle connection without having said so: a request on its way would be lost. */
const keepAliveMs = 4_000;
/** Of the URLs checked lately; a check costs microseconds, and the same few are called over and over. */
const urlsKept = 1_000;

export function createOutbound(
  config: { allowUpstreams: readonly string[] },
  resolve: Resolve = resolveAll,
  {
    clock = systemClock,
    gates: limits = defaultGateLimits,
    connections = connectionsPerOrigin,
  }: OutboundOptions = {},
): Outbound {
  const allow = parseAllowRules(config.allowUpstreams);
  const gates = createGates(clock, limits);
  const sockets = createConnections({
    dial: createDial(allow, resolve),
    now: clock.monotonic,
    most: connections,
    keepAliveMs,
  });
  const checked = new Map<string, Destination>();
  const urlOf = (text: string): Destination => {
    const known = checked.get(text);
    if (known !== undefined) return known;
    const url = checkUrl(text, allow);
    const { origin, host, hostname, protocol, pathname, search } = url;
    const isSecure = protocol === 'https:';
    const destination = { origin, isSecure, host, hostname, port: portOf(url), path: pathname + search };
    if (checked.size >= urlsKept) checked.clear();
    checked.set(text, destination);
    return destination;
  };

  const turnAt = (host: string) => {
    try {
      return gates.enter(host);
    } catch (error) {
      return Promise.reject(error);
    }
  };
  const stream: Outbound['stream'] = (request, receiver) => {
    const url = urlOf(request.url);
    // A stream that stays open by design holds no place of the calls.
    const lasting = request.timeoutMs === 0;
    return exchange(sockets, url, request, receiver, {
      enter: () => (lasting ? undefined : turnAt(url.host)),
      ended(answered, reason) {
        if (lasting) return;
        const failed = reason === 'refused' || reason === 'timeout' || (reason === 'broken' && !answered);
        gates.leave(url.host, failed ? 'failed' : reason === 'cancelled' ? 'neutral' : 'ok');
      },
    });
  };

  return {
    stream,
    async request(request) {
      const chunks: Buffer[] = [];
      let status = 0;
      let headers: ReplyHeaders = {};
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      stream(request, {
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
    },
    open: (request, started) =>
      openReply((receiver) => stream({ maxBytes: Number.POSITIVE_INFINITY, ...request }, receiver), started),
    close: async () => sockets.close(),
  };
}

function flat(headers: ReplyHeaders): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : (value ?? ''),
    ]),
  );
}
