import { Type } from 'typebox';
import { Problem } from '../base/problem.ts';
import type { UserTokens } from '../connections/connections.ts';
import {
  json,
  type OtherReply,
  type PassthroughCall,
  passthroughRoute,
  type Route,
  route,
} from '../http/route.ts';
import type { OAuthProxy } from '../proxy/proxy.ts';
import { orNull } from './field-schemas.ts';

const provider = Type.String({
  minLength: 1,
  maxLength: 100,
  description: 'the name of a provider',
  examples: ['google'],
});
const infoSchema = Type.Object(
  {
    provider: Type.String(),
    connected: Type.Boolean(),
    status: orNull(Type.Enum(['active', 'needs_reauth'])),
    can_access: Type.Boolean(),
    renewable: Type.Optional(
      Type.Literal(false, { description: 'the connection ends with its access token' }),
    ),
  },
  { $id: 'ProviderInfo' },
);
const providersReply: OtherReply = {
  status: 'default',
  description: "The provider's own reply, as it is",
  contentType: '*/*',
};

export function proxyRoutes(proxy: OAuthProxy, tokens: Pick<UserTokens, 'providerStatus'>): Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/proxy/:provider/info',
      summary: 'Has this user connected the provider',
      scope: 'proxy',
      user: 'required',
      params: Type.Object({ provider }),
      reply: infoSchema,
      problems: ['not_found'],
      handle: async (call) => {
        const name = proxy.parseProvider(call.target);
        const found = await tokens.providerStatus(call.user, name);
        const { provider, isConnected, status, canAccess, isRenewable } = found;
        return json({
          provider,
          connected: isConnected,
          status,
          can_access: canAccess,
          ...(isRenewable === false ? { renewable: false as const } : {}),
        });
      },
    }),
    ...(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const).map((method) =>
      passthroughRoute({
        method,
        url: '/v1/proxy/:provider/*',
        summary: 'Call the API of a provider as this user; everything passes through as it is',
        scope: 'proxy',
        user: 'required',
        params: Type.Object({ provider, path: Type.String() }),
        otherReplies: [providersReply],
        problems: ['provider_not_connected', 'not_found', 'request_timeout', 'too_large', 'upstream_error'],
        forward: (call) =>
          proxy.forward({
            owner: ownerOf(call),
            keyId: call.caller.keyId,
            appName: call.caller.developer,
            method: call.method,
            target: call.target,
            rawHeaders: call.rawHeaders,
            body: call.body,
            signal: call.signal,
          }),
      }),
    ),
  ];
}

function ownerOf({ user }: Pick<PassthroughCall, 'user'>) {
  if (user === null) throw new Problem('invalid_token', 'The MIT is missing');
  return user;
}
