import * as oauth from 'oauth4webapi';
import type { JsonObject } from '../../base/json.ts';
import type { AuthorizationServer } from '../authorization-servers/authorization-servers.ts';
import type { OAuthFetch, SeenReply } from '../authorization-servers/oauth-fetch.ts';
import { type Account, toAccount, unknownAccount } from '../providers/account.ts';
import { isScope, type Provider } from '../providers/oauth-provider.ts';
import { judgeTokenError, type TokenRefusal } from '../providers/token-errors.ts';
import { parseObject } from '../providers/token-reply.ts';
import { type DPoPKey, dpopHandle, newDPoPKey } from './dpop.ts';

/** What a token endpoint gave. */
export type IssuedTokens = {
  readonly accessToken: string;
  /** null: none came; one that is held already stays good (RFC 6749 section 6). */
  readonly refreshToken: string | null;
  /** Counted from when the request began, so that no clock but ours matters (threats J10); null: not told. */
  readonly lifeMs: number | null;
  /** null: as asked for (RFC 6749 section 5.1). */
  readonly scopes: readonly string[] | null;
  /** The key that they are bound to; null: whoever has them may use them. */
  readonly dpopKey: DPoPKey | null;
};

export type CodeExchange = {
  /** What `validateAuthResponse` let through. */
  readonly params: URLSearchParams;
  readonly redirectUri: string;
  readonly verifier: string;
  /** Set when `openid` was asked for: the ID token must be there and carry it. */
  readonly nonce: string | null;
  /** Ask for tokens that are bound to a key (RFC 9449). */
  readonly wantsDPoP: boolean;
};

/** As a refusal's kinds, and `unusable`: a complete answer without tokens that could be used. */
export type TokenFailureReason = TokenRefusal | 'unusable';

export class TokenEndpointFailure extends Error {
  readonly reason: TokenFailureReason;
  readonly retryAfterMs: number | undefined;
  /** What it said, as far as it can be repeated to others: the error's name, or why its answer is no use. */
  readonly words: string | null;

  constructor(
    reason: TokenFailureReason,
    cause: unknown,
    {
      retryAfterMs,
      words = null,
    }: { readonly retryAfterMs?: number | undefined; readonly words?: string | null } = {},
  ) {
    super(`token endpoint: ${reason}${words === null ? '' : ` (${words})`}`, { cause });
    this.name = 'TokenEndpointFailure';
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
    this.words = words;
  }
}

/** All of them throw TokenEndpointFailure. */
export type TokenEndpoint = {
  exchangeCode(
    server: AuthorizationServer,
    exchange: CodeExchange,
  ): Promise<{ readonly issued: IssuedTokens; readonly account: Account }>;
  refresh(server: AuthorizationServer, refreshToken: string, dpopKey: DPoPKey | null): Promise<IssuedTokens>;
  /** For ourselves, without a user. */
  clientCredentials(server: AuthorizationServer, scopes: readonly string[]): Promise<IssuedTokens>;
  /** For a user whom somebody vouches for (RFC 7523 section 2.1). */
  assertion(server: AuthorizationServer, assertion: string, scopes: readonly string[]): Promise<IssuedTokens>;
  /** RFC 7009; nothing to do where the provider has no such endpoint. */
  revoke(server: AuthorizationServer, token: string): Promise<void>;
};

