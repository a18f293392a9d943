import * as oauth from 'oauth4webapi';
import type { Clock } from '../../base/clock.ts';
import { Problem } from '../../base/problem.ts';
import type { AssertFor, createOAuthFetch } from '../../connections/connections.ts';
import {
  type Connections,
  preferredAuthMethod,
  toClient,
  toClientAuth,
} from '../../connections/connections.ts';
import { type CompanyTokens, type SubjectToken, subjectTokens, tokensIn } from './company-tokens.ts';
import { type CompanyConfig, describePerson, groupsOf, type Person, PersonGone } from './person.ts';

type Wanted = Parameters<AssertFor>[1];

/** What a browser carries there and back. */
export type Errand = {
  readonly redirectUri: string;
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
};

/** Asked for where the provider knows them: the second brings refresh tokens, the third groups. */
const wantedScopes = ['openid', 'profile', 'email', 'offline_access', 'groups'];
const alwaysScopes = new Set(['openid', 'profile', 'email']);

/** A person in a thousand groups is a long story. */
const maxBytes = 1_048_576;
/** By these the userinfo endpoint says that an access token is over. */
const refused: ReadonlySet<number> = new Set([401, 403]);
const keepMs = 600_000;
const retryMs = 30_000;

/** What every question to it is asked with. */
function createCompanyClient(
  config: CompanyConfig,
  fetchFor: ReturnType<typeof createOAuthFetch>,
  clock: Clock,
) {
  const options = fetchFor({}, { maxBytes });
  const client = toClient(config.clientId);
  const read = async () => {
    const issuer = new URL(config.issuer);
    return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, options));
  };
  let known: { readonly server: Promise<oauth.AuthorizationServer>; readonly until: number } | undefined;
  /** Read again every ten minutes: its endpoints and keys may move. While it is away, what it said last holds. */
  const discover = (): Promise<oauth.AuthorizationServer> => {
    const now = clock.monotonic();
    if (known !== undefined && now < known.until) return known.server;
    const last = known?.server;
    const server = read().catch((error: unknown) => {
      known = last === undefined ? undefined : { server: last, until: now + retryMs };
      if (last !== undefined) return last;
      throw asAway(error);
    });
    known = { server, until: now + keepMs };
    return server;
  };
  const authOf = (server: oauth.AuthorizationServer) =>
    toClientAuth(preferredAuthMethod(server), config.clientSecret?.reveal() ?? null);
  const userInfo = async (server: oauth.AuthorizationServer, access: string, subject: string) => {
    const reply = await oauth.userInfoRequest(server, client, access, options);
    if (refused.has(reply.status))
      throw new PersonGone("Your company's sign-in does not say any more who this is: start again");
    return oauth.processUserInfoResponse(server, client, subject, reply);
  };
  /** What is not in the ID token stands at the userinfo endpoint. */
  const personOf = async (
    server: oauth.AuthorizationServer,
    claims: Readonly<Record<string, unknown>>,
    access: string,
  ): Promise<Person> => {
    const lacks = groupsOf(config, claims) === null || claims.email === undefined;
    const more =
      lacks && server.userinfo_endpoint !== undefined
        ? await userInfo(server, access, String(claims.sub))
        : {};
    return describePerson(config, { ...more, ...claims });
  };
  return { options, client, discover, authOf, userInfo, personOf };
}

