import { Type } from 'typebox';
import type { HostCheck } from '../base/own-hosts.ts';
import { Problem, problemTable } from '../base/problem.ts';
import type { ConsoleSessions } from '../http/http.ts';
import { type Call, json, type OtherReply, type Reply, type Route, route } from '../http/route.ts';
import { type Asked, isDoor, type SignIn } from '../sign-in/sign-in.ts';
import { strict } from './field-schemas.ts';
import { pageHeaders } from './html.ts';
import type { Me } from './me-routes.ts';
import { asPage, redirectTo } from './page-answers.ts';
import { oauthFaultPage, signInPage } from './sign-in-pages.ts';

const oauthErrorSchema = Type.Object(
  { error: Type.String(), error_description: Type.Optional(Type.String()) },
  { $id: 'OAuthError', description: 'RFC 6749 section 5.2' },
);
const oauthErrors: readonly OtherReply[] = [400, 401, 403, 429, 500, 503].map((status) => ({
  status,
  description: 'an error of OAuth',
  schema: oauthErrorSchema,
}));
const page = { description: 'A page', contentType: 'text/html' };
const faultPages = [400, 401, 403, 404, 429, 500, 502, 503].map((status) => ({ ...page, status }));
const onwards = { status: 303, description: 'On to where Location says' };
const anyObject = Type.Object({}, { additionalProperties: true });
const metadataSchema = Type.Object(
  {
    resource: Type.String({ format: 'uri' }),
    authorization_servers: Type.Array(Type.String({ format: 'uri' })),
    scopes_supported: Type.Array(Type.String()),
    bearer_methods_supported: Type.Array(Type.String()),
    resource_name: Type.String(),
  },
  { $id: 'ProtectedResource', description: 'RFC 9728' },
);
const serverSchema = Type.Object(
  {
    issuer: Type.String({ format: 'uri' }),
    authorization_endpoint: Type.String({ format: 'uri' }),
    token_endpoint: Type.String({ format: 'uri' }),
    registration_endpoint: Type.String({ format: 'uri' }),
  },
  { $id: 'AuthorizationServer', description: 'RFC 8414', additionalProperties: true },
);
const uid = Type.Object({
  uid: Type.String({ pattern: '^[A-Za-z0-9_-]{1,100}$', examples: ['k3'.repeat(21)] }),
});
/** As much as the library reads. */
const maxBodyBytes = 65_536;

type AnyCall = Call<unknown, unknown, unknown>;
type Deps = {
  readonly signIn: SignIn;
  readonly checkHost: HostCheck;
  readonly sessions: Pick<ConsoleSessions, 'open'>;
  /** The cookie of somebody's own page. */
  readonly meCookie: (me: Me) => string;
  /** Writes a sign-in to the console into the audit trail. */
  readonly note: (who: { readonly keyId: string; readonly developerId: string }) => Promise<void>;
};

/** We as an authorization server: its endpoints, its documents, and the page that asks a person. */
export function signInRoutes(deps: Deps): Route[] {
  return [
    ...endpointRoutes(deps),
    ...consentRoutes(deps),
    ...companyRoutes(deps),
    ...documentRoutes(deps.signIn),
  ];
}

function endpointRoutes({ signIn, checkHost }: Deps): Route[] {
  const answer = async (call: AnyCall, method: 'GET' | 'POST'): Promise<Reply<never>> => {
    if (method === 'GET') return (await asPage(() => pass(call, method))) as Reply<never>;
    try {
      return await pass(call, method);
    } catch (error) {
      if (!(error instanceof Problem) || error.kind === 'internal') throw error;
      return oauthProblem(error);
    }
  };
  const pass = async (call: AnyCall, method: 'GET' | 'POST'): Promise<Reply<never>> => {
    checkHost(call.headers);
    const { target, headers, bytes: body, address } = call;
    const answered = await signIn.answer({ method, target, headers, body, address });
    if (answered.kind === 'page') return oauthFaultPage(answered.fault) as Reply<never>;
    const { status, headers: named } = answered;
    const { 'content-type': contentType, ...rest } = named;
    return {
      status,
      body: answered.body,
      headers: { ...rest, ...(status === 303 && pageHeaders) },
      ...(contentType !== undefined && { contentType: String(contentType) }),
    };
  };
  const posted = { method: 'POST', scope: null, rawBody: true, maxBodyBytes, body: anyObject } as const;
  const asked = { method: 'GET', scope: null, status: 303, reply: null } as const;
  const otherReplies = [onwards, ...faultPages];
  return [
    route({
      ...asked,
      url: '/authorize',
      summary:
        'Where clients of MCP send their users: authorization code with PKCE S256 (RFC 6749, RFC 8707, RFC 9207)',
      otherReplies,
      handle: (call) => answer(call, 'GET'),
    }),
    route({
      ...asked,
      url: '/authorize/:uid',
      params: uid,
      summary: 'Back to the client, once a person has decided',
      otherReplies,
      handle: (call) => answer(call, 'GET'),
    }),
    route({
      ...posted,
      url: '/token',
      form: true,
      summary: 'A code or a refresh token for tokens (RFC 6749)',
      reply: anyObject,
      otherReplies: oauthErrors,
      handle: (call) => answer(call, 'POST'),
    }),
    route({
      ...posted,
      url: '/register',
      status: 201,
      summary: 'Registers a client (RFC 7591): so many of one address in a day, and unused ones for a day',
      reply: anyObject,
      otherReplies: oauthErrors,
      handle: (call) => answer(call, 'POST'),
    }),
    route({
      ...posted,
      url: '/revoke',
      form: true,
      summary: 'Ends a token of the asking client, or all of a consent (RFC 7009)',
      reply: null,
      otherReplies: [{ status: 200, description: 'it is over' }, ...oauthErrors],
      handle: (call) => answer(call, 'POST'),
    }),
    route({
      ...posted,
      url: '/introspect',
      form: true,
      summary: 'What a token of the asking client is good for (RFC 7662)',
      reply: anyObject,
      otherReplies: oauthErrors,
      handle: (call) => answer(call, 'POST'),
    }),
  ];
}

