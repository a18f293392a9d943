import { Type } from 'typebox';
import { keyActor } from '../base/actor.ts';
import type { Connection, ConnectionAdmin } from '../connections/connections.ts';
import { json, type Route, route } from '../http/route.ts';
import { deletedSchema, idPath, orNull, strict, text, textOrNull, time, userId } from './field-schemas.ts';
import { isoTime } from './iso-time.ts';

const connectionSchema = Type.Object(
  {
    id: Type.String(),
    developer_id: Type.String(),
    user_id: Type.String(),
    provider: Type.String(),
    server_id: Type.Optional(Type.String({ description: 'the server, where the provider is `mcp`' })),
    account: Type.String(),
    label: textOrNull,
    status: Type.Enum(['active', 'needs_reauth']),
    scopes: Type.Array(Type.String()),
    created_at: time,
    updated_at: time,
    expires_at: orNull(time),
    renewable: Type.Boolean(),
  },
  { $id: 'Connection' },
);
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
          developer_id: Type.Optional(text(200)),
          user_id: Type.Optional(userId),
          provider: Type.Optional(text(32)),
          server_id: Type.Optional(text(200)),
          after: Type.Optional(text(200)),
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000 })),
        },
        strict,
      ),
      reply: Type.Object({ connections: Type.Array(connectionSchema) }),
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
      params: idPath,
      reply: deletedSchema,
      problems: ['not_found'],
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
