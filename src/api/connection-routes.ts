import { Type } from 'typebox';
import { keyActor } from '../base/actor.ts';
import { Problem } from '../base/problem.ts';
import type { Connection, ConnectionAdmin, Owner } from '../connections/connections.ts';
import { json, type Route, route } from '../http/route.ts';
import {
  deletedSchema,
  idPath,
  orNull,
  printable,
  strict,
  text,
  textOrNull,
  time,
  userId,
} from './field-schemas.ts';
import { isoTime } from './iso-time.ts';

export const connectionSchema = Type.Object(
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
    kind: Type.Enum(['oauth', 'key'], { description: 'key: a key of the user, in place of tokens' }),
  },
  { $id: 'Connection' },
);
const secret = Type.String({
  minLength: 1,
  maxLength: 16_384,
  pattern: '^[\\x21-\\x7e]+$',
  description: '1 to 16384 visible ASCII characters',
  examples: ['ya29.a0Af'],
});
const importSchema = Type.Object(
  {
    developer_id: Type.Optional(text(200)),
    user_id: userId,
    provider: Type.Optional(text(32)),
    server_id: Type.Optional(text(200)),
    account: printable(500),
    label: Type.Optional(printable(500)),
    access_token: secret,
    refresh_token: Type.Optional(secret),
    expires_in: Type.Optional(Type.Integer({ minimum: 0, maximum: 31_536_000, description: 'seconds' })),
    scopes: Type.Optional(Type.Array(text(300), { maxItems: 100 })),
  },
  { ...strict, $id: 'ConnectionImport' },
);
const pageSize = 100;

/** The operator's view of who is connected to what. */
export function connectionRoutes(
  admin: ConnectionAdmin,
  ensureUser: (owner: Owner) => Promise<void>,
): Route[] {
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
        return json({ connections: found.map(describeConnection) });
      },
    }),
    route({
      method: 'POST',
      url: '/v1/admin/connections',
      summary:
        "Takes in a user's tokens from elsewhere: a new connection, or newer tokens of the same account",
      scope: 'admin',
      status: 201,
      body: importSchema,
      reply: connectionSchema,
      problems: ['not_found', 'server_gone', 'upstream_error', 'conflict'],
      handle: async ({ body, caller }) => {
        const { developer_id: developerId = caller.developerId, user_id: who } = body;
        const { provider, server_id: serverId } = body;
        if ((provider === undefined) === (serverId === undefined))
          throw new Problem('invalid_request', 'provider: expected this or server_id, and not both');
        const owner = { developerId, userId: who };
        const imported = await admin.import(
          {
            owner,
            target: serverId === undefined ? { provider: provider ?? '' } : { serverId },
            account: body.account,
            label: body.label ?? null,
            issued: {
              accessToken: body.access_token,
              refreshToken: body.refresh_token ?? null,
              lifeMs: body.expires_in === undefined ? null : body.expires_in * 1_000,
              scopes: body.scopes ?? null,
              dpopKey: null,
            },
          },
          keyActor(caller),
          // Who is refused is no user yet.
          () => ensureUser(owner),
        );
        return { ...json(describeConnection(imported)), status: 201 };
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

export function describeConnection(found: Connection) {
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
    kind: found.isKey ? ('key' as const) : ('oauth' as const),
  };
}