export function createTokenEndpoint(oauthFetch: OAuthFetch): TokenEndpoint {
  const call = async <T>(act: (seen: SeenReply) => Promise<T>): Promise<T> => {
    const seen: SeenReply = {};
    try {
      return await act(seen);
    } catch (error) {
      throw toFailure(error, seen);
    }
  };
  return {
    exchangeCode: (server, exchange) =>
      call((seen) => exchangeCode(oauthFetch, server, { ...exchange, seen })),
    refresh: (server, refreshToken, dpopKey) =>
      call(async (seen) => {
        const { metadata, client, auth, provider } = server;
        const options = oauthFetch(provider, { seen });
        const tokens = await withBinding(server, dpopKey, async (binding) => {
          const all = { ...options, ...binding };
          const reply = await oauth.refreshTokenGrantRequest(metadata, client, auth, refreshToken, all);
          return oauth.processRefreshTokenResponse(metadata, client, await withoutIdToken(reply));
        });
        return toIssuedTokens(tokens, provider, dpopKey);
      }),
    clientCredentials: ({ metadata, client, auth, provider, resource }, scopes) =>
      call(async (seen) => {
        const options = oauthFetch(provider, { seen });
        const params = new URLSearchParams(resource === null ? {} : { resource });
        if (scopes.length > 0) params.set('scope', scopes.join(' '));
        const reply = await oauth.clientCredentialsGrantRequest(metadata, client, auth, params, options);
        return toIssuedTokens(
          await oauth.processClientCredentialsResponse(metadata, client, await withoutIdToken(reply)),
          provider,
          null,
        );
      }),
    assertion: ({ metadata, client, auth, provider, resource }, assertion, scopes) =>
      call(async (seen) => {
        const options = oauthFetch(provider, { seen });
        const params = new URLSearchParams({ assertion, ...(resource !== null && { resource }) });
        if (scopes.length > 0) params.set('scope', scopes.join(' '));
        const grant = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
        const reply = await oauth.genericTokenEndpointRequest(metadata, client, auth, grant, params, options);
        return toIssuedTokens(
          await oauth.processGenericTokenEndpointResponse(metadata, client, await withoutIdToken(reply)),
          provider,
          null,
        );
      }),
    revoke: ({ metadata, client, auth, provider }, token) =>
      call(async () => {
        if (metadata.revocation_endpoint === undefined) return;
        const options = oauthFetch(provider);
        const reply = await oauth.revocationRequest(metadata, client, auth, token, options);
        // 400 is how Google says that there is no such token (any more): just what was wanted.
        if (reply.status !== 400) await oauth.processRevocationResponse(reply);
      }),
  };
}

async function exchangeCode(
  oauthFetch: OAuthFetch,
  server: AuthorizationServer,
  { params, redirectUri, verifier, nonce, wantsDPoP, seen }: CodeExchange & { readonly seen: SeenReply },
): Promise<{ readonly issued: IssuedTokens; readonly account: Account }> {
  const { metadata, client, auth, provider } = server;
  const options = oauthFetch(provider, { seen });
  let reply = new Response();
  const request = (key: DPoPKey | null) =>
    withBinding(server, key, async (binding) => {
      const all = { ...options, ...binding };
      reply = await oauth.authorizationCodeGrantRequest(
        metadata,
        client,
        auth,
        params,
        redirectUri,
        verifier,
        all,
      );
      if (nonce === null) reply = await withoutIdToken(reply);
      const expected = nonce === null ? {} : { expectedNonce: nonce, requireIdToken: true };
      return oauth.processAuthorizationCodeResponse(metadata, client, reply, expected);
    });
  let key = wantsDPoP ? newDPoPKey() : null;
  const tokens = await request(key).catch((error: unknown) => {
    // Neither its metadata nor the resource's said so, but it wants a proof all the same.
    if (key !== null || !isProofWanted(error)) throw error;
    key = newDPoPKey();
    return request(key);
  });
  const claims = nonce === null ? undefined : oauth.getValidatedIdTokenClaims(tokens);
  // The token came over TLS from the issuer itself (OpenID Connect Core 3.1.3.7); where its keys are known, check them too.
  if (claims !== undefined && metadata.jwks_uri !== undefined)
    await oauth.validateApplicationLevelSignature(metadata, reply, oauthFetch(provider));
  return {
    issued: toIssuedTokens(tokens, provider, key),
    account: await readAccount(oauthFetch, server, { accessToken: tokens.access_token, claims }),
  };
}

