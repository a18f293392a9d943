import { Type } from 'typebox';
import type { Principal } from '../access/access.ts';
import { keyActor } from '../base/actor.ts';
import { itemsOf, scanJson } from '../base/json-scanner.ts';
import { JsonText } from '../base/json-text.ts';
import { Problem } from '../base/problem.ts';
import type { Catalog, ProbeServer, ServerInput } from '../catalog/catalog.ts';
import { json, type Route, route } from '../http/route.ts';
import { deletedSchema, idPath } from './field-schemas.ts';
import { browseRoute, describeHealth } from './server-routes.ts';
import { healthSchema } from './server-schemas.ts';

const putReportSchema = Type.Object(
  {
    ids: Type.Array(Type.String()),
    added: Type.Integer(),
    updated: Type.Integer(),
    unchanged: Type.Integer(),
  },
  { $id: 'PutReport' },
);
const maxServersPerCall = 1000;

/** The catalog, as its operator changes it. */
export function catalogAdminRoutes(catalog: Catalog, probeServer: ProbeServer): Route[] {
  return [
    route({
      method: 'POST',
      url: '/v1/admin/servers',
      summary: 'Add or change a server, or an array of them, in the catalogue format; all or nothing',
      scope: 'admin',
      body: Type.Unknown({ description: `a server or an array of 1 to ${maxServersPerCall} servers` }),
      reply: putReportSchema,
      handle: async ({ bytes, caller }) => {
        const inputs = parseServers(catalog, bytes);
        const report = await catalog.put(inputs, 'admin', by(caller));
        return json({
          ids: inputs.map((input) => input.id),
          added: report.added,
          updated: report.updated,
          unchanged: report.unchanged,
        });
      },
    }),
    route({
      method: 'POST',
      url: '/v1/admin/servers/:id/probe',
      summary: 'Connect to a server now, list its tools, and keep what that shows',
      scope: 'admin',
      params: idPath,
      reply: Type.Object({ id: Type.String(), health: healthSchema }),
      problems: ['not_found', 'server_gone'],
      handle: async ({ params, signal }) => {
        await catalog.get(params.id);
        const health = await catalog.health.probe(params.id, probeServer, signal);
        return json({ id: params.id, health: describeHealth(health) });
      },
    }),
    browseRoute(catalog, {
      url: '/v1/admin/servers',
      summary: 'The catalogue with where each server came from',
      scope: 'admin',
    }),
    route({
      method: 'DELETE',
      url: '/v1/admin/servers/:id',
      summary: 'Take a server out of the catalogue: its id answers 410 from then on',
      scope: 'admin',
      params: idPath,
      reply: deletedSchema,
      problems: ['not_found', 'server_gone'],
      handle: async ({ params, caller }) => {
        await catalog.remove(params.id, by(caller));
        return json({ id: params.id, deleted: true });
      },
    }),
  ];
}

/** Who the audit trail names. */
function by(caller: Principal) {
  return { actor: keyActor(caller), developerId: caller.developerId };
}

/** Every element is checked before anything is written; the detail names the element and the field. */
function parseServers(catalog: Catalog, bytes: Buffer | undefined): ServerInput[] {
  const body = scanJson(bytes ?? Buffer.from('null'));
  const many = body.kind === 'array';
  const values = many ? itemsOf(body) : [body];
  if (values.length === 0 || values.length > maxServersPerCall)
    throw new Problem(
      'invalid_request',
      `body: expected a server or an array of 1 to ${maxServersPerCall} servers`,
    );
  return values.map((value, index) => {
    const parsed = catalog.parse(new JsonText(value.text()));
    if (!parsed.ok)
      throw new Problem('invalid_request', elementFault(parsed.reason, many ? `[${index}]` : ''));
    return parsed.input;
  });
}

/** `[3].name: expected …`, or `[3]: expected …` when the element itself is not right. */
function elementFault(reason: string, place: string): string {
  if (!/^[a-z_]+[^ ]*: /.test(reason)) return `${place || 'body'}: ${reason}`;
  return place === '' ? reason : `${place}.${reason}`;
}
