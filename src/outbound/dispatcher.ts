import { isIP, type LookupFunction } from 'node:net';
import { Agent, type Dispatcher, EnvHttpProxyAgent, Pool } from 'undici';
import type { AddressGuard, Endpoint } from './connect/address-guard.ts';
import { createGuardedConnect } from './connect/guarded-connect.ts';
import type { Resolve } from './connect/lookup.ts';

/** As the operator set them, each of them '' where it was not. */
export type Proxies = {
  readonly httpProxy: string;
  readonly httpsProxy: string;
  readonly noProxy: string;
};

/**
 * Sockets that do not wait for each other: those of calls, of streams that stay open by design, and of what nobody waits
 * for.
 */
export type Lane = 'call' | 'stream' | 'background';

export type OutboundDispatcher = {
  /** Nothing is thrown: what fails is told to the handler. */
  dispatch(lane: Lane, endpoint: Endpoint, options: DispatchOptions, handler: Handler): void;
  destroy(error: Error): Promise<void>;
};

export type DispatchOptions = Agent.DispatchOptions;

type Headers = NonNullable<DispatchOptions['headers']> | null;

export type Handler = Dispatcher.DispatchHandler &
  Required<Pick<Dispatcher.DispatchHandler, 'onResponseError'>>;

/** Status line and fields of a reply; more than any good server sends. */
const maxHeadBytes = 65_536;
/** Below the five seconds after which many servers close an idle connection without having said so: a request on its way would be lost. */
const keepAliveMs = 4_000;
/** A server that says how long it keeps a connection may close it a little earlier. */
const keepAliveMarginMs = 2_000;
const keepAliveMaxMs = 600_000;
const proxyTimeoutMs = 5_000;

/** HTTP/1.1 by undici: a pool of connections to each origin, one request at a time on each, nothing followed or unpacked. */
const httpOptions = {
  allowH2: false,
  pipelining: 1,
  maxHeaderSize: maxHeadBytes,
  keepAliveTimeout: keepAliveMs,
  keepAliveTimeoutThreshold: keepAliveMarginMs,
  keepAliveMaxTimeout: keepAliveMaxMs,
  // Each call has limits of its own, looked after elsewhere.
  headersTimeout: 0,
  bodyTimeout: 0,
} as const;

export function createDispatcher(deps: {
  readonly guard: AddressGuard;
  readonly resolve: Resolve;
  readonly proxies: Proxies | null;
  /** Sockets to one origin. */
  readonly connectionsOf: (lane: Lane) => number;
}): OutboundDispatcher {
  const { guard, resolve, proxies, connectionsOf } = deps;
  const open = (lane: Lane) => {
    const connect = createGuardedConnect(guard, lane === 'background');
    const options = { ...httpOptions, connections: connectionsOf(lane), connect };
    const direct = new Agent(options);
    return { direct, proxied: proxies === null ? null : openProxied(options, proxies, resolve) };
  };
  const lanes = { call: open('call'), stream: open('stream'), background: open('background') };

  return {
    dispatch(lane, endpoint, options, handler) {
      const { direct, proxied } = lanes[lane];
      if (proxied === null) {
        direct.dispatch(options, handler);
        return;
      }
      guard.mayUseProxy(endpoint, lane === 'background').then(
        (mayUseProxy) => {
          if (mayUseProxy)
            proxied.dispatch({ ...options, headers: byName(options.headers ?? null) }, handler);
          else direct.dispatch(options, handler);
        },
        (error: Error) => handler.onResponseError(null as never, error),
      );
    },
    async destroy(error) {
      const agents = Object.values(lanes).flatMap(({ direct, proxied }) => [direct, proxied]);
      await Promise.all(agents.map((agent) => agent?.destroy(error)));
    },
  };
}

/** What NO_PROXY names goes direct, past the same guard. Nothing is read from the environment: all three are given. */
function openProxied(options: Agent.Options, proxies: Proxies, resolve: Resolve): EnvHttpProxyAgent {
  return new EnvHttpProxyAgent({
    ...options,
    ...proxies,
    connectTimeout: proxyTimeoutMs,
    proxyTls: { lookup: lookupWith(resolve), allowH2: false },
    factory: (origin, own) => new Pool(origin, { ...options, ...own }),
    clientFactory: (origin, own) =>
      new Pool(origin, { ...httpOptions, ...own, headersTimeout: proxyTimeoutMs }),
  });
}

function lookupWith(resolve: Resolve): LookupFunction {
  return (hostname, { all }, callback) => {
    resolve(hostname).then(
      (found) => {
        const addresses = found.map((address) => ({ address, family: isIP(address) }));
        const [first] = addresses;
        if (all === true) callback(null, addresses);
        else callback(null, first?.address ?? '', first?.family);
      },
      (error: Error) => callback(error, ''),
    );
  };
}

/** A list of names and values by name: undici's proxy agent would keep only the last of repeated fields. */
function byName(headers: Headers): Headers {
  if (!Array.isArray(headers)) return headers;
  const fields = new Map<string, string | string[]>();
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const [name = '', value = ''] = [headers[i], headers[i + 1]];
    const known = fields.get(name);
    fields.set(name, known === undefined ? value : [known, value].flat());
  }
  return fields;
}
