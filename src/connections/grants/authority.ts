import * as oauth from 'oauth4webapi';
import type { Clock } from '../../base/clock.ts';
import { isObject } from '../../base/json.ts';
import { Problem } from '../../base/problem.ts';
import { parseRetryAfter } from '../../base/retry.ts';
import type { Outbound, OutboundReply } from '../../outbound/outbound.ts';
import { keyAuth } from '../providers/client-key.ts';
import { configured, type Provider } from '../providers/provider.ts';

/** A provider ready to be spoken to: its metadata (given or looked up), and us as its client. */
export type Authority = {
  readonly provider: Provider;
  readonly server: oauth.AuthorizationServer;
  readonly client: oauth.Client;
  readonly auth: oauth.ClientAuth;
  /** What the tokens are for (RFC 8707): with MCP servers, in every request to the authorization server. */
  readonly resource: string | null;
  /** We registered there by ourselves: the row of that. */
  readonly dynamicId: string | null;
};

/**
 * Why a token endpoint gave no tokens:
 * dead           the grant is over (`invalid_grant`): only the user can mend it
 * misconfigured  it does not accept us (`invalid_client` and its like): only the operator can
 * transient      it is down, slow, busy or talks nonsense: time may
 */
export type AuthorityReason = 'dead' | 'misconfigured' | 'transient';

export class AuthorityFailure extends Error {
  readonly reason: AuthorityReason;
  readonly retryAfterMs: number | undefined;

