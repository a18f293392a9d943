import { Type } from 'typebox';
import type { Connections } from '../connections/connections.ts';
import { json, type Route, route } from '../http/route.ts';

const providerSchema = Type.Object(
  {
    name: Type.String(),
    title: Type.String(),
    callback_url: Type.String({ format: 'uri', description: 'to be registered with the provider' }),
    scopes: Type.Array(Type.String(), { description: 'asked for when a session names none' }),
    missing: Type.Array(Type.String(), {
      description: 'what keeps users from being connected, with where it is set; never a value',
    }),
  },
  { $id: 'ProviderSetup' },
);

/** The providers that users can be connected to. */
export function providerRoutes({ providerSetups }: Pick<Connections, 'providerSetups'>): Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/admin/providers',
      summary: 'The OAuth providers there are: what to register with each, and what is missing here',
      scope: 'admin',
      reply: Type.Object({ providers: Type.Array(providerSchema) }),
      handle: () =>
        json({
          providers: providerSetups().map(({ callbackUrl, ...setup }) => ({
            ...setup,
            callback_url: callbackUrl,
          })),
        }),
    }),
  ];
}