export function createIdentityProvider(
  config: CompanyConfig,
  fetchFor: ReturnType<typeof createOAuthFetch>,
  /** What it wants beside the standard, as for anybody else who sends people there. */
  parametersOf: Connections['parametersOf'],
  clock: Clock,
) {
  const asked = createCompanyClient(config, fetchFor, clock);
  const { options, client, discover, authOf, userInfo, personOf } = asked;
  const keep = (reply: oauth.TokenEndpointResponse, former: CompanyTokens | null) =>
    tokensIn(reply, { former, keepsIdentity: config.takesAssertions, now: clock.now() });
  return {
    async authorizationUrl({ redirectUri, state, nonce, verifier }: Errand): Promise<string> {
      const server = await discover();
      const url = new URL(String(server.authorization_endpoint));
      const offered = new Set(server.scopes_supported);
      const { authorizationParams, offlinePrompt } = parametersOf(server);
      const scopes = wantedScopes.filter((scope) => alwaysScopes.has(scope) || offered.has(scope));
      const params = {
        response_type: 'code',
        client_id: config.clientId,
        redirect_uri: redirectUri,
        scope: scopes.join(' '),
        state,
        nonce,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        ...authorizationParams,
        // OpenID Connect Core section 11: without it some give no refresh token.
        ...(scopes.includes('offline_access') && offlinePrompt !== null && { prompt: offlinePrompt }),
      };
      for (const [name, value] of Object.entries(params)) url.searchParams.set(name, value);
      return url.href;
    },

    /** Who came back. Throws `invalid_request` in words, `upstream_error`. */
    async finish(query: URLSearchParams, { redirectUri, state, nonce, verifier }: Errand) {
      const server = await discover();
      try {
        const params = oauth.validateAuthResponse(server, client, query, state);
        const reply = await oauth.processAuthorizationCodeResponse(
          server,
          client,
          await oauth.authorizationCodeGrantRequest(
            server,
            client,
            authOf(server),
            params,
            redirectUri,
            verifier,
            options,
          ),
          { expectedNonce: nonce, requireIdToken: true },
        );
        const claims = oauth.getValidatedIdTokenClaims(reply) as oauth.IDToken;
        return { person: await personOf(server, claims, reply.access_token), tokens: keep(reply, null) };
      } catch (error) {
        throw toRefusal(error);
      }
    },

    /** The same person a while later. Throws `PersonGone`, and `upstream_error` where the provider cannot be asked. */
    async again(subject: string, tokens: CompanyTokens) {
      const server = await discover();
      try {
        if (tokens.refresh === null)
          return {
            person: describePerson(config, await userInfo(server, tokens.access, subject)),
            tokens,
          };
        const reply = await oauth.processRefreshTokenResponse(
          server,
          client,
          await oauth.refreshTokenGrantRequest(server, client, authOf(server), tokens.refresh, options),
        );
        const claims = oauth.getValidatedIdTokenClaims(reply);
        const said = claims ?? (await userInfo(server, reply.access_token, subject));
        if (said.sub !== subject) throw new PersonGone('another subject');
        return {
          person: await personOf(server, said, reply.access_token),
          tokens: keep(reply, tokens),
        };
      } catch (error) {
        if (isOver(error)) throw new PersonGone('the provider does not know them any more', { cause: error });
        throw asAway(error);
      }
    },

    /** Its word for a person towards another authorization server; null: it gives none. Throws `upstream_error`. */
    async assertion(tokens: CompanyTokens, wanted: Wanted): Promise<string | null> {
      for (const subject of subjectTokens(tokens, clock.now())) {
        const given = await askForAssertion(asked, subject, wanted);
        if (given !== null) return given;
      }
      return null;
    },

    jwksUri: async () => String((await discover()).jwks_uri),
  };
}

export type IdentityProvider = ReturnType<typeof createIdentityProvider>;

/** RFC 8693, for an ID-JAG; null: it gives none for that token. */
async function askForAssertion(
  { options, client, discover, authOf }: ReturnType<typeof createCompanyClient>,
  subject: SubjectToken,
  { audience, resource, scopes }: Wanted,
): Promise<string | null> {
  const server = await discover();
  const params = new URLSearchParams({
    requested_token_type: tokenType('id-jag'),
    audience,
    resource,
    subject_token: subject.token,
    subject_token_type: tokenType(subject.type),
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
  });
  const grant = 'urn:ietf:params:oauth:grant-type:token-exchange';
  const reply = await oauth
    .genericTokenEndpointRequest(server, client, authOf(server), grant, params, options)
    .catch((error: unknown) => {
      throw asAway(error);
    });
  const body = (await reply.json().catch(() => ({}))) as Readonly<Record<string, unknown>>;
  const isGiven = reply.status === 200 && body.issued_token_type === tokenType('id-jag');
  return isGiven && typeof body.access_token === 'string' ? body.access_token : null;
}

function tokenType(name: string): string {
  return `urn:ietf:params:oauth:token-type:${name}`;
}

/** The grant is over, or the access token is: it said so itself. */
function isOver(error: unknown): boolean {
  if (error instanceof PersonGone) return true;
  return error instanceof oauth.ResponseBodyError && error.error === 'invalid_grant';
}

function toRefusal(error: unknown): Problem {
  if (error instanceof PersonGone) return new Problem('denied', error.message);
  if (error instanceof oauth.AuthorizationResponseError)
    return new Problem('invalid_request', `Your company's sign-in was not finished (${error.error})`, {
      cause: error,
    });
  if (error instanceof oauth.ResponseBodyError || error instanceof oauth.OperationProcessingError)
    return new Problem('invalid_request', "Your company's sign-in could not be read: start again", {
      cause: error,
    });
  return asAway(error);
}

/** What goes wrong on the way there is for the log; people read that it cannot be reached. */
function asAway(error: unknown): Problem {
  return error instanceof Problem && error.kind !== 'upstream_error' ? error : away(error);
}

function away(cause: unknown): Problem {
  return new Problem('upstream_error', "Your company's sign-in cannot be reached: try again in a while", {
    cause,
  });
}
