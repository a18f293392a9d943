import { Type } from 'typebox';
import { problemTable } from '../base/problem.ts';
import type { ConsentFlow, ConsentOutcome } from '../connections/connections.ts';
import { type Call, type Reply, type Route, route } from '../http/route.ts';
import { consentPage, keyField, outcomePage } from './consent-pages.ts';
import { faultPages, page, pageRefusal, redirectTo } from './page-answers.ts';

/** A session lives five minutes, its confirmation as many; the cookie is worth nothing after them. */
const cookieSeconds = 900;
const link = Type.Object({
  link: Type.String({
    pattern: '^[A-Za-z0-9_-]{1,100}$',
    description: 'a link as it was given',
    examples: ['kPq3fVx0Jm1ZBa2w'],
  }),
});
/** What is told to an app as a problem is a page to a person. */
const faults = faultPages(400, 404, 409, 429, 502);
const toProvider = { status: 303, description: 'On to where Location says' };

/** The pages that users see on their way to a provider and back; no API key, no script, nothing kept by the browser but one cookie. */
export function consentRoutes(flow: ConsentFlow, publicUrl: () => string): Route[] {
  const pathOf = (token: string) => `/v1/identity/connect/${token}`;

  return [
    route({
      method: 'GET',
      url: '/v1/identity/connect/:link',
      summary: 'The page behind auth_url: names app, user, provider and scopes, and asks',
      scope: null,
      params: link,
      reply: null,
      refusal: pageRefusal,
      otherReplies: [{ ...page, status: 200 }, ...faults],
      handle: async ({ params, headers }) => {
        const shown = await flow.show(params.link, browserOf(headers, publicUrl()));
        return consentPage(shown, pathOf(params.link), cookieFor(shown.browser, publicUrl()));
      },
    }),
    route({
      method: 'POST',
      url: '/v1/identity/connect/:link',
      summary: 'Its buttons: on to the provider, or back',
      scope: null,
      status: 303,
      params: link,
      form: true,
      body: Type.Object(
        {
          csrf: Type.String({ maxLength: 64 }),
          decision: Type.Optional(Type.Union([Type.Literal('connect'), Type.Literal('cancel')])),
        },
        // Of a key: what was typed in, by name.
        { additionalProperties: Type.String({ maxLength: 10_000 }) },
      ),
      reply: null,
      refusal: pageRefusal,
      otherReplies: [toProvider, { ...page, status: 200 }, ...faults],
      handle: async ({ params, body, headers, signal }) => {
        const browser = browserOf(headers, publicUrl());
        const { csrf, decision, ...fields } = body;
        const input = { link: params.link, browser, csrf };
        if (decision === 'cancel') return conclude(await flow.decline(input));
        const agreed = await flow.agree({ ...input, values: valuesIn(fields) }, signal);
        if ('to' in agreed) return redirectTo(agreed.to);
        if (!('fault' in agreed)) return conclude(agreed);
        const { fault, page: shown } = agreed;
        const status = problemTable[fault.kind].status;
        const cookie = cookieFor(shown.browser, publicUrl());
        return consentPage(shown, pathOf(params.link), cookie, { status, detail: fault.detail });
      },
    }),
    route({
      method: 'GET',
      url: '/v1/identity/callback/:provider',
      summary: "The way back from the provider: the app's return_url, or a page that tells how it went",
      scope: null,
      query: Type.Record(Type.String(), Type.String({ maxLength: 4_096 })),
      params: Type.Object({ provider: Type.String({ maxLength: 32 }) }),
      reply: null,
      refusal: pageRefusal,
      otherReplies: [{ ...page, status: 200 }, toProvider, ...faults],
      handle: async ({ params, query, headers }) => {
        const outcome = await flow.finish({
          provider: params.provider,
          params: new URLSearchParams(query),
          browser: browserOf(headers, publicUrl()),
        });
        return conclude(outcome);
      },
    }),
  ];
}

/** The fields of the form of a key (`keyField`). */
function valuesIn(fields: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) =>
      name.startsWith(keyField) ? [[name.slice(keyField.length), value]] : [],
    ),
  );
}

/** Back to the app, or a page where there is none or the person has to read something first. */
function conclude(outcome: ConsentOutcome): Reply {
  const returnTo = returnUrlOf(outcome);
  return returnTo === null || outcome.completionCode !== undefined
    ? outcomePage(outcome, returnTo)
    : redirectTo(returnTo);
}

/** Where the app wants the browser back, with the session's id and status and nothing else. */
function returnUrlOf({ returnUrl, sessionId, status }: ConsentOutcome): string | null {
  return returnUrl === null ? null : `${returnUrl}?${new URLSearchParams({ session_id: sessionId, status })}`;
}

/**
 * Binds a session to one browser (threats F8). `__Host-`: over https only, from this very host, not to be planted by a
 * neighbour (RFC 6265bis section 4.1.3.2). Lax: the way back from the provider is a navigation and has to carry it.
 */
function cookieName(publicUrl: string): string {
  return publicUrl.startsWith('https:') ? '__Host-mcprank' : 'mcprank-browser';
}

function cookieFor(browser: string, publicUrl: string): string {
  const secure = publicUrl.startsWith('https:') ? '; Secure' : '';
  return `${cookieName(publicUrl)}=${browser}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${cookieSeconds}${secure}`;
}

function browserOf({ cookie }: Call<unknown, unknown, unknown>['headers'], publicUrl: string): string | null {
  const start = `${cookieName(publicUrl)}=`;
  const found = (cookie ?? '').split(/; */).filter((each) => each.startsWith(start));
  // Two of one name: one of them is not ours.
  return found.length === 1 ? (found[0]?.slice(start.length) ?? null) : null;
}
