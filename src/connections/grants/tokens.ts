import * as oauth from 'oauth4webapi';
import { isScope } from '../providers/parse.ts';
import { newProofKey, type ProofKey, proofHandle } from '../servers/proof.ts';
import { type Authorities, type Authority, AuthorityFailure, type SeenReply } from './authority.ts';

/** What a token endpoint gave. */
export type Issued = {
  readonly accessToken: string;
  /** null: none came; one that is held already stays good (RFC 6749 section 6). */
  readonly refreshToken: string | null;
  /** Counted from when the request began, so that no clock but ours matters (threats J10); null: not told. */
  readonly lifeMs: number | null;
  /** null: as asked for (RFC 6749 section 5.1). */
  readonly scopes: readonly string[] | null;
  /** The key that they are bound to; null: whoever has them may use them. */
  readonly proofKey: ProofKey | null;
};

/** Who gave the consent, as the provider knows them. */
export type Account = {
  readonly id: string;
  /** For people: an e-mail address or a name. */
  readonly label: string | null;
  readonly email: string | null;
  readonly domain: string | null;
};

/** No provider told us: then there is one account per user and provider. */
const unknownAccount: Account = { id: '', label: null, email: null, domain: null };

export type CodeExchange = {
  /** What `validateAuthResponse` let through. */
  readonly params: URLSearchParams;
  readonly redirectUri: string;
  readonly verifier: string;
  /** Set when `openid` was asked for: the ID token must be there and carry it. */
  readonly nonce: string | null;
  /** Ask for tokens that are bound to a key (RFC 9449). */
  readonly proof: boolean;
};

export type TokenCalls = {
  exchangeCode(authority: Authority, exchange: CodeExchange): Promise<{ issued: Issued; account: Account }>;
  /** Throws AuthorityFailure. */
  refresh(authority: Authority, refreshToken: string, proofKey: ProofKey | null): Promise<Issued>;
  /** RFC 7009; nothing to do where the provider has no such endpoint. Throws AuthorityFailure. */
  revoke(authority: Authority, token: string): Promise<void>;
};

/** `invalid_client` and its like say that we are not accepted, whatever the grant (RFC 6749 section 5.2). */
const ourFaults = new Set([
  'invalid_client',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_request',
  'invalid_scope',
]);

export function createTokenCalls(authorities: Authorities): TokenCalls {
  const told = async <T>(act: (seen: SeenReply) => Promise<T>): Promise<T> => {
    const seen: SeenReply = {};
    try {
      return await act(seen);
    } catch (error) {
      throw failureOf(error, seen);
    }
  };

  const accountOf = async (authority: Authority, accessToken: string, claims: oauth.IDToken | undefined) => {
    const { server, client, provider, resource } = authority;
    // A user has one connection with an MCP server, whoever they are there.
    if (resource !== null)
      return { ...unknownAccount, label: claims === undefined ? null : accountFrom(claims).label };
    if (claims !== undefined) return accountFrom(claims);
    if (server.userinfo_endpoint === undefined) return unknownAccount;
    const reply = await oauth.userInfoRequest(server, client, accessToken, {
      ...authorities.options(provider),
      headers: { 'user-agent': 'mcprank' },
    });
    if (reply.status !== 200) throw new Error(`userinfo answered ${reply.status}`);
    return accountFrom((await reply.json()) as Record<string, unknown>);
  };

  return {
    exchangeCode: (authority, { params, redirectUri, verifier, nonce, proof }) =>
      told(async (seen) => {
        const { server, client, auth, provider } = authority;
        const options = authorities.options(provider, seen);
        let reply = new Response();
        const exchange = (key: ProofKey | null) =>
          proved(authority, key, async (more) => {
            reply = await oauth.authorizationCodeGrantRequest(
              server,
              client,
              auth,
              params,
              redirectUri,
              verifier,
              { ...options, ...more },
            );
            const expected = nonce === null ? {} : { expectedNonce: nonce, requireIdToken: true };
            return oauth.processAuthorizationCodeResponse(server, client, reply, expected);
          });
        let key = proof ? newProofKey() : null;
        const tokens = await exchange(key).catch((error: unknown) => {
          // Neither its metadata nor the resource's said so, but it wants a proof all the same.
          if (key !== null || !wantsProof(error)) throw error;
          key = newProofKey();
          return exchange(key);
        });
        const claims = nonce === null ? undefined : oauth.getValidatedIdTokenClaims(tokens);
        // The token came over TLS from the issuer itself (OpenID Connect Core 3.1.3.7); where its keys are known, check them too.
        if (claims !== undefined && server.jwks_uri !== undefined)
          await oauth.validateApplicationLevelSignature(server, reply, options);
        return {
          issued: issuedFrom(tokens, key),
          account: await accountOf(authority, tokens.access_token, claims),
        };
      }),

    refresh: (authority, refreshToken, proofKey) =>
      told(async (seen) => {
        const { server, client, auth, provider } = authority;
        const options = authorities.options(provider, seen);
        const tokens = await proved(authority, proofKey, async (more) => {
          const all = { ...options, ...more };
          const reply = await oauth.refreshTokenGrantRequest(server, client, auth, refreshToken, all);
          return oauth.processRefreshTokenResponse(server, client, reply);
        });
        return issuedFrom(tokens, proofKey);
      }),

    revoke: ({ server, client, auth, provider }, token) =>
      told(async (seen) => {
        if (server.revocation_endpoint === undefined) return;
        const options = authorities.options(provider, seen);
        const reply = await oauth.revocationRequest(server, client, auth, token, options);
        // 400 is how Google says that there is no such token (any more): just what was wanted.
        if (reply.status !== 400) await oauth.processRevocationResponse(reply);
      }),
  };
}

