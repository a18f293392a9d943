/**
 * One call to a provider's API for one user.
 *
 * Promises: what was checked is what is sent, to an origin of the provider's table and nowhere else; the user's token
 * is put in last and reaches neither the caller nor another origin; no header of ours or about us goes out; bodies
 * stream both ways at the reader's pace, unparsed and undecompressed; no redirect is followed, and a `Location` of the
 * provider's own leads back through here; a caller that goes away ends its call, unless it named an Idempotency-Key.
 * Fails with: 400/404 for a path or header that is refused, 403 when the user has to do something, 429 with too much
 * under way, 413, and 502 when the provider cannot be reached or breaks off. What the provider answers is passed on,
 * errors too; a 401 of its own leads to one renewal of the token and one repetition.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { idempotencyKey } from '../base/idempotency-key.ts';
import { Problem } from '../base/problem.ts';
import type { Connections, ProviderApi } from '../connections/connections.ts';
import type { Outbound } from '../outbound/outbound.ts';
import type { Idempotency, RunOnce, WriteBehind } from '../storage/storage.ts';
import {
  type AcquireCall,
  type ConcurrencyLimits,
  createCallLimiter,
  defaultConcurrency,
} from './call-limiter.ts';
import { getCallToken, type TokenDeps } from './call-token.ts';
import { accountIn, findField, forwardedHeaders } from './policy/headers.ts';
import { checkForm, withoutOverride } from './policy/method-override.ts';
import { parseTarget, resolveDestination } from './policy/target.ts';
import {
  defaultRequestLimits,
  type Payload,
  type ProviderRequest,
  type RequestDeps,
  type RequestLimits,
  replayableBytes,
  sendToProvider,
} from './provider-request.ts';
import type { ProxyReply, ProxyRequest } from './proxy-model.ts';
import { readWhole, replyCodec, type StreamedReply, toProxyReply, type WholeReply } from './proxy-reply.ts';
import { createUsageLog, type Usage } from './usage-log.ts';

export type { ProxyReply, ProxyRequest, RequestBody } from './proxy-model.ts';
export type { Usage } from './usage-log.ts';

export type OAuthProxy = {
  /** The provider that a target of `…/{provider}/info` names; throws for one that is not in the table. */
  parseProvider(target: string): string;
  forward(request: ProxyRequest): Promise<ProxyReply>;
  /** Writes down the usage that is still counted. */
  close(): Promise<void>;
};

export type ProxyLimits = RequestLimits & ConcurrencyLimits;

/** For the way out: calls are counted here, by user and provider; sockets for as many. */
export const providerLimits = { limits: { call: { concurrency: defaultConcurrency.perProvider } } };

export type ProxyDeps = {
  readonly connections: Pick<Connections, 'providerApi'> & TokenDeps;
  readonly outbound: Pick<Outbound, 'open'>;
  /** Under which what has a key is done once. */
  readonly idempotency: Pick<Idempotency, 'of'>;
  /** For the audit trail. */
  readonly recordUsage: (usage: readonly Usage[]) => Promise<void>;
  readonly onError: (error: unknown) => void;
  /** Where others reach us, for `Location`. */
  readonly publicUrl: () => string;
  readonly wait?: (ms: number) => Promise<void>;
  readonly limits?: Partial<ProxyLimits>;
};

type Parts = Pick<ProxyDeps, 'connections' | 'publicUrl'> &
  RequestDeps & {
    readonly acquire: AcquireCall;
    readonly usageLog: WriteBehind<Usage>;
    readonly runOnce: RunOnce<WholeReply>;
  };

const readOnly = new Set(['GET', 'HEAD']);
/** With an Idempotency-Key the request is compared, so it has to be read whole. */
const keyedRequestBytes = 1_048_576;

