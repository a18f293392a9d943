import { Type } from 'typebox';
import { keyActor } from '../base/actor.ts';
import type { Connection, ConnectionAdmin } from '../connections/connections.ts';
import { json, type Route, route } from '../http/route.ts';

const name = (maxLength: number) => Type.String({ minLength: 1, maxLength });
const time = Type.String({ description: 'ISO 8601' });
const connection = Type.Object({
  id: Type.String(),
  developer_id: Type.String(),
  user_id: Type.String(),
  provider: Type.String(),
  server_id: Type.Optional(Type.String()),
  account: Type.String(),
  label: Type.Union([Type.String(), Type.Null()]),
  status: Type.Enum(['active', 'needs_reauth']),
  scopes: Type.Array(Type.String()),
  created_at: time,
  updated_at: time,
  expires_at: Type.Union([time, Type.Null()]),
  renewable: Type.Boolean(),
});
const pageSize = 100;

/** The operator's view of who is connected to what. */
export function connectionRoutes(admin: ConnectionAdmin): Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/admin/connections',
      summary: 'Who is connected to what; never a token. `after`: the last id of the page before',
      scope: 'admin',
      query: Type.Object(
        {
          developer_id: Type.Optional(name(200)),
          user_id: Type.Optional(name(256)),
          provider: Type.Optional(name(32)),
          server_id: Type.Optional(name(200)),
          after: Type.Optional(name(200)),
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000 })),
        },
        { additionalProperties: false },
      ),
      reply: Type.Object({ connections: Type.Array(connection) }),
      handle: async ({ query }) => {
        const found = await admin.list({
          ...(query.developer_id === undefined ? {} : { developerId: query.developer_id }),
          ...(query.user_id === undefined ? {} : { userId: query.user_id }),
          ...(query.provider === undefined ? {} : { provider: query.provider }),
          ...(query.server_id === undefined ? {} : { serverId: query.server_id }),
          ...(query.after === undefined ? {} : { after: query.after }),
          limit: query.limit ?? pageSize,
        });
        return json({ connections: found.map(describe) });
      },
    }),
    route({
      method: 'DELETE',
      url: '/v1/admin/connections/:id',
      summary:
        'Disconnect: the tokens are gone here at once, and revoked at the provider as soon as it answers',
      scope: 'admin',
      params: Type.Object({ id: name(200) }),
      reply: Type.Object({ id: Type.String(), deleted: Type.Literal(true) }),
      handle: async ({ params, caller }) => {
        await admin.disconnect(params.id, keyActor(caller));
        return json({ id: params.id, deleted: true });
      },
    }),
  ];
}

function describe(found: Connection) {
  return {
    id: found.id,
    developer_id: found.developerId,
    user_id: found.userId,
    provider: found.provider,
    ...(found.serverId === null ? {} : { server_id: found.serverId }),
    account: found.account,
    label: found.label,
    status: found.status,
    scopes: found.scopes,
    created_at: isoTime(found.createdAt),
    updated_at: isoTime(found.updatedAt),
    expires_at: found.expiresAt === null ? null : isoTime(found.expiresAt),
    renewable: found.isRenewable,
  };
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
