import { type Static, Type } from 'typebox';
import { Problem } from '../base/problem.ts';
import { json, type Reply, type Route, route } from '../http/route.ts';
import { type Identity, type Introspection, jwksMaxAgeSeconds, type TokenSet } from '../identity/identity.ts';
import { anything, strict, successSchema, text, userId } from './field-schemas.ts';
import { issuerRoutes } from './issuer-routes.ts';

const tokenSetSchema = Type.Object(
  {
    access_token: Type.String(),
    refresh_token: Type.String(),
    expires_in: Type.Integer(),
    token_type: Type.Literal('Bearer'),
    issued_token_type: Type.Optional(Type.String({ description: 'of a token exchange' })),
  },
  { $id: 'TokenSet' },
);
/** RFC 7662 section 2.2. */
const introspectionSchema = Type.Union(
  [
    Type.Object({ active: Type.Literal(false) }),
    Type.Object({
      active: Type.Literal(true),
      token_type: Type.Literal('refresh_token'),
      sub: Type.String(),
      sid: Type.String(),
      exp: Type.Integer(),
      developer_id: Type.String(),
    }),
    Type.Object({
      active: Type.Literal(true),
      token_type: Type.Literal('Bearer'),
      iss: Type.String(),
      aud: Type.String(),
      sub: Type.String(),
      username: Type.String(),
      client_id: Type.String(),
      jti: Type.String(),
      sid: Type.String(),
      iat: Type.Integer(),
      exp: Type.Integer(),
      developer_id: Type.String(),
    }),
  ],
  { $id: 'Introspection' },
);
const tokenExchange = 'urn:ietf:params:oauth:grant-type:token-exchange';
const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';
/** What an app's identity provider hands out (RFC 8693 section 3): all of them are JWTs here. */
const subjectTokenTypes = [
  'urn:ietf:params:oauth:token-type:id_token',
  'urn:ietf:params:oauth:token-type:jwt',
  accessTokenType,
];
const tokenRequestSchema = Type.Object(
  {
    user_id: Type.Optional(userId),
    grant_type: Type.Optional(Type.Enum([tokenExchange])),
    subject_token: Type.Optional(text(20_000)),
    subject_token_type: Type.Optional(Type.Enum([...subjectTokenTypes])),
  },
  { ...strict, $id: 'TokenRequest' },
);

export function identityRoutes(identity: Identity): Route[] {
  return [
    ...tokenRoutes(identity),
    ...revocationRoutes(identity),
    ...issuerRoutes(identity.issuers),
    jwksRoute(identity),
  ];
}

function tokenRoutes(identity: Identity): Route[] {
  return [
    route({
      method: 'POST',
      url: '/v1/identity/token',
      summary: 'A MIT for a user, by `user_id` or by a token of your own identity provider (RFC 8693)',
      scope: 'identity',
      form: true,
      body: tokenRequestSchema,
      reply: tokenSetSchema,
      problems: ['upstream_error'],
      handle: async ({ body, caller }) => {
        const { user_id, grant_type, subject_token, subject_token_type } = body;
        if (grant_type === undefined) {
          if (subject_token !== undefined || subject_token_type !== undefined)
            throw new Problem('invalid_request', `grant_type: required; expected ${tokenExchange}`);
          return tokens(await identity.issue(caller, required(user_id, 'user_id')));
        }
        if (user_id !== undefined)
          throw new Problem(
            'invalid_request',
            'user_id: not together with a subject_token, which names the user',
          );
        required(subject_token_type, 'subject_token_type');
        const issued = await identity.exchange(caller, required(subject_token, 'subject_token'));
        return tokens(issued, { issued_token_type: accessTokenType });
      },
    }),
    route({
      method: 'POST',
      url: '/v1/identity/refresh',
      summary: 'A new MIT and a new refresh token for a refresh token; each is good once',
      scope: 'identity',
      body: Type.Object({ refresh_token: text(1_000) }, strict),
      reply: tokenSetSchema,
      problems: ['invalid_grant'],
      handle: async ({ body, caller }) => tokens(await identity.refresh(caller, body.refresh_token)),
    }),
  ];
}