export function createProxy(deps: ProxyDeps): OAuthProxy {
  const { connections, outbound, publicUrl } = deps;
  const limits = { ...defaultRequestLimits, ...defaultConcurrency, ...deps.limits };
  const usageLog = createUsageLog(deps.recordUsage, deps.onError);
  const runOnce = deps.idempotency.of(replyCodec);
  const acquire = createCallLimiter(limits);
  const wait = deps.wait ?? delay;
  const parts = { connections, outbound, publicUrl, limits, wait, acquire, usageLog, runOnce };
  return {
    parseProvider: (target) => findApi(connections, parseTarget(target).provider).name,
    forward: (request) => forward(parts, request),
    close: () => usageLog.close(),
  };
}

/** Checks everything that can be checked before the body is read, then performs the call: once for each Idempotency-Key. */
async function forward(parts: Parts, received: ProxyRequest): Promise<ProxyReply> {
  const { connections, limits, runOnce } = parts;
  const target = parseTarget(received.target);
  const api = findApi(connections, target.provider);
  const request = await withoutOverride(received, api);
  const destination = resolveDestination(api, request === received ? target : parseTarget(request.target));
  const headers = forwardedHeaders(request.rawHeaders, api);
  const reads = readOnly.has(request.method);
  const key = reads ? null : idempotencyKey(findField(request.rawHeaders, 'idempotency-key'));
  checkBody(request, reads, key === null ? limits.bodyBytes : keyedRequestBytes);
  const { method, signal, owner } = request;
  const call = { method, destination, headers, isRepeatable: reads || key !== null };
  if (key === null) {
    const body = await readPayload(request, limits.bodyBytes);
    return perform(parts, { request, api, call: { ...call, body, signal } });
  }
  const body = (await request.body?.read(keyedRequestBytes)) ?? null;
  if (body !== null) checkForm(request, body);
  // It runs to its end even when the caller goes away: who comes back with the key wants to know the outcome.
  return runOnce({ ...owner, key, body: comparedParts(request, body) }, async () =>
    readWhole(await perform(parts, { request, api, call: { ...call, body } })),
  );
}

async function perform(
  parts: Parts,
  { request, api, call }: { request: ProxyRequest; api: ProviderApi; call: ProviderRequest },
): Promise<StreamedReply> {
  const { connections, acquire, usageLog, publicUrl } = parts;
  const { developerId, userId } = request.owner;
  const { destination } = call;
  const release = acquire(`${developerId}\n${userId}`, api.name);
  try {
    const callToken = await getCallToken(connections, request, { api, prefix: destination.prefix });
    const { connectionId } = callToken.token;
    const { keyId } = request;
    usageLog.enqueue({ developerId, userId, keyId, connectionId, provider: api.name, calls: 1 });
    const { reply, token } = await sendToProvider(parts, call, callToken);
    return toProxyReply(reply, { token, api, destination, publicUrl: publicUrl(), release });
  } catch (error) {
    release();
    throw error;
  }
}

function findApi(connections: Pick<Connections, 'providerApi'>, name: string): ProviderApi {
  const api = connections.providerApi(name);
  if (api === undefined) throw new Problem('not_found', `provider: ${name} is not known here`);
  return api;
}

function checkBody(request: ProxyRequest, reads: boolean, limitBytes: number): void {
  if (request.body === null) return;
  if (reads) throw new Problem('invalid_request', `body: not with ${request.method}`);
  if ((request.body.sizeBytes ?? 0) > limitBytes)
    throw new Problem('too_large', `body: larger than ${limitBytes} bytes`);
}

/** Small bodies are read first, so that they can be sent again; others pass through once. */
async function readPayload(request: ProxyRequest, limitBytes: number): Promise<Payload> {
  const { body } = request;
  if (body === null || body.sizeBytes === null || body.sizeBytes > replayableBytes) return body;
  const read = await body.read(limitBytes);
  checkForm(request, read);
  return read;
}

/** What must be the same for a call to be the same call. */
function comparedParts({ method, target, rawHeaders }: ProxyRequest, body: Buffer | null): unknown[] {
  const account = accountIn(rawHeaders) ?? null;
  const type = findField(rawHeaders, 'content-type') ?? null;
  return [method, target, account, type, body?.toString('base64') ?? null];
}
