import { Type } from 'typebox';
import { Problem } from '../base/problem.ts';
import { json, type Route, route } from '../http/route.ts';
import type { Identity } from '../identity/identity.ts';
import { idPath, strict, text, time } from './field-schemas.ts';
import { isoTime } from './iso-time.ts';

type Issuers = Identity['issuers'];
type Issuer = Awaited<ReturnType<Issuers['add']>>;

const issuerFields = {
  issuer: text(500),
  audience: text(500),
  jwks_uri: text(500),
  user_prefix: Type.String({ maxLength: 64 }),
};
const issuerSchema = Type.Object(
  { issuer_id: Type.String(), ...issuerFields, created_at: time },
  { $id: 'Issuer' },
);
const issuerRequestSchema = Type.Object(
  { ...issuerFields, user_prefix: Type.Optional(issuerFields.user_prefix) },
  { ...strict, $id: 'IssuerRequest' },
);

/** The identity providers whose tokens a developer's apps may present in place of a bare `user_id`. */
export function issuerRoutes(issuers: Issuers): Route[] {
  return [
    route({
      method: 'POST',
      url: '/v1/identity/issuers',
      summary: 'Trust an identity provider of yours to name your users (token exchange)',
      scope: 'identity',
      status: 201,
      body: issuerRequestSchema,
      reply: issuerSchema,
      problems: ['conflict'],
      handle: async ({ body, caller }) => {
        const added = await issuers.add(caller, {
          issuer: httpUrl(body.issuer, 'issuer'),
          audience: body.audience,
          jwksUri: httpUrl(body.jwks_uri, 'jwks_uri'),
          userPrefix: body.user_prefix ?? '',
        });
        return json(describe(added), 201);
      },
    }),
    route({
      method: 'GET',
      url: '/v1/identity/issuers',
      summary: 'The identity providers you trust',
      scope: 'identity',
      reply: Type.Object({ issuers: Type.Array(issuerSchema) }),
      handle: async ({ caller }) => json({ issuers: (await issuers.list(caller.developerId)).map(describe) }),
    }),
    route({
      method: 'DELETE',
      url: '/v1/identity/issuers/:id',
      summary: 'Trust an identity provider no longer; tokens issued so far live on',
      scope: 'identity',
      params: idPath,
      reply: Type.Object({ issuer_id: Type.String(), deleted: Type.Literal(true) }),
      problems: ['not_found'],
      handle: async ({ params, caller }) => {
        await issuers.remove(caller, params.id);
        return json({ issuer_id: params.id, deleted: true });
      },
    }),
  ];
}

/** Kept as it was written: an issuer is compared byte by byte (RFC 8414 section 3.3). */
function httpUrl(text: string, field: string): string {
  const parsed = URL.parse(text);
  const fits =
    parsed !== null && /^https?:$/.test(parsed.protocol) && parsed.username === '' && parsed.hash === '';
  if (fits) return text;
  throw new Problem('invalid_request', `${field}: expected an http(s) URL`);
}

function describe(issuer: Issuer) {
  return {
    issuer_id: issuer.id,
    issuer: issuer.issuer,
    audience: issuer.audience,
    jwks_uri: issuer.jwksUri,
    user_prefix: issuer.userPrefix,
    created_at: isoTime(issuer.createdAt),
  };
}
