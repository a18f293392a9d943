import { Type } from 'typebox';
import { Problem } from '../base/problem.ts';
import { type Call, json, type Route, route } from '../http/route.ts';
import { isDoor, type SignIn } from '../sign-in/sign-in.ts';

const metadataSchema = Type.Object(
  {
    resource: Type.String({ format: 'uri' }),
    authorization_servers: Type.Array(Type.String({ format: 'uri' })),
    scopes_supported: Type.Array(Type.String()),
    bearer_methods_supported: Type.Array(Type.String()),
    resource_name: Type.String(),
  },
  { $id: 'ProtectedResource', description: 'RFC 9728' },
);
const serverSchema = Type.Object(
  {
    issuer: Type.String({ format: 'uri' }),
    authorization_endpoint: Type.String({ format: 'uri' }),
    token_endpoint: Type.String({ format: 'uri' }),
    registration_endpoint: Type.String({ format: 'uri' }),
  },
  { $id: 'AuthorizationServer', description: 'RFC 8414', additionalProperties: true },
);
const anyName = Type.Object({ name: Type.String({ maxLength: 1_000 }) });
/** The path of a door, behind the well-known place. */
const doorPath = Type.Object({ '*': Type.String({ maxLength: 1_100 }) });

/** Where clients look for them, in whatever order: the same document everywhere (RFC 8414, OpenID, RFC 9728). */
export function oauthMetadataRoutes(signIn: SignIn): Route[] {
  const described = { method: 'GET', scope: null, crossOrigin: true } as const;
  const slashed = { finalSlash: true } as const;
  const server = {
    ...described,
    summary: 'Where and how people sign in (RFC 8414)',
    reply: serverSchema,
    handle: () => json(signIn.serverMetadata()),
  };
  const resource = '/.well-known/oauth-protected-resource';
  const protectedResource = {
    ...described,
    summary: 'Who gives tokens for the door of MCP at that path (RFC 9728)',
    reply: metadataSchema,
    handle: ({ target, headers }: Pick<Call<unknown, unknown, unknown>, 'target' | 'headers'>) => {
      const path = pathBehind(target, resource);
      const found = path === '' || isDoor(path) ? signIn.resourceMetadata(path, headers.host) : null;
      if (found === null) throw noDoor();
      return json(found);
    },
  };
  return [
    ...['oauth-authorization-server', 'openid-configuration'].flatMap((name) => {
      const place = `/.well-known/${name}`;
      return [
        route({ ...server, ...slashed, url: place }),
        route({
          ...server,
          url: `${place}/*`,
          params: doorPath,
          problems: ['not_found'],
          handle: ({ target }) => {
            if (!isDoor(pathBehind(target, place))) throw noDoor();
            return json(signIn.serverMetadata());
          },
        }),
        route({ ...server, ...slashed, url: `/mcp${place}` }),
        route({ ...server, url: `/mcp/t/:name${place}`, params: anyName, ...slashed }),
        route({ ...server, url: `/mcp/servers/:name${place}`, params: anyName, ...slashed }),
      ];
    }),
    route({ ...protectedResource, ...slashed, url: resource }),
    route({ ...protectedResource, url: `${resource}/*`, params: doorPath, problems: ['not_found'] }),
  ];
}

function pathBehind(target: string, place: string): string {
  return (target.split('?', 1)[0] ?? '').slice(place.length);
}

function noDoor(): Problem {
  return new Problem('not_found', 'There is no MCP server of ours at that path');
}