async function readAccount(
  oauthFetch: OAuthFetch,
  { metadata, client, provider, resource }: AuthorizationServer,
  { accessToken, claims }: { readonly accessToken: string; readonly claims: oauth.IDToken | undefined },
): Promise<Account> {
  const { accountFields } = provider;
  const claimed = claims === undefined ? null : toAccount(claims, accountFields);
  // A user has one connection with an MCP server, whoever they are there.
  if (resource !== null) return { ...unknownAccount, label: claimed?.label ?? null };
  if (claimed !== null) return claimed;
  if (metadata.userinfo_endpoint === undefined) return unknownAccount;
  const reply = await oauth.userInfoRequest(metadata, client, accessToken, {
    ...oauthFetch(provider),
    headers: { 'user-agent': 'mcprank' },
  });
  const told = parseObject(await reply.text());
  // Slack says `ok: false` with status 200.
  if (reply.status !== 200 || told === undefined || told.ok === false)
    throw new Error(`userinfo answered ${reply.status} without an account`);
  return toAccount(told, accountFields);
}

/** What MCP servers want beside the rest: the resource (threats N2), and a proof with the nonce that the server may ask for (RFC 9449 section 8). */
async function withBinding<T>(
  { client, resource }: AuthorizationServer,
  key: DPoPKey | null,
  act: (binding: {
    readonly additionalParameters?: Record<string, string>;
    readonly DPoP?: oauth.DPoPHandle;
  }) => Promise<T>,
): Promise<T> {
  const binding = {
    ...(resource === null ? {} : { additionalParameters: { resource } }),
    ...(key === null ? {} : { DPoP: await dpopHandle(client, key) }),
  };
  try {
    return await act(binding);
  } catch (error) {
    // The handle has the nonce by now; a code or token that was refused for want of it is not used up.
    if (key === null || !oauth.isDPoPNonceError(error)) throw error;
    return act(binding);
  }
}

function isProofWanted(error: unknown): boolean {
  return (
    error instanceof oauth.ResponseBodyError &&
    (error.error === 'use_dpop_nonce' || error.error === 'invalid_dpop_proof')
  );
}

function toIssuedTokens(
  tokens: oauth.TokenEndpointResponse,
  { scopeSeparator }: Provider,
  dpopKey: DPoPKey | null,
): IssuedTokens {
  const { expires_in, scope } = tokens;
  return {
    // A server that does not bind what it was asked to bind gives bearer tokens, and says so.
    dpopKey: tokens.token_type === 'dpop' ? dpopKey : null,
    accessToken: tokens.access_token,
    refreshToken: tokens.refresh_token ?? null,
    lifeMs: expires_in === undefined || !(expires_in > 0) ? null : Math.round(expires_in * 1_000),
    scopes: scope === undefined ? null : [...new Set(scope.split(scopeSeparator).filter(isScope))],
  };
}

/** One that nobody asked for is neither checked nor used. */
async function withoutIdToken(reply: Response): Promise<Response> {
  if (reply.status !== 200) return reply;
  const { id_token: _, ...body } = (await reply.json()) as JsonObject;
  return Response.json(body, { headers: reply.headers });
}

function toFailure(error: unknown, { reply, retryAfterMs }: SeenReply): TokenEndpointFailure {
  if (reply?.kind === 'unusable') return new TokenEndpointFailure('unusable', error, { words: reply.why });
  if (reply?.kind === 'error') {
    const words = reply.error.name ?? `status ${reply.error.status}`;
    return new TokenEndpointFailure(judgeTokenError(reply.error), error, { retryAfterMs, words });
  }
  // There were tokens, and something beside them is wrong.
  if (reply?.kind === 'tokens' && error instanceof oauth.OperationProcessingError)
    return new TokenEndpointFailure('unusable', error, { words: 'its ID token is missing or not valid' });
  return new TokenEndpointFailure('transient', error, { retryAfterMs });
}
