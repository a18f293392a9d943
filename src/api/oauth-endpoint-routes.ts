import { Type } from 'typebox';
import type { HostCheck } from '../base/own-hosts.ts';
import { type Problem, problemTable } from '../base/problem.ts';
import { type Call, type OtherReply, type Reply, type Route, route } from '../http/route.ts';
import type { SignIn } from '../sign-in/sign-in.ts';
import { pageHeaders } from './html.ts';
import { faultPages, onwards, pageRefusal } from './page-answers.ts';
import { oauthFaultPage } from './sign-in-pages.ts';

const faults = faultPages(400, 401, 403, 404, 429, 500, 502, 503);

const oauthErrorSchema = Type.Object(
  { error: Type.String(), error_description: Type.Optional(Type.String()) },
  { $id: 'OAuthError', description: 'RFC 6749 section 5.2' },
);
const oauthErrors: readonly OtherReply[] = [400, 401, 403, 429, 500, 503].map((status) => ({
  status,
  description: 'an error of OAuth',
  schema: oauthErrorSchema,
}));
const anyObject = Type.Object({}, { additionalProperties: true });
/** Names one request of a client to sign somebody in. */
export const uid = Type.Object({
  uid: Type.String({ pattern: '^[A-Za-z0-9_-]{1,100}$', examples: ['k3'.repeat(21)] }),
});
/** As much as the library reads. */
const maxBodyBytes = 65_536;

type AnyCall = Call<unknown, unknown, unknown>;

/** What clients of MCP ask of an authorization server: the library's endpoints, behind our bounds. */
export function oauthEndpointRoutes({
  signIn,
  checkHost,
}: {
  readonly signIn: SignIn;
  readonly checkHost: HostCheck;
}): Route[] {
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
  const posted = {
    method: 'POST',
    scope: null,
    crossOrigin: true,
    rawBody: true,
    maxBodyBytes,
    body: anyObject,
    refusal: oauthProblem,
  } as const;
  const asked = { method: 'GET', scope: null, status: 303, reply: null, refusal: pageRefusal } as const;
  const otherReplies = [onwards, ...faults];
  return [
    route({
      ...asked,
      url: '/authorize',
      summary:
        'Where clients of MCP send their users: authorization code with PKCE S256 (RFC 6749, RFC 8707, RFC 9207)',
      otherReplies,
      handle: (call) => pass(call, 'GET'),
    }),
    route({
      ...asked,
      url: '/authorize/:uid',
      params: uid,
      summary: 'Back to the client, once a person has decided',
      otherReplies,
      handle: (call) => pass(call, 'GET'),
    }),
    route({
      ...posted,
      url: '/token',
      form: true,
      summary: 'A code or a refresh token for tokens (RFC 6749)',
      reply: anyObject,
      otherReplies: oauthErrors,
      handle: (call) => pass(call, 'POST'),
    }),
    route({
      ...posted,
      url: '/register',
      status: 201,
      summary: 'Registers a client (RFC 7591): so many of one address in a day, and unused ones for a day',
      reply: anyObject,
      otherReplies: oauthErrors,
      handle: (call) => pass(call, 'POST'),
    }),
    route({
      ...posted,
      url: '/revoke',
      form: true,
      summary: 'Ends a token of the asking client, or all of a consent (RFC 7009)',
      reply: null,
      otherReplies: [{ status: 200, description: 'it is over' }, ...oauthErrors],
      handle: (call) => pass(call, 'POST'),
    }),
    route({
      ...posted,
      url: '/introspect',
      form: true,
      summary: 'What a token of the asking client is good for (RFC 7662)',
      reply: anyObject,
      otherReplies: oauthErrors,
      handle: (call) => pass(call, 'POST'),
    }),
  ];
}

/** What is told elsewhere in our own form, in that of OAuth (RFC 6749 section 5.2). */
function oauthProblem({ kind, detail, retryAfterMs }: Problem) {
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
