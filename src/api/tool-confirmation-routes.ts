import { Type } from 'typebox';
import { keyActor } from '../base/actor.ts';
import { Problem } from '../base/problem.ts';
import { type Catalog, type ServerRecord, toolNamed } from '../catalog/catalog.ts';
import { json, type Route, route } from '../http/route.ts';
import type { Policy } from '../policy/policy.ts';
import { idPath, strict, text, textOrNull } from './field-schemas.ts';

const confirmedSchema = Type.Object(
  {
    tools: Type.Array(
      Type.Object({
        name: Type.String(),
        read_only: Type.Boolean(),
        destructive: Type.Boolean(),
        open_world: Type.Boolean(),
        definition: textOrNull,
        confirmed: Type.Boolean({ description: 'it is what it was when somebody confirmed it' }),
        changed: Type.Boolean({ description: 'it is not what was confirmed' }),
      }),
    ),
  },
  { $id: 'ConfirmedTools' },
);

/** Which tools the operator has looked at: their annotations are believed, until they are others. */
export function toolConfirmationRoutes(
  catalog: Pick<Catalog, 'get'>,
  { admin }: Pick<Policy, 'admin'>,
): Route[] {
  const describe = (record: ServerRecord) => {
    const confirmed = admin.confirmedTools(record.id);
    return {
      tools: record.tools.map(({ name }) => {
        const { hints, definition } = toolNamed(record, name);
        const pinned = confirmed.get(name);
        return {
          name,
          read_only: hints.readOnly,
          destructive: hints.destructive,
          open_world: hints.openWorld,
          definition,
          confirmed: pinned !== undefined && pinned === definition,
          changed: pinned !== undefined && pinned !== definition,
        };
      }),
    };
  };
  return [
    route({
      method: 'GET',
      url: '/v1/admin/servers/:id/confirmed',
      summary: "A server's tools: what it says that they do, and which of them somebody confirmed",
      scope: 'admin',
      params: idPath,
      reply: confirmedSchema,
      problems: ['not_found', 'server_gone'],
      handle: async ({ params }) => json(describe(await catalog.get(params.id))),
    }),
    route({
      method: 'PUT',
      url: '/v1/admin/servers/:id/confirmed',
      summary:
        'Confirm tools as they are now: rules believe what is said of them until it changes; the whole list each time',
      scope: 'admin',
      params: idPath,
      body: Type.Object(
        { tools: Type.Array(text(200), { maxItems: 10_000 }) },
        { ...strict, $id: 'ConfirmedToolsRequest' },
      ),
      reply: confirmedSchema,
      problems: ['not_found', 'server_gone'],
      handle: async ({ params, body, caller }) => {
        const record = await catalog.get(params.id);
        const pinned = body.tools.map((name, i) => {
          const { definition } = toolNamed(record, name);
          if (definition === null)
            throw new Problem('invalid_request', `tools[${i}]: unknown; expected a tool of this server`);
          return [name, definition] as const;
        });
        const { developerId } = caller;
        await admin.putConfirmed(record.id, new Map(pinned), { actor: keyActor(caller), developerId });
        return json(describe(record));
      },
    }),
  ];
}
