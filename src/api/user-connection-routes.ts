import { Type } from 'typebox';
import { keyActor } from '../base/actor.ts';
import type { ConnectionAdmin, Owner } from '../connections/connections.ts';
import { json, type Route, route } from '../http/route.ts';
import { connectionSchema, describeConnection } from './connection-routes.ts';
import { deletedSchema, idPath, strict, text, userId } from './field-schemas.ts';
import type { PolicyEnforcement } from './policy-enforcement.ts';

const maxShown = 200;
const credentialsSchema = Type.Object(
  {
    user_id: userId,
    server_id: text(200),
    account: Type.Optional(text(100)),
    values: Type.Record(Type.String(), Type.String({ maxLength: 8_192 }), {
      description: 'an object of texts, by the names of `user_credentials` of the server',
      examples: [{ api_key: 'of-the-user' }],
    }),
  },
  { ...strict, $id: 'UserCredentialsRequest' },
);

/** What an app does for its own users beside sending them to a consent: their keys, and what is connected for them. */
export function userConnectionRoutes(
  admin: ConnectionAdmin,
  { catalogFor }: Pick<PolicyEnforcement, 'catalogFor'>,
  ensureUser: (owner: Owner) => Promise<void>,
): Route[] {
  return [
    route({
      method: 'POST',
      url: '/v1/identity/credentials',
      summary: "A user's own key for a server: tried there, then kept for that user's calls",
      scope: 'identity',
      status: 201,
      body: credentialsSchema,
      reply: connectionSchema,
      problems: ['not_found', 'server_gone', 'conflict', 'upstream_error'],
      handle: async ({ body, caller, signal }) => {
        const { user_id: who, server_id: serverId, account = null, values } = body;
        // A server that the caller does not see is unknown here as well.
        await catalogFor(caller).get(serverId);
        const owner = { developerId: caller.developerId, userId: who };
        const by = { actor: keyActor(caller), signal };
        const brought = { owner, serverId, account, values };
        // Whose key is refused is no user yet.
        return json(describeConnection(await admin.bring(brought, by, () => ensureUser(owner))), 201);
      },
    }),
    route({
      method: 'GET',
      url: '/v1/identity/connections',
      summary: 'What is connected for a user of yours; never a token',
      scope: 'identity',
      query: Type.Object({ user_id: userId }, strict),
      reply: Type.Object({ connections: Type.Array(connectionSchema) }),
      handle: async ({ query, caller: { developerId } }) => {
        const found = await admin.list({ developerId, userId: query.user_id, limit: maxShown });
        return json({ connections: found.map(describeConnection) });
      },
    }),
    route({
      method: 'DELETE',
      url: '/v1/identity/connections/:id',
      summary: 'Disconnect one of a user of yours: gone here at once, and revoked where tokens can be',
      scope: 'identity',
      params: idPath,
      reply: deletedSchema,
      problems: ['not_found'],
      handle: async ({ params, caller }) => {
        await admin.disconnect(params.id, keyActor(caller), caller.developerId);
        return json({ id: params.id, deleted: true });
      },
    }),
  ];
}
