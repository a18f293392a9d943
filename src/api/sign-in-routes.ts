import { Type } from 'typebox';
import type { HostCheck } from '../base/own-hosts.ts';
import { Problem, problemTable } from '../base/problem.ts';
import type { ConsoleSessions } from '../http/http.ts';
import { type Call, type Reply, type Route, route } from '../http/route.ts';
import type { Asked, SignIn } from '../sign-in/sign-in.ts';
import { strict } from './field-schemas.ts';
import type { Me } from './me-routes.ts';
import { oauthEndpointRoutes, uid } from './oauth-endpoint-routes.ts';
import { oauthMetadataRoutes } from './oauth-metadata-routes.ts';
import { faultPages, onwards, page, pageRefusal, redirectTo } from './page-answers.ts';
import { signInPage } from './sign-in-pages.ts';

const faults = faultPages(400, 401, 403, 404, 429, 500, 502, 503);

type AnyCall = Call<unknown, unknown, unknown>;
type Deps = {
  readonly signIn: SignIn;
  readonly checkHost: HostCheck;
  readonly sessions: Pick<ConsoleSessions, 'open'>;
  /** The cookie of somebody's own page. */
  readonly meCookie: (me: Me) => string;
  /** Writes a sign-in to a page of ours into the audit trail. */
  readonly note: (who: Pick<Me, 'keyId' | 'developerId' | 'userId'>) => Promise<void>;
};

/** We as an authorization server: its endpoints, its documents, and the page that asks a person. */
export function signInRoutes(deps: Deps): Route[] {
  return [
    ...oauthEndpointRoutes(deps),
    ...consentRoutes(deps),
    ...companyRoutes(deps),
    ...oauthMetadataRoutes(deps.signIn),
  ];
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
    return consent.agreeWithKey(id, headers, { key: key.trim(), userId, address }).then(
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
      refusal: pageRefusal,
      otherReplies: [{ ...page, status: 200 }, ...faults],
      handle: async ({ params, headers }) => {
        checkHost(headers);
        const consent = await signIn.consent();
        return signInPage(await consent.show(params.uid, headers), shownAt(params.uid));
      },
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
      refusal: pageRefusal,
      otherReplies: [onwards, ...faults],
      handle: async ({ params, body, headers, address }) => {
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
      },
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
      refusal: pageRefusal,
      otherReplies: [onwards, ...faults],
      handle: async ({ query, headers }) => {
        checkHost(headers);
        const pages = await company.pages();
        const done = await pages.finish(new URLSearchParams(query), headers);
        if (done.at === null) return redirectTo(done.location, done.cookie);
        const { to, accountId: keyId, session, developerId, userId } = done.at;
        await note({ keyId, developerId, userId });
        if (to === 'me')
          return redirectTo(
            '/me',
            done.cookie,
            meCookie({ keyId, session, developerId, userId, appName: company.developer }),
          );
        return redirectTo('/', done.cookie, sessions.open(session).cookie);
      },
    }),
    ...(['console', 'me'] as const).map((to) =>
      route({
        method: 'GET',
        url: `/${to}/sign-in`,
        summary: "To it by way of the company's provider",
        scope: null,
        status: 303,
        reply: null,
        refusal: pageRefusal,
        otherReplies: [onwards, ...faults],
        handle: async ({ headers }) => {
          checkHost(headers);
          const { location, cookie } = await (await company.pages()).beginAt(to);
          return redirectTo(location, cookie);
        },
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