/** What is told elsewhere in our own form, in that of OAuth (RFC 6749 section 5.2). */
function oauthProblem({ kind, detail, retryAfterMs }: Problem): Reply<never> {
  const { status } = problemTable[kind];
  const error = status === 429 || status >= 500 ? 'temporarily_unavailable' : 'invalid_request';
  return {
    status,
    body: JSON.stringify({ error, error_description: detail }),
    headers: {
      'cache-control': 'no-store',
      ...(retryAfterMs !== undefined && { 'retry-after': String(Math.ceil(retryAfterMs / 1_000)) }),
    },
  };
}

const decision = Type.Object(
  {
    decision: Type.Union([Type.Literal('allow'), Type.Literal('cancel')]),
    key: Type.Optional(Type.String({ maxLength: 200 })),
    user_id: Type.Optional(Type.String({ maxLength: 256 })),
  },
  strict,
);

/** The page that asks; keys come in its form and go nowhere. */
function consentRoutes({ signIn, checkHost }: Deps): Route[] {
  const company = signIn.company?.name ?? null;
  const shownAt = (id: string) => ({ action: `/sign-in/${id}`, company });
  const decide = async ({ uid: id, key = '', userId, headers, address }: Decided): Promise<Reply> => {
    const consent = await signIn.consent();
    const asked = await consent.show(id, headers);
    if (signIn.company !== null) {
      const { location, cookie } = await (await signIn.company.pages()).begin(id, headers);
      return redirectTo(location, cookie);
    }
    return consent
      .agreeWithKey(id, headers, { key: key.trim(), userId, address })

      .then(
        (location) => redirectTo(location),
        (error: unknown) => askAgain(asked, shownAt(id), error),
      );
  };
  return [
    route({
      method: 'GET',
      url: '/sign-in/:uid',
      summary: 'Asks who it is, and whether the client may',
      scope: null,
      params: uid,
      reply: null,
      otherReplies: [{ ...page, status: 200 }, ...faultPages],
      handle: ({ params, headers }) =>
        asPage(async () => {
          checkHost(headers);
          const consent = await signIn.consent();
          return signInPage(await consent.show(params.uid, headers), shownAt(params.uid));
        }),
    }),
    route({
      method: 'POST',
      url: '/sign-in/:uid',
      summary: 'Its buttons',
      scope: null,
      status: 303,
      params: uid,
      form: true,
      body: decision,
      reply: null,
      otherReplies: [onwards, ...faultPages],
      handle: ({ params, body, headers, address }) =>
        asPage(async () => {
          checkHost(headers);
          if (body.decision === 'allow')
            return decide({
              uid: params.uid,
              key: body.key,
              userId: body.user_id?.trim() || null,
              headers,
              address,
            });
          const consent = await signIn.consent();
          return redirectTo(await consent.refuse(params.uid, headers));
        }),
    }),
  ];
}

type Decided = {
  readonly uid: string;
  readonly key: string | undefined;
  readonly userId: string | null;
  readonly headers: AnyCall['headers'];
  readonly address: string;
};

