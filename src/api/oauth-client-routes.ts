import { Type } from 'typebox';
import { keyActor } from '../base/actor.ts';
import type { Connections, OAuthClient } from '../connections/connections.ts';
import { json, type Route, route } from '../http/route.ts';
import { deletedSchema, idPath, strict, text, textOrNull } from './field-schemas.ts';

const clientSchema = Type.Object(
  {
    id: Type.String(),
    issuer: Type.String(),
    server_id: textOrNull,
    kind: Type.Enum(['registered', 'dynamic']),
    client_id: Type.String(),
    auth_method: Type.String(),
  },
  { $id: 'OAuthClient' },
);
/** RFC 7591 section 2, as Client ID Metadata Documents have it. */
const metadataSchema = Type.Object(
  {
    client_id: Type.String({ format: 'uri' }),
    client_name: Type.String(),
    client_uri: Type.String({ format: 'uri' }),
    redirect_uris: Type.Array(Type.String({ format: 'uri' })),
    grant_types: Type.Array(Type.String()),
    response_types: Type.Array(Type.String()),
    application_type: Type.Enum(['web', 'native']),
    token_endpoint_auth_method: Type.Literal('none'),
  },
  { $id: 'ClientMetadata' },
);
const authMethods = ['client_secret_basic', 'client_secret_post', 'none'];
const clientRequestSchema = Type.Object(
  {
    issuer: Type.String({
      pattern: '^https?://',
      maxLength: 2_000,
      description: 'an http(s) URL',
      examples: ['https://login.example.com'],
    }),
    server_id: Type.Optional(text(200)),
    client_id: text(2_000),
    client_secret: Type.Optional(text(2_000)),
    auth_method: Type.Optional(Type.Enum([...authMethods])),
  },
  { ...strict, $id: 'OAuthClientRequest' },
);

/** Us as a client of MCP servers' authorization servers. */
export function oauthClientRoutes(clients: Connections['clients']): Route[] {
  return [
    route({
      method: 'GET',
      url: '/client-metadata.json',
      summary: 'Who we are to authorization servers that take this URL for a client id, where it is https',
      scope: null,
      reply: metadataSchema,
      handle: () => ({ ...json(clients.document()), headers: { 'cache-control': 'public, max-age=3600' } }),
    }),
    route({
      method: 'GET',
      url: '/v1/admin/oauth-clients',
      summary: "Our clients at MCP servers' authorization servers; never a secret",
      scope: 'admin',
      reply: Type.Object({ clients: Type.Array(clientSchema) }),
      handle: async () => json({ clients: (await clients.list()).map(describe) }),
    }),
    route({
      method: 'POST',
      url: '/v1/admin/oauth-clients',
      summary: 'Use a client that was registered by hand, for all servers of an issuer or for one',
      scope: 'admin',
      status: 201,
      body: clientRequestSchema,
      reply: clientSchema,
      handle: async ({ body, caller }) => {
        const put = {
          issuer: body.issuer,
          serverId: body.server_id ?? null,
          clientId: body.client_id,
          clientSecret: body.client_secret ?? null,
          authMethod: body.auth_method ?? null,
        };
        const by = { developerId: caller.developerId, actor: keyActor(caller) };
        return json(describe(await clients.put(put, by)), 201);
      },
    }),
    route({
      method: 'DELETE',
      url: '/v1/admin/oauth-clients/:id',
      summary: 'Forget a client; what users consented to by it cannot be renewed any more',
      scope: 'admin',
      params: idPath,
      reply: deletedSchema,
      problems: ['not_found'],
      handle: async ({ params, caller }) => {
        await clients.remove(params.id, { developerId: caller.developerId, actor: keyActor(caller) });
        return json({ id: params.id, deleted: true });
      },
    }),
  ];
}

function describe({ id, issuer, serverId, kind, clientId, authMethod }: OAuthClient) {
  return { id, issuer, server_id: serverId, kind, client_id: clientId, auth_method: authMethod };
}