function revocationRoutes(identity: Identity): Route[] {
  return [
    route({
      method: 'POST',
      url: '/v1/identity/revoke',
      summary: "End a user's MITs and refresh tokens at once, and delete the provider tokens stored for them",
      scope: 'identity',
      body: Type.Object({ user_id: userId }, strict),
      reply: successSchema,
      handle: async ({ body, caller }) => {
        await identity.revoke(caller, body.user_id);
        return unstored(json({ success: true }));
      },
    }),
    route({
      method: 'POST',
      url: '/v1/identity/introspect',
      summary: 'What a MIT or refresh token of yours says, and whether it is alive (RFC 7662)',
      scope: 'identity',
      form: true,
      body: Type.Object(
        {
          token: text(20_000),
          token_type_hint: Type.Optional(Type.String({ maxLength: 100 })),
        },
        strict,
      ),
      reply: introspectionSchema,
      handle: async ({ body, caller }) =>
        unstored(json(describeIntrospection(await identity.introspect(caller, body.token)))),
    }),
    route({
      method: 'DELETE',
      url: '/v1/identity/users/:user_id',
      summary: 'Delete a user: tokens, connections, and the link between them and the audit trail',
      scope: 'identity',
      params: Type.Object({ user_id: userId }),
      reply: Type.Object({ user_id: Type.String(), deleted: Type.Literal(true) }),
      problems: ['not_found'],
      handle: async ({ params, caller }) => {
        if (!(await identity.deleteUser(caller, params.user_id)))
          throw new Problem('not_found', 'User not found');
        return unstored(json({ user_id: params.user_id, deleted: true }));
      },
    }),
  ];
}

function jwksRoute(identity: Identity): Route {
  return route({
    method: 'GET',
    url: '/.well-known/jwks.json',
    summary: 'The keys that MITs are checked with (RFC 7517)',
    scope: null,
    crossOrigin: true,
    reply: Type.Object({ keys: Type.Array(anything) }),
    otherReplies: [{ status: 304, description: 'As If-None-Match knows them' }],
    handle: async ({ headers: asked }): Promise<Reply<never>> => {
      const { body, etag } = await identity.jwks();
      const headers = { etag, 'cache-control': `public, max-age=${jwksMaxAgeSeconds}` };
      if (asked['if-none-match'] === etag) return { status: 304, body: null, headers };
      return { status: 200, body, headers };
    },
  });
}

function tokens(set: TokenSet, more: { readonly issued_token_type?: string } = {}) {
  return unstored(
    json({
      access_token: set.accessToken,
      refresh_token: set.refreshToken,
      expires_in: set.expiresInSeconds,
      token_type: 'Bearer',
      ...more,
    }),
  );
}

/** RFC 7662 section 2.2. */
function describeIntrospection(found: Introspection): Static<typeof introspectionSchema> {
  switch (found.kind) {
    case 'inactive':
      return { active: false };
    case 'refresh_token':
      return {
        active: true,
        token_type: 'refresh_token',
        sub: found.userId,
        sid: found.sessionId,
        exp: found.expiresAt,
        developer_id: found.developerId,
      };
    case 'user_token':
      return {
        active: true,
        token_type: 'Bearer',
        iss: found.issuer,
        aud: found.audience,
        sub: found.claims.userId,
        username: found.claims.userId,
        client_id: found.claims.keyId,
        jti: found.claims.tokenId,
        sid: found.claims.sessionId,
        iat: found.claims.issuedAt,
        exp: found.claims.expiresAt,
        developer_id: found.claims.developerId,
      };
  }
}

/** No cache on the way may keep what is in a reply about tokens (RFC 6749 section 5.1, threats I12). */
function unstored<T>(reply: Reply<T>): Reply<T> {
  return { ...reply, headers: { ...reply.headers, 'cache-control': 'no-store', pragma: 'no-cache' } };
}

function required(value: string | undefined, field: string): string {
  if (value !== undefined) return value;
  throw new Problem('invalid_request', `${field}: required`);
}