/** The way back from the company's provider, and what it says by itself. */
function companyRoutes({ signIn, checkHost, sessions, note, meCookie }: Deps): Route[] {
  const { company } = signIn;
  if (company === null) return [];
  return [
    route({
      method: 'GET',
      url: '/sign-in/callback',
      summary: "The way back from the company's provider",
      scope: null,
      status: 303,
      query: Type.Record(Type.String(), Type.String({ maxLength: 8_192 })),
      reply: null,
      otherReplies: [onwards, ...faultPages],
      handle: ({ query, headers }) =>
        asPage(async () => {
          checkHost(headers);
          const pages = await company.pages();
          const done = await pages.finish(new URLSearchParams(query), headers);
          if (done.at === null) return redirectTo(done.location, done.cookie);
          const { to, accountId: keyId, session, developerId, userId } = done.at;
          if (to === 'me')
            return redirectTo(
              '/me',
              done.cookie,
              meCookie({ keyId, session, developerId, userId, appName: company.developer }),
            );
          await note({ keyId, developerId });
          return redirectTo('/', done.cookie, sessions.open(session).cookie);
        }),
    }),
    ...(['console', 'me'] as const).map((to) =>
      route({
        method: 'GET',
        url: `/${to}/sign-in`,
        summary: "To it by way of the company's provider",
        scope: null,
        status: 303,
        reply: null,
        otherReplies: [onwards, ...faultPages],
        handle: ({ headers }) =>
          asPage(async () => {
            checkHost(headers);
            const { location, cookie } = await (await company.pages()).beginAt(to);
            return redirectTo(location, cookie);
          }),
      }),
    ),
    route({
      method: 'POST',
      url: '/sign-in/backchannel-logout',
      summary: "The company's provider signs somebody out (OpenID Connect Back-Channel Logout 1.0)",
      scope: null,
      form: true,
      body: Type.Object({ logout_token: Type.String({ maxLength: 16_384 }) }),
      reply: null,
      otherReplies: [{ status: 200, description: 'signed out' }],
      problems: ['invalid_request', 'upstream_error'],
      handle: async ({ body }) => {
        await company.logOut(body.logout_token);
        return { status: 200, body: '', headers: { 'cache-control': 'no-store' } };
      },
    }),
  ];
}

const correctable = new Set(['invalid_api_key', 'missing_scope', 'invalid_request', 'rate_limited']);

/** The same page with what was wrong. A 401 would want a challenge that no browser answers. */
function askAgain(asked: Asked, shownAt: { action: string; company: string | null }, error: unknown): Reply {
  if (!(error instanceof Problem) || !correctable.has(error.kind)) throw error;
  const { status } = problemTable[error.kind];
  const fault = { status: status === 401 ? 403 : status, detail: error.detail };
  return signInPage(asked, { ...shownAt, fault });
}

const anyName = Type.Object({ name: Type.String({ maxLength: 1_000 }) });
/** The path of a door, behind the well-known place. */
const doorPath = Type.Object({ '*': Type.String({ maxLength: 1_100 }) });

/** Where clients look for them, in whatever order: the same document everywhere (RFC 8414, OpenID, RFC 9728). */
function documentRoutes(signIn: SignIn): Route[] {
  const described = { method: 'GET', scope: null } as const;
  const slashed = { finalSlash: true } as const;
  const server = {
    ...described,
    summary: 'Where and how people sign in (RFC 8414)',
    reply: serverSchema,
    handle: () => json(signIn.serverMetadata()),
  };
  const resource = '/.well-known/oauth-protected-resource';
  const protectedResource = {
    ...described,
    summary: 'Who gives tokens for the door of MCP at that path (RFC 9728)',
    reply: metadataSchema,
    handle: ({ target, headers }: Pick<AnyCall, 'target' | 'headers'>) => {
      const path = pathBehind(target, resource);
      const found = path === '' || isDoor(path) ? signIn.resourceMetadata(path, headers.host) : null;
      if (found === null) throw noDoor();
      return json(found);
    },
  };
  return [
    ...['oauth-authorization-server', 'openid-configuration'].flatMap((name) => {
      const place = `/.well-known/${name}`;
      return [
        route({ ...server, ...slashed, url: place }),
        route({
          ...server,
          url: `${place}/*`,
          params: doorPath,
          problems: ['not_found'],
          handle: ({ target }) => {
            if (!isDoor(pathBehind(target, place))) throw noDoor();
            return json(signIn.serverMetadata());
          },
        }),
        route({ ...server, ...slashed, url: `/mcp${place}` }),
        route({ ...server, url: `/mcp/t/:name${place}`, params: anyName, ...slashed }),
        route({ ...server, url: `/mcp/servers/:name${place}`, params: anyName, ...slashed }),
      ];
    }),
    route({ ...protectedResource, ...slashed, url: resource }),
    route({ ...protectedResource, url: `${resource}/*`, params: doorPath, problems: ['not_found'] }),
  ];
}

function pathBehind(target: string, place: string): string {
  return (target.split('?', 1)[0] ?? '').slice(place.length);
}

function noDoor(): Problem {
  return new Problem('not_found', 'There is no MCP server of ours at that path');
}
