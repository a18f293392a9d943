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
import { createIdempotency, idempotencyKey } from '../base/idempotency.ts';
import { Problem } from '../base/problem.ts';
import type { Connections, FreshToken, ProviderRoutes } from '../connections/connections.ts';
import { type Outbound, OutboundFailure } from '../outbound/outbound.ts';
import { answerOf, type Flowing, type Outcome, whole } from './answer.ts';
import { fieldOf, forwardedHeaders } from './headers.ts';
import { type ConcurrencyLimits, createConcurrency, defaultConcurrency } from './limits.ts';
import type { ProxyReply, ProxyRequest } from './model.ts';
import { missingScopes } from './scopes.ts';
import { type Destination, destinationOf, parseTarget } from './target.ts';
import {
  createUpstream,
  defaultUpstreamLimits,
  type Payload,
  replayableBytes,
  type Sending,
  type UpstreamLimits,
} from './upstream.ts';
import { createUsageLog, type Usage } from './usage-log.ts';

export type { ProxyReply, ProxyRequest, RequestBody } from './model.ts';
export type { Usage } from './usage-log.ts';

export type OAuthProxy = {
  /** The provider that a target of `…/{provider}/info` names; throws for one that is not in the table. */
  providerOf(target: string): string;
  forward(request: ProxyRequest): Promise<ProxyReply>;
  /** Writes down the usage that is still counted. */
  close(): Promise<void>;
};

export type ProxyLimits = UpstreamLimits & ConcurrencyLimits;

/** For the way out: places are counted here, by user and provider; sockets for as many. */
export const providerCalls = { calls: { concurrency: defaultConcurrency.perProvider } };

export type ProxyDeps = {
  readonly connections: Pick<Connections, 'provider' | 'freshToken' | 'openSession'>;
  readonly outbound: Pick<Outbound, 'open'>;
  readonly now: () => number;
  /** For the audit trail. */
  readonly recordUsage: (usage: readonly Usage[]) => Promise<void>;
  readonly onError: (error: unknown) => void;
  /** Where others reach us, for `Location`. */
  readonly publicUrl: () => string;
  readonly wait?: (ms: number) => Promise<void>;
  readonly limits?: Partial<ProxyLimits>;
};

const readOnly = new Set(['GET', 'HEAD']);
/** With an Idempotency-Key the request is compared, so it has to be read whole. */
const keyedRequestBytes = 1_048_576;
/** Answers that say that nothing was done yet. */
const undone = new Set([401, 403, 408, 425, 429, 503]);

