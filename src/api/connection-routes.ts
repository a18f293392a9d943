import { Type } from 'typebox';
import type { Access } from '../access/access.ts';
import { Problem } from '../base/problem.ts';
import type { Connections } from '../connections/connections.ts';
import { json, type Route, route } from '../http/route.ts';
import { userId } from './user-id-schema.ts';

const name = (maxLength: number) => Type.String({ minLength: 1, maxLength });
const strings = Type.Array(Type.String());
const time = Type.String({ description: 'ISO 8601' });
const opened = Type.Object({ session_id: Type.String(), auth_url: Type.String(), expires_at: time });
const seen = Type.Object({
  session_id: Type.String(),
  status: Type.Enum(['pending', 'complete', 'error']),
  error: Type.Optional(Type.String()),
  awaiting: Type.Optional(Type.Literal('confirmation')),
  connection_id: Type.Optional(Type.String()),
  account: Type.Optional(Type.String()),
  is_default: Type.Optional(Type.Boolean()),
  granted_scopes: Type.Optional(strings),
  missing_scopes: Type.Optional(strings),
});
const connection = Type.Object({
  id: Type.String(),
  developer_id: Type.String(),
  user_id: Type.String(),
  provider: Type.String(),
  server_id: Type.Optional(Type.String()),
  account: Type.String(),
  label: Type.Union([Type.String(), Type.Null()]),
  status: Type.Enum(['active', 'needs_reauth']),
  scopes: strings,
  created_at: time,
  updated_at: time,
  expires_at: Type.Union([time, Type.Null()]),
});
const app = { return_urls: strings, require_confirmation: Type.Boolean() };
const id = Type.Object({ id: name(200) });
const pageSize = 100;

export function sessionRoutes(connections: Connections, access: Access): Route[] {
  return [...appRoutes(connections), ...operatorRoutes(connections, access)];
}

function appRoutes(connections: Connections): Route[] {
  return [
    route({
      method: 'POST',
      url: '/v1/identity/sessions',
      summary: 'Open an authorisation session: send the user to `auth_url`, then poll',
      scope: 'identity',
      body: Type.Object(
        {
          user_id: userId,
          provider: Type.Optional(name(32)),
          server_id: Type.Optional(name(200)),
          scopes: Type.Optional(Type.Array(name(300), { maxItems: 100 })),
          return_url: Type.Optional(name(2_000)),
          require_confirmation: Type.Optional(Type.Boolean()),
          expected_account: Type.Optional(name(300)),
        },
        { additionalProperties: false },
      ),
      reply: opened,
      handle: async ({ body, caller }) =>
        json(
          await connections.openSession({
            owner: { developerId: caller.developerId, userId: body.user_id },
            keyId: caller.keyId,
            appName: caller.developer,
            party: partyOf(body),
            ...(body.scopes === undefined ? {} : { scopes: body.scopes }),
            ...(body.return_url === undefined ? {} : { returnUrl: body.return_url }),
            ...(body.require_confirmation === undefined
              ? {}
              : { requireConfirmation: body.require_confirmation }),
            ...(body.expected_account === undefined ? {} : { expectedAccount: body.expected_account }),
          }),
        ),
    }),
    route({
      method: 'GET',
      url: '/v1/identity/sessions/:id',
      summary: 'Poll a session; `wait` holds the reply until it is over, at most so many seconds',
      scope: 'identity',
      cost: 0,
      params: id,
      query: Type.Object(
        { wait: Type.Optional(Type.Integer({ minimum: 0, maximum: 60 })) },
        { additionalProperties: false },
      ),
      reply: seen,
      handle: async ({ params, query, caller, charge, signal }) => {
        const { developerId } = caller;
        try {
          return json(
            query.wait === undefined || query.wait === 0
              ? await connections.session(developerId, params.id)
              : await connections.waitSession(developerId, params.id, query.wait * 1_000, signal),
          );
        } catch (error) {
          // Polls cost nothing; guessing ids does (threats G3).
          if (error instanceof Problem && error.kind === 'not_found') charge(1);
          throw error;
        }
      },
    }),
    route({
      method: 'POST',
      url: '/v1/identity/sessions/:id/confirm',
      summary: 'Confirm a session with the code that the user was shown, and the user who typed it in',
      scope: 'identity',
      params: id,
      body: Type.Object({ user_id: userId, completion_code: name(20) }, { additionalProperties: false }),
      reply: seen,
      handle: async ({ params, body, caller }) => {
        const { developerId, keyId } = caller;
        await connections.confirmSession({
          developerId,
          sessionId: params.id,
          userId: body.user_id,
          code: body.completion_code,
          actor: `key:${keyId}`,
        });
        return json(await connections.session(developerId, params.id));
      },
    }),
  ];
}

function partyOf(body: { readonly provider?: string; readonly server_id?: string }) {
  const { provider, server_id: serverId } = body;
  if (provider !== undefined && serverId === undefined) return { provider };
  if (serverId !== undefined && provider === undefined) return { serverId };
  throw new Problem('invalid_request', 'provider: expected either provider or server_id');
}

function operatorRoutes(connections: Connections, access: Access): Route[] {
  const known = async (developerId: string) => {
    const keys = await access.listKeys();
    if (!keys.some((key) => key.developerId === developerId))
      throw new Problem('not_found', 'Developer not found');
  };
  const settings = async (developerId: string) => {
    const { returnUrls, requireConfirmation } = await connections.appSettings(developerId);
    return { return_urls: returnUrls, require_confirmation: requireConfirmation };
  };

  return [
    route({
      method: 'GET',
      url: '/v1/admin/apps/:id',
      summary:
        "A developer's app: where browsers may be sent back to, and whether sessions need a confirmation",
      scope: 'admin',
      params: id,
      reply: Type.Object(app),
      handle: async ({ params }) => {
        await known(params.id);
        return json(await settings(params.id));
      },
    }),
    route({
      method: 'PUT',
      url: '/v1/admin/apps/:id',
      summary: 'Set them, all at once',
      scope: 'admin',
      params: id,
      body: Type.Object(
        {
          return_urls: Type.Array(name(2_000), { maxItems: 100 }),
          require_confirmation: Type.Optional(Type.Boolean()),
        },
        { additionalProperties: false },
      ),
      reply: Type.Object(app),
      handle: async ({ params, body, caller }) => {
        await known(params.id);
        const { return_urls: returnUrls, require_confirmation: requireConfirmation = false } = body;
        await connections.changeApp(params.id, { returnUrls, requireConfirmation }, `key:${caller.keyId}`);
        return json(await settings(params.id));
      },
    }),
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
      handle: async ({ query }) =>
        json({
          connections: await connections.list({
            ...(query.developer_id === undefined ? {} : { developerId: query.developer_id }),
            ...(query.user_id === undefined ? {} : { userId: query.user_id }),
            ...(query.provider === undefined ? {} : { provider: query.provider }),
            ...(query.server_id === undefined ? {} : { serverId: query.server_id }),
            ...(query.after === undefined ? {} : { after: query.after }),
            limit: query.limit ?? pageSize,
          }),
        }),
    }),
    route({
      method: 'DELETE',
      url: '/v1/admin/connections/:id',
      summary:
        'Disconnect: the tokens are gone here at once, and revoked at the provider as soon as it answers',
      scope: 'admin',
      params: id,
      reply: Type.Object({ id: Type.String(), deleted: Type.Literal(true) }),
      handle: async ({ params, caller }) => {
        await connections.remove(params.id, `key:${caller.keyId}`);
        return json({ id: params.id, deleted: true });
      },
    }),
  ];
}
