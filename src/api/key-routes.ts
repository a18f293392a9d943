import { Type } from 'typebox';
import { type Access, describeKey, scopes } from '../access/access.ts';
import { keyActor } from '../base/actor.ts';
import { isAddressOrNetwork } from '../base/ip-networks.ts';
import { Problem } from '../base/problem.ts';
import { json, type Route, route } from '../http/route.ts';
import { idPath, orNull, strict, text, time } from './field-schemas.ts';

const timeForm = 'a time as ISO 8601, for example 2027-01-31T00:00:00Z';
const scopeSchema = Type.Enum([...scopes], { $id: 'Scope' });
const apiKeyFields = {
  key_id: Type.String(),
  developer_id: Type.String(),
  developer: Type.String(),
  name: Type.String(),
  tier: Type.String(),
  scopes: Type.Array(scopeSchema),
  created_at: time,
  expires_at: orNull(time),
  addresses: Type.Union([Type.Array(Type.String()), Type.Null()], {
    description: 'addresses and networks it may be used from; null: any',
  }),
  revoked_at: orNull(time),
  last_used_at: orNull(time),
};
const apiKeySchema = Type.Object(apiKeyFields, { $id: 'ApiKey' });
const newApiKeySchema = Type.Object(
  { key: Type.String({ description: 'the key itself, shown this once' }), ...apiKeyFields },
  { $id: 'NewApiKey' },
);
export const apiKeyRequestSchema = Type.Object(
  {
    developer: text(100),
    name: text(100),
    tier: text(32),
    scopes: Type.Optional(Type.Array(scopeSchema, { minItems: 1, maxItems: scopes.length })),
    expires_at: Type.Optional(
      Type.String({ maxLength: 40, description: timeForm, examples: ['2027-01-31T00:00:00Z'] }),
    ),
    addresses: Type.Optional(
      Type.Array(Type.String({ minLength: 2, maxLength: 50, examples: ['203.0.113.0/24'] }), {
        minItems: 1,
        maxItems: 50,
        description: 'addresses and networks (CIDR) the key may be used from',
      }),
    ),
  },
  { ...strict, $id: 'ApiKeyRequest' },
);

export function keyRoutes(access: Access): Route[] {
  return [
    route({
      method: 'POST',
      url: '/v1/admin/keys',
      summary:
        'Make an API key; its text is in this reply and nowhere else. A new `developer` name makes a new tenant',
      scope: 'admin',
      status: 201,
      body: apiKeyRequestSchema,
      reply: newApiKeySchema,
      handle: async ({ body, caller }) => {
        const request = {
          developer: body.developer,
          name: body.name,
          tier: body.tier,
          ...(body.scopes === undefined ? {} : { scopes: body.scopes }),
          expiresAt: body.expires_at === undefined ? null : timeOf(body.expires_at),
          addresses: body.addresses === undefined ? null : checkAddresses(body.addresses),
        };
        const made = await access.createKey(request, keyActor(caller));
        return json({ key: made.key, ...describeKey(made) }, 201);
      },
    }),
    route({
      method: 'GET',
      url: '/v1/admin/keys',
      summary: 'All API keys, without their texts',
      scope: 'admin',
      reply: Type.Object({ keys: Type.Array(apiKeySchema) }),
      handle: async () => json({ keys: (await access.listKeys()).map(describeKey) }),
    }),
    route({
      method: 'DELETE',
      url: '/v1/admin/keys/:id',
      summary: 'Revoke an API key: it stops working here at once and elsewhere within a second',
      scope: 'admin',
      params: idPath,
      reply: Type.Object({ key_id: Type.String(), revoked: Type.Literal(true) }),
      problems: ['not_found'],
      handle: async ({ params, caller }) => {
        await access.revokeKey(params.id, keyActor(caller));
        return json({ key_id: params.id, revoked: true });
      },
    }),
  ];
}

export function checkAddresses(addresses: readonly string[]): readonly string[] {
  const wrong = addresses.findIndex((each) => !isAddressOrNetwork(each));
  if (wrong < 0) return addresses;
  throw new Problem(
    'invalid_request',
    `addresses[${wrong}]: expected an address or a network, for example 203.0.113.0/24`,
  );
}

export function timeOf(text: string): number {
  const ms = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d))?$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (Number.isNaN(ms)) throw new Problem('invalid_request', `expires_at: expected ${timeForm}`);
  return ms;
}
