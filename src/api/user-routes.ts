import { Type } from 'typebox';
import { json, type Route, route } from '../http/route.ts';
import type { Identity } from '../identity/identity.ts';
import { strict, successSchema, text, time, userId } from './field-schemas.ts';
import { isoTime } from './iso-time.ts';

const userSchema = Type.Object(
  {
    developer_id: Type.String(),
    user_id: Type.String(),
    created_at: time,
    sessions: Type.Integer({ description: 'refresh tokens that still work' }),
  },
  { $id: 'User' },
);
const pageSize = 100;

/** The operator's view of whom apps act for. */
export function userRoutes(identity: Pick<Identity, 'listUsers' | 'revoke'>): Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/admin/users',
      summary: 'Users of all developers, the newest first; `text` is part of an id',
      scope: 'admin',
      query: Type.Object(
        {
          developer_id: Type.Optional(text(200)),
          text: Type.Optional(text(256)),
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000 })),
        },
        strict,
      ),
      reply: Type.Object({ users: Type.Array(userSchema) }),
      handle: async ({ query: { developer_id, text: part, limit = pageSize } }) => {
        const found = await identity.listUsers({
          ...(developer_id === undefined ? {} : { developerId: developer_id }),
          ...(part === undefined ? {} : { text: part }),
          limit,
        });
        return json({
          users: found.map((user) => ({
            developer_id: user.developerId,
            user_id: user.userId,
            created_at: isoTime(user.createdAt),
            sessions: user.sessions,
          })),
        });
      },
    }),
    route({
      method: 'POST',
      url: '/v1/admin/users/revoke',
      summary: "Revoke everything of a developer's user: MITs, refresh tokens, connections",
      scope: 'admin',
      body: Type.Object({ developer_id: text(200), user_id: userId }, strict),
      reply: successSchema,
      handle: async ({ body, caller }) => {
        await identity.revoke({ developerId: body.developer_id, keyId: caller.keyId }, body.user_id);
        return json({ success: true });
      },
    }),
  ];
}