/** What MCP servers want beside the rest: the resource (threats N2), and a proof with the nonce that the server may ask for (RFC 9449 section 8). */
async function proved<T>(
  { client, resource }: Authority,
  key: ProofKey | null,
  act: (more: {
    readonly additionalParameters?: Record<string, string>;
    readonly DPoP?: oauth.DPoPHandle;
  }) => Promise<T>,
): Promise<T> {
  const more = {
    ...(resource === null ? {} : { additionalParameters: { resource } }),
    ...(key === null ? {} : { DPoP: await proofHandle(client, key) }),
  };
  try {
    return await act(more);
  } catch (error) {
    // The handle has the nonce by now; a code or token that was refused for want of it is not used up.
    if (key === null || !oauth.isDPoPNonceError(error)) throw error;
    return act(more);
  }
}

function wantsProof(error: unknown): boolean {
  return (
    error instanceof oauth.ResponseBodyError &&
    (error.error === 'use_dpop_nonce' || error.error === 'invalid_dpop_proof')
  );
}

function issuedFrom(tokens: oauth.TokenEndpointResponse, proofKey: ProofKey | null): Issued {
  const { expires_in, scope } = tokens;
  return {
    // A server that does not bind what it was asked to bind gives bearer tokens, and says so.
    proofKey: tokens.token_type === 'dpop' ? proofKey : null,
    accessToken: tokens.access_token,
    refreshToken: tokens.refresh_token ?? null,
    lifeMs: expires_in === undefined || !(expires_in > 0) ? null : Math.round(expires_in * 1_000),
    // GitHub parts them with commas.
    scopes: scope === undefined ? null : [...new Set(scope.split(/[ ,]+/).filter(isScope))],
  };
}

/** The identifiers of OpenID Connect, GitHub, Microsoft Graph and Slack, in that order. */
function accountFrom(fields: Readonly<Record<string, unknown>>): Account {
  const first = (...names: string[]) => {
    for (const name of names) {
      const value = fields[name];
      if (typeof value === 'string' && value !== '') return value.slice(0, 300);
      if (typeof value === 'number') return String(value);
    }
    return null;
  };
  // An address that the provider did not verify says nothing about who this is.
  const email = fields.email_verified === false ? null : first('email', 'mail', 'userPrincipalName');
  return {
    id: first('sub', 'id', 'user_id') ?? '',
    label: first('email', 'mail', 'userPrincipalName', 'login', 'user', 'name'),
    email,
    domain: first('hd'),
  };
}

function failureOf(error: unknown, seen: SeenReply): AuthorityFailure {
  if (error instanceof oauth.ResponseBodyError) {
    if (error.error === 'invalid_grant') return new AuthorityFailure('dead', error);
    const busy = error.status >= 500 || error.status === 429;
    if (!busy && (ourFaults.has(error.error) || error.status === 401))
      return new AuthorityFailure('misconfigured', error);
  }
  if (seen.status === 401) return new AuthorityFailure('misconfigured', error);
  return new AuthorityFailure('transient', error, seen.retryAfterMs);
}
