import { Type } from 'typebox';
import { keyActor } from '../base/actor.ts';
import { json, type Route, route } from '../http/route.ts';
import type { MachineClient, SignIn } from '../sign-in/sign-in.ts';
import { anything, deletedSchema, idPath, strict, text, time } from './field-schemas.ts';
import { isoTime } from './iso-time.ts';

const machineFields = {
  client_id: Type.String(),
  name: Type.String(),
  key_id: Type.String(),
  auth_method: Type.Enum(['client_secret_basic', 'private_key_jwt']),
  created_at: time,
};
const machineSchema = Type.Object(machineFields, { $id: 'MachineClient' });
const newMachineSchema = Type.Object(
  {
    ...machineFields,
    client_secret: Type.Optional(Type.String({ description: 'shown this once; none where it has keys' })),
  },
  { $id: 'NewMachineClient' },
);
const machineRequestSchema = Type.Object(
  {
    name: text(100),
    key_id: text(100),
    jwks: Type.Optional(anything),
    jwks_uri: Type.Optional(text(2_000)),
  },
  { ...strict, $id: 'MachineClientRequest' },
);

/** Programs that sign themselves in at the doors of MCP (`client_credentials`), each with the rights of one API key. */
export function machineClientRoutes({ machines }: Pick<SignIn, 'machines'>): Route[] {
  return [
    route({
      method: 'POST',
      url: '/v1/admin/machine-clients',
      summary: 'A program that signs itself in, with the rights of a key: by its public keys, or by a secret',
      scope: 'admin',
      status: 201,
      body: machineRequestSchema,
      reply: newMachineSchema,
      handle: async ({ body, caller }) => {
        const { name, key_id: keyId, jwks = null, jwks_uri: jwksUri = null } = body;
        const by = { developerId: caller.developerId, actor: keyActor(caller) };
        const { secret, ...made } = await machines.add({ name, keyId, jwks, jwksUri }, by);
        return json({ ...describe(made), ...(secret !== null && { client_secret: secret }) }, 201);
      },
    }),
    route({
      method: 'GET',
      url: '/v1/admin/machine-clients',
      summary: 'The programs that sign themselves in; never a secret',
      scope: 'admin',
      reply: Type.Object({ clients: Type.Array(machineSchema) }),
      handle: async () => json({ clients: (await machines.list()).map(describe) }),
    }),
    route({
      method: 'DELETE',
      url: '/v1/admin/machine-clients/:id',
      summary: 'Forget one: its tokens are dead at once',
      scope: 'admin',
      params: idPath,
      reply: deletedSchema,
      problems: ['not_found'],
      handle: async ({ params, caller }) => {
        await machines.remove(params.id, { developerId: caller.developerId, actor: keyActor(caller) });
        return json({ id: params.id, deleted: true });
      },
    }),
  ];
}

function describe({ clientId, name, keyId, authMethod, createdAt }: MachineClient) {
  return {
    client_id: clientId,
    name,
    key_id: keyId,
    auth_method: authMethod,
    created_at: isoTime(createdAt),
  };
}