export function createProxy(deps: ProxyDeps): OAuthProxy {
  const { connections, outbound, publicUrl } = deps;
  const limits = { ...defaultUpstreamLimits, ...defaultConcurrency, ...deps.limits };
  const enter = createConcurrency(limits);
  const upstream = createUpstream({ outbound, wait: deps.wait ?? delay, limits });
  const usageLog = createUsageLog(deps.recordUsage, deps.onError);
  const once = createIdempotency<Outcome>({
    now: deps.now,
    mayRetry: (error) => !(error instanceof OutboundFailure) || error.reason === 'refused',
    isOutcome: ({ status }) => !undone.has(status),
    sizeOf: ({ body, headers }) => body.length + headers.join().length,
  });

  const routesOf = (name: string): ProviderRoutes => {
    const routes = connections.provider(name);
    if (routes === undefined) throw new Problem('not_found', `provider: ${name} is not known here`);
    return routes;
  };

  /** Throws with a session that would mend it, where one can be opened. */
  const refuse = async (request: ProxyRequest, provider: string, error: Problem): Promise<never> => {
    const { owner, keyId, appName } = request;
    const opened = await connections
      .openSession({ owner, keyId, appName, party: { provider } })
      .catch(() => null);
    throw new Problem(error.kind, error.detail, {
      cause: error.cause,
      facts: {
        provider,
        ...error.facts,
        ...(opened === null
          ? {}
          : { session: { id: opened.session_id, auth_url: opened.auth_url, expires_at: opened.expires_at } }),
      },
    });
  };

  const tokenFor = async (request: ProxyRequest, provider: string, { prefix }: Destination) => {
    const account = fieldOf(request.rawHeaders, 'x-proxy-account');
    const ask = (refused?: number): Promise<FreshToken> =>
      connections
        .freshToken({
          owner: request.owner,
          provider,
          actor: `key:${request.keyId}`,
          ...(account === undefined ? {} : { account }),
          ...(refused === undefined ? {} : { refused }),
        })
        .catch((error: unknown) => {
          if (!isForUser(error)) throw error;
          return refuse(request, provider, error);
        });
    const token = await ask();
    const missing = missingScopes(provider, prefix, token.scopes);
    if (missing === null) return { token, renew: ask };
    const detail = `The user's consent with ${provider} does not cover ${prefix}`;
    const problem = new Problem('provider_not_connected', detail, { facts: { missing_scopes: missing } });
    return refuse(request, provider, problem);
  };

  const perform = async (
    request: ProxyRequest,
    routes: ProviderRoutes,
    destination: Destination,
    sending: Sending,
  ): Promise<Flowing> => {
    const leave = enter(`${request.owner.developerId}\n${request.owner.userId}`, routes.name);
    try {
      const { token, renew } = await tokenFor(request, routes.name, destination);
      const { developerId, userId } = request.owner;
      const { keyId } = request;
      const { connectionId } = token;
      usageLog.enqueue({ developerId, userId, keyId, connectionId, provider: routes.name, calls: 1 });
      const sent = await upstream.send(sending, token, renew);
      return answerOf(sent.reply, sent.token, routes, destination, publicUrl, leave);
    } catch (error) {
      leave();
      throw error;
    }
  };

  return {
    close: () => usageLog.close(),
    providerOf: (target) => routesOf(parseTarget(target).provider).name,

    async forward(request) {
      const target = parseTarget(request.target);
      const routes = routesOf(target.provider);
      const destination = destinationOf(routes, target);
      const headers = forwardedHeaders(request.rawHeaders);
      const reads = readOnly.has(request.method);
      const key = reads ? null : idempotencyKey(fieldOf(request.rawHeaders, 'idempotency-key'));
      checkBody(request, reads, key === null ? limits.bodyBytes : keyedRequestBytes);
      const { method, signal } = request;
      const sending = { method, destination, headers, repeatable: reads || key !== null };
      if (key === null) {
        const body = await payloadOf(request, limits.bodyBytes);
        return perform(request, routes, destination, { ...sending, body, signal });
      }
      const body = (await request.body?.read(keyedRequestBytes)) ?? null;
      const { developerId, userId } = request.owner;
      const account = fieldOf(request.rawHeaders, 'x-proxy-account') ?? null;
      const type = fieldOf(request.rawHeaders, 'content-type') ?? null;
      const compared = [method, request.target, account, type, body?.toString('base64') ?? null];
      // It runs to its end even when the caller goes away: who comes back with the key wants to know the outcome.
      return once(JSON.stringify([developerId, userId]), key, compared, async () =>
        whole(await perform(request, routes, destination, { ...sending, body })),
      );
    },
  };
}

function checkBody(request: ProxyRequest, reads: boolean, limitBytes: number): void {
  if (request.body === null) return;
  if (reads) throw new Problem('invalid_request', `body: not with ${request.method}`);
  if ((request.body.sizeBytes ?? 0) > limitBytes)
    throw new Problem('too_large', `body: larger than ${limitBytes} bytes`);
}

/** Small bodies are read first, so that they can be sent again; others pass through once. */
async function payloadOf({ body }: ProxyRequest, limitBytes: number): Promise<Payload> {
  if (body === null || body.sizeBytes === null || body.sizeBytes > replayableBytes) return body;
  return body.read(limitBytes);
}

function isForUser(error: unknown): error is Problem {
  return (
    error instanceof Problem && (error.kind === 'provider_not_connected' || error.kind === 'token_expired')
  );
}