  constructor(reason: AuthorityReason, cause: unknown, retryAfterMs?: number) {
    super(`authorization server: ${reason}`, { cause });
    this.name = 'AuthorityFailure';
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Larger documents than any real one are cut off (threats N9). */
const maxReplyBytes = 65_536;
const discoveryMs = 5_000;
const metadataKeptMs = 3_600_000;
/** How far the provider's clock may be from ours (threats J10). */
const toleratedSkewSeconds = 300;

export type Authorities = {
  /** Throws the Problem to show when the provider is not configured or its metadata cannot be had. */
  of(provider: Provider): Promise<Authority>;
  /** What a call through oauth4webapi is given: our way out, and a time limit. */
  options(provider: Provider, seen?: SeenReply, timeoutMs?: number): CallOptions;
};

/** Filled in by a call: what oauth4webapi does not hand on. */
export type SeenReply = { status?: number; retryAfterMs?: number };

export type CallOptions = {
  readonly [oauth.customFetch]: (url: string, init: FetchInit) => Promise<Response>;
  readonly [oauth.allowInsecureRequests]: boolean;
};
type FetchInit = {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: unknown;
};

export function createAuthorities(deps: { outbound: Outbound; clock: Clock }): Authorities {
  const { outbound, clock } = deps;
  const looked = new Map<
    string,
    { readonly at: number; readonly server: Promise<oauth.AuthorizationServer> }
  >();

  const options: Authorities['options'] = (provider, seen = {}, timeoutMs = 30_000) => ({
    [oauth.customFetch]: async (url, { method, headers, body }) => {
      const reply = await outbound.request({
        method,
        url,
        headers,
        timeoutMs,
        firstByteMs: timeoutMs,
        maxBytes: maxReplyBytes,
        ...(body === undefined || body === null ? {} : { body: String(body) }),
      });
      seen.status = reply.status;
      const askedMs = parseRetryAfter(reply.headers['retry-after'], clock.now()) ?? 0;
      if (askedMs > 0) seen.retryAfterMs = Math.min(askedMs, 3_600_000);
      return standardResponse(provider, reply);
    },
    // Plain http is outbound's decision: it refuses every host that the operator did not allow.
    [oauth.allowInsecureRequests]: true,
  });

  const discover = (provider: Provider, issuer: string) => {
    const known = looked.get(issuer);
    if (known !== undefined && clock.monotonic() - known.at < metadataKeptMs) return known.server;
    const server = lookUp(provider, issuer);
    looked.set(issuer, { at: clock.monotonic(), server });
    server.catch(() => looked.delete(issuer));
    return server;
  };

  const lookUp = async (provider: Provider, issuer: string) => {
    const url = new URL(issuer);
    const given = options(provider, {}, discoveryMs);
    const reply = await oauth.discoveryRequest(url, { algorithm: 'oidc', ...given });
    const server = await oauth.processDiscoveryResponse(url, reply);
    // An authorization server that does not say S256 may ignore PKCE altogether (threats F2).
    if (!(server.code_challenge_methods_supported ?? []).includes('S256'))
      throw new Error('the metadata does not offer PKCE with S256');
    return server;
  };

  return {
    options,
    async of(asked) {
      const provider = configured(asked);
      let server = serverOf(provider);
      if (server === null) {
        server = await discover(provider, provider.issuer ?? '').catch((cause: unknown) => {
          throw new Problem('upstream_error', `The metadata of ${provider.title} cannot be had`, { cause });
        });
      }
      const client = { client_id: provider.clientId, [oauth.clockTolerance]: toleratedSkewSeconds };
      return {
        provider,
        server,
        client,
        auth: await authOf(provider, server),
        resource: null,
        dynamicId: null,
      };
    },
  };
}

/** The metadata as the row gives it; null: it must be looked up. */
function serverOf(provider: Provider): oauth.AuthorizationServer | null {
  const { authorizationUrl, tokenUrl, revocationUrl, userinfoUrl, jwksUrl } = provider;
  if (authorizationUrl === null || tokenUrl === null) return null;
  return {
    issuer: provider.issuer ?? new URL(authorizationUrl).origin,
    authorization_endpoint: authorizationUrl,
    token_endpoint: tokenUrl,
    ...(revocationUrl === null ? {} : { revocation_endpoint: revocationUrl }),
    ...(userinfoUrl === null ? {} : { userinfo_endpoint: userinfoUrl }),
    ...(jwksUrl === null ? {} : { jwks_uri: jwksUrl }),
  };
}

async function authOf(
  { clientAuth, clientSecret, clientKey }: Provider,
  server: oauth.AuthorizationServer,
): Promise<oauth.ClientAuth> {
  if (clientAuth === 'private_key_jwt' && clientKey !== null) return keyAuth(clientKey);
  if (clientSecret === null) return oauth.None();
  const offered = server.token_endpoint_auth_methods_supported;
  const method = clientAuth ?? (offered?.includes('client_secret_basic') ? 'client_secret_basic' : null);
  return method === 'client_secret_basic'
    ? basicAuth(clientSecret.reveal())
    : oauth.ClientSecretPost(clientSecret.reveal());
}

/**
 * RFC 6749 section 2.3.1: form-encoded, and no more than that. The library's own encodes `-` and `_` as well, which
 * servers that do not decode take for another client.
 */
export function basicAuth(secret: string): oauth.ClientAuth {
  const encoded = (text: string) => new URLSearchParams({ '': text }).toString().slice(1);
  return (_server, { client_id }, _body, headers) => {
    const pair = `${encoded(client_id)}:${encoded(secret)}`;
    headers.set('authorization', `Basic ${Buffer.from(pair).toString('base64')}`);
  };
}

/** As RFC 6749 section 5 wants it: some providers say "no" with status 200, and name the scopes with commas. */
function standardResponse(provider: Provider, { status, headers, body }: OutboundReply): Response {
  const type = headers['content-type'] ?? '';
  const nonce = headers['dpop-nonce'];
  const kept = { 'content-type': type, ...(nonce === undefined ? {} : { 'dpop-nonce': nonce }) };
  // A challenge would hide the error's name in the body; the status tells the rest.
  const plain = () =>
    new Response(hasBody(status) ? new Uint8Array(body) : null, {
      status,
      headers: kept,
    });
  if (!/^application\/json/i.test(type)) return plain();
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    return plain();
  }
  if (!isObject(value)) return plain();
  const fields = value as Record<string, unknown>;
  const reply = provider.standardReply?.(fields) ?? fields;
  if (typeof reply.access_token !== 'string' && typeof reply.error === 'string' && status === 200)
    return Response.json(reply, { status: 400 });
  if (reply === fields) return plain();
  return Response.json(reply, { status });
}

function hasBody(status: number): boolean {
  return status !== 204 && status !== 205 && status !== 304;
}
