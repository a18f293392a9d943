import { type Static, Type } from 'typebox';
import { Check, Errors } from 'typebox/value';
import type { JsonShape, JsonView } from '../base/json-scanner.ts';
import { Problem } from '../base/problem.ts';
import type { Catalog, ServerInput } from '../catalog/catalog.ts';
import type { Policy, ServerRights } from '../policy/policy.ts';
import { strict, text } from './field-schemas.ts';

const developer = text(100);

/** Who may see a server, as it is said beside its record. */
const rightsFields = {
  visibility: Type.Optional(Type.Enum(['public', 'private'])),
  developer: Type.Optional(developer),
  granted: Type.Optional(
    Type.Array(Type.Object({ developer, credentials: Type.Optional(Type.Boolean()) }, strict), {
      maxItems: 1_000,
    }),
  ),
};
export const rightsRequestSchema = Type.Object(rightsFields, { ...strict, $id: 'ServerRightsRequest' });
export const rightsSchema = Type.Object(
  {
    visibility: Type.Enum(['public', 'private']),
    developer: Type.String(),
    granted: Type.Array(Type.Object({ developer: Type.String(), credentials: Type.Boolean() })),
  },
  { $id: 'ServerRights' },
);

/** Whoever is granted something needs it to be private, so that is what it is unless it is said. Throws `invalid_request`. */
export function toRights(said: Static<typeof rightsRequestSchema>, owner: string): ServerRights {
  const granted = said.granted ?? [];
  for (const [i, { developer: name }] of granted.entries()) {
    const first = granted.findIndex((grant) => grant.developer === name);
    if (first < i)
      throw new Problem(
        'invalid_request',
        `granted[${i}].developer: the same as granted[${first}].developer`,
      );
  }
  return {
    visibility: said.visibility ?? 'private',
    owner: said.developer ?? owner,
    granted: granted.map(({ developer, credentials = false }) => ({ developer, credentials })),
  };
}

export function describeRights({ visibility, owner, granted }: ServerRights) {
  return { visibility, developer: owner, granted: granted.map((grant) => ({ ...grant })) };
}

/** The members of a posted server that say who may see it. */
export const rightsShape: JsonShape = { visibility: true, developer: true, granted: true };

/** What a posted server says of its rights; null where it says nothing. Throws `invalid_request`. */
export function rightsIn(server: JsonView, place: string): Static<typeof rightsRequestSchema> | null {
  const said = Object.fromEntries(
    Object.keys(rightsShape).flatMap((name) => {
      const member = server.present(name);
      return member === undefined ? [] : [[name, member.value()]];
    }),
  );
  if (Object.keys(said).length === 0) return null;
  if (Check(rightsRequestSchema, said)) return said;
  const [error] = Errors(rightsRequestSchema, said);
  const field = (error?.instancePath ?? '').replace(/\/(\d+)/g, '[$1]').replaceAll('/', '.');
  throw new Problem('invalid_request', `${place}${place === '' ? field.slice(1) : field}: ${expected}`);
}

/**
 * For who may add servers and may not say what others may: of a server that is or was there neither who may see it, nor another
 * address for the credentials that are kept for it. Throws `missing_role`.
 */
export async function refuseRights(
  catalog: Pick<Catalog, 'credentialed' | 'get'>,
  admin: Pick<Policy['admin'], 'hasRights'>,
  servers: readonly { readonly input: ServerInput; readonly rights: unknown }[],
): Promise<void> {
  const credentialed = await catalog.credentialed();
  for (const { input, rights } of servers) {
    const { id, remoteUrl, headers, machineLogin } = input;
    const known = await catalog.get(id).catch((error: unknown) => {
      if (!(error instanceof Problem) || !['not_found', 'server_gone'].includes(error.kind)) throw error;
      return error.kind === 'server_gone' ? ('gone' as const) : null;
    });
    if (rights !== null && (known !== null || admin.hasRights(id)))
      throw new Problem('missing_role', `To say who may see ${id}, which is there, needs the role admin`);
    const stays = known !== null && known !== 'gone' && known.remoteUrl === remoteUrl;
    if (credentialed.has(id) && headers === null && machineLogin == null && !stays)
      throw new Problem(
        'missing_role',
        `To send the credentials kept for ${id} elsewhere needs the role admin`,
      );
  }
}

const expected =
  'expected visibility "public" or "private", a developer by name, granted [{"developer", "credentials"}]';
