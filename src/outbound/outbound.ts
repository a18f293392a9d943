/**
 * The only way out to the network.
 *
 * Promises: a connection is dialled to an address that was checked, and to no other (private, loopback and
 * metadata addresses are refused unless the operator allows them); plain http only where allowed; redirects
 * are never followed; nothing is decompressed; every reply is bounded in bytes and time.
 * A blocked address and an unreachable one read the same to the caller (no port scanning through us, threats
 * E8); the cause goes to the log.
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { Agent, buildConnector, request as undiciRequest } from 'undici';
import { Problem } from '../base/problem.ts';
import { bare, isMetadataAddress, isPublicAddress, parseAllowRules } from './address.ts';

export type OutboundRequest = {
  readonly method: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Whole exchange, default 30 s. */
  readonly timeoutMs?: number;
  /** Reply body, default 8 MB. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
};

export type OutboundReply = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
};

export type Outbound = {
  /** One exchange. Throws `upstream_error` when there is no usable reply, `invalid_request` for a URL we do not speak to. */
  request(request: OutboundRequest): Promise<OutboundReply>;
  close(): Promise<void>;
};

export type Resolve = (hostname: string) => Promise<readonly string[]>;

const connectTimeoutMs = 5_000;
const defaultTimeoutMs = 30_000;
const defaultMaxBytes = 8_000_000;
const publicPorts = new Set([443, 8443]);

export function createOutbound(
  config: { allowUpstreams: readonly string[] },
  resolve: Resolve = resolveAll,
): Outbound {
  const allow = parseAllowRules(config.allowUpstreams);
  const dial = buildConnector({ timeout: connectTimeoutMs, allowH2: false });

  const permitted = (hostAllowed: boolean, address: string) =>
    !isMetadataAddress(address) && (hostAllowed || allow.address(address) || isPublicAddress(address));

  /** Resolves, checks every answer and dials a checked address, so that a second look-up cannot swap it (E3, E4). */
  const connect: buildConnector.connector = (options, callback) => {
    const hostname = bare(options.hostname);
    const port = Number(options.port) || (options.protocol === 'https:' ? 443 : 80);
    const hostAllowed = allow.host(options.hostname, port);
    resolve(hostname).then(
      (addresses) => {
        const address = addresses[0];
        if (address === undefined || !addresses.every((each) => permitted(hostAllowed, each))) {
          callback(new Error(`address of ${hostname} is not allowed`), null);
          return;
        }
        const servername = isIP(hostname) === 0 ? hostname : undefined;
        dial(
          { ...options, hostname: address, ...(servername === undefined ? {} : { servername }) },
          callback,
        );
      },
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error)), null),
    );
  };
  const agent = new Agent({
    connect,
    connections: 16,
    headersTimeout: defaultTimeoutMs,
    bodyTimeout: defaultTimeoutMs,
  });

  const checkUrl = (text: string): URL => {
    const url = URL.parse(text);
    if (url === null || !/^https?:$/.test(url.protocol))
      throw new Problem('invalid_request', 'url: expected an http(s) URL');
    if (url.username !== '' || url.password !== '')
      throw new Problem('invalid_request', 'url: must not contain a user name or password');
    const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
    if (allow.host(url.hostname, port)) return url;
    if (url.protocol === 'http:')
      throw new Problem(
        'invalid_request',
        'url: expected https (MCPRANK_ALLOW_UPSTREAMS lists the hosts that may use http)',
      );
    if (!publicPorts.has(port))
      throw new Problem(
        'invalid_request',
        'url: expected port 443 or 8443 (MCPRANK_ALLOW_UPSTREAMS lists exceptions)',
      );
    return url;
  };

  return {
    async request(request) {
      const url = checkUrl(request.url);
      const timeout = AbortSignal.timeout(request.timeoutMs ?? defaultTimeoutMs);
      const signal = request.signal === undefined ? timeout : AbortSignal.any([timeout, request.signal]);
      try {
        const reply = await undiciRequest(url, {
          dispatcher: agent,
          method: request.method as 'GET',
          headers: { ...request.headers },
          body: request.body ?? null,
          signal,
        });
        return {
          status: reply.statusCode,
          headers: flat(reply.headers),
          body: await readBounded(reply.body, request.maxBytes ?? defaultMaxBytes),
        };
      } catch (cause) {
        if (cause instanceof Problem) throw cause;
        const late = timeout.aborted || (cause as { code?: string }).code === 'UND_ERR_HEADERS_TIMEOUT';
        throw new Problem(
          'upstream_error',
          late ? `${url.host} did not answer in time` : `${url.host} cannot be reached`,
          { cause },
        );
      }
    },
    close: () => agent.destroy(),
  };
}

async function resolveAll(hostname: string): Promise<readonly string[]> {
  if (isIP(hostname) !== 0) return [hostname];
  return (await lookup(hostname, { all: true })).map(({ address }) => address);
}

async function readBounded(body: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) throw new Problem('upstream_error', `The reply is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function flat(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : (value ?? ''),
    ]),
  );
}
