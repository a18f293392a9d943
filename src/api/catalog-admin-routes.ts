import { isDeepStrictEqual } from 'node:util';
import { Type } from 'typebox';
import { isAtLeast, type Principal } from '../access/access.ts';
import { keyActor } from '../base/actor.ts';
import { itemsOf, scanJson } from '../base/json-scanner.ts';
import { JsonText } from '../base/json-text.ts';
import { Problem } from '../base/problem.ts';
import type { Catalog, ProbeServer, ServerInput } from '../catalog/catalog.ts';
import { json, type Route, route } from '../http/route.ts';
import type { Address, AddressFound } from '../mcp/mcp.ts';
import type { Policy, ServerRights } from '../policy/policy.ts';
import { deletedSchema, idPath, orNull, strict, text, textOrNull } from './field-schemas.ts';
import {
  describeRights,
  refuseRights,
  rightsIn,
  rightsRequestSchema,
  rightsSchema,
  rightsShape,
  toRights,
} from './server-rights.ts';
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
export function catalogAdminRoutes({
  catalog,
  policy,
  probeServer,
  probeAddress,
  checkUrl,
}: {
  readonly catalog: Catalog;
  readonly policy: Pick<Policy, 'admin'>;
  readonly probeServer: ProbeServer;
  readonly probeAddress: ProbeAddress;
  /** Throws for a URL that we would not dial. */
  readonly checkUrl: (url: string) => void;
}): Route[] {
  return [
    route({
      method: 'POST',
      url: '/v1/admin/servers',
      summary: 'Add or change a server, or an array of them, in the catalogue format; all or nothing',
      scope: 'admin',
      body: Type.Unknown({ description: `a server or an array of 1 to ${maxServersPerCall} servers` }),
      reply: putReportSchema,
      handle: async ({ bytes, caller }) => {
        const servers = parseServers(catalog, bytes, checkUrl);
        const inputs = servers.map(({ input }) => input);
        if (caller.role !== undefined && !isAtLeast(caller.role, 'admin'))
          await refuseRights(catalog, policy.admin, servers);
        const report = await withRights({ catalog, policy }, servers, caller, () =>
          catalog.put(inputs, 'admin', by(caller)),
        );
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
    addressProbeRoute(catalog, probeAddress, checkUrl),
    ...rightsRoutes(catalog, policy.admin),
    browseRoute(catalog, () => catalog, {
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

type ProbeAddress = (address: Address, signal: AbortSignal) => Promise<AddressFound>;

const addressSchema = Type.Object(
  {
    remote_url: text(2_000),
    transport: Type.Optional(Type.Enum(['streamable-http', 'sse'])),
    headers: Type.Optional(Type.Record(Type.String(), Type.String())),
  },
  { ...strict, $id: 'Address' },
);
const addressFoundSchema = Type.Object(
  {
    state: healthSchema.properties.state,
    era: healthSchema.properties.era,
    auth_type: textOrNull,
    latency_ms: orNull(Type.Number()),
    reason: textOrNull,
    name: Type.Union([Type.String(), Type.Null()], { description: 'what the server calls itself' }),
    icon: Type.Union([Type.String(), Type.Null()], {
      description: 'a `data:` URI of a PNG, JPEG, GIF or WebP; no other icon is told',
    }),
    tools: Type.Array(Type.Object({ name: Type.String(), description: Type.String() })),
  },
  { $id: 'AddressFound' },
);

function addressProbeRoute(catalog: Catalog, probe: ProbeAddress, checkUrl: (url: string) => void): Route {
  return route({
    method: 'POST',
    url: '/v1/admin/probe',
    summary:
      'Connect to an address that is in no catalogue and list its tools; nothing is kept, the headers least of all',
    scope: 'admin',
    body: addressSchema,
    reply: addressFoundSchema,
    handle: async ({ body, signal }) => {
      // As a server of that address would be checked.
      const parsed = catalog.parse({ id: 'probe', name: 'probe', ...body });
      if (!parsed.ok) throw new Problem('invalid_request', parsed.reason);
      const fault = urlFault(parsed.input.remoteUrl, checkUrl);
      if (fault !== null) throw new Problem('invalid_request', fault);
      const { transport = 'streamable-http' } = body;
      const found = await probe(
        { url: body.remote_url, transport, headers: parsed.input.headers ?? {} },
        signal,
      );
      return json({
        state: found.state,
        era: found.era,
        auth_type: found.auth,
        latency_ms: found.latencyMs,
        reason: found.reason,
        name: found.name,
        icon: found.icon,
        tools: (found.tools ?? []).map(({ name, description }) => ({
          name: String(name),
          description: typeof description === 'string' ? description.slice(0, 1_000) : '',
        })),
      });
    },
  });
}

function rightsRoutes(catalog: Catalog, admin: Policy['admin']): Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/admin/servers/:id/rights',
      summary: 'Who may see a server, and whose calls carry the credentials kept for it',
      scope: 'admin',
      params: idPath,
      reply: rightsSchema,
      problems: ['not_found', 'server_gone'],
      handle: async ({ params }) => {
        await catalog.get(params.id);
        return json(describeRights(admin.rightsOf(params.id)));
      },
    }),
    route({
      method: 'PUT',
      url: '/v1/admin/servers/:id/rights',
      summary:
        'Say who may see a server: everybody, its developer, or some more (`*`: all, with or without credentials)',
      scope: 'admin',
      params: idPath,
      body: rightsRequestSchema,
      reply: rightsSchema,
      problems: ['not_found', 'server_gone'],
      handle: async ({ params, body, caller }) => {
        await catalog.get(params.id);
        await admin.putRights([params.id], toRights(body, caller.developer), by(caller));
        return json(describeRights(admin.rightsOf(params.id)));
      },
    }),
  ];
}

/** Who the audit trail names. */
export function by(caller: Principal) {
  return { actor: keyActor(caller), developerId: caller.developerId };
}

/** Every element is checked before anything is written; the detail names the element and the field. */
function parseServers(
  catalog: Catalog,
  bytes: Buffer | undefined,
  checkUrl: (url: string) => void,
): PostedServer[] {
  const body = scanJson(bytes ?? Buffer.from('null'), rightsShape);
  const many = body.kind === 'array';
  const values = many ? itemsOf(body, rightsShape) : [body];
  if (values.length === 0 || values.length > maxServersPerCall)
    throw new Problem(
      'invalid_request',
      `body: expected a server or an array of 1 to ${maxServersPerCall} servers`,
    );
  return values.map((value, index) => {
    const place = many ? `[${index}]` : '';
    const parsed = catalog.parse(new JsonText(value.text()));
    if (!parsed.ok) throw new Problem('invalid_request', elementFault(parsed.reason, place));
    const fault = urlFault(parsed.input.remoteUrl, checkUrl);
    if (fault !== null) throw new Problem('invalid_request', elementFault(fault, place));
    return { input: parsed.input, rights: rightsIn(value, place) };
  });
}

type PostedServer = { readonly input: ServerInput; readonly rights: ReturnType<typeof rightsIn> };

/**
 * Puts servers after it is said who may see them: at no moment is one everybody's, nor do its credentials go with everybody's
 * calls. Where they are not put, who may see them is as it was.
 */
export async function withRights<T>(
  {
    catalog,
    policy: { admin },
  }: {
    readonly catalog: Pick<Catalog, 'revision' | 'revisions'>;
    readonly policy: Pick<Policy, 'admin'>;
  },
  servers: readonly PostedServer[],
  caller: Principal,
  put: () => Promise<T>,
): Promise<T> {
  const said: (readonly [string, ServerRights, ServerRights | null])[] = [];
  const before = await catalog.revision();
  try {
    for (const server of servers) {
      const { id } = server.input;
      const rights = rightsFor(admin, server, caller);
      if (rights === null) continue;
      const former = admin.hasRights(id) ? admin.rightsOf(id) : null;
      await admin.putRights([id], rights, by(caller));
      said.push([id, admin.rightsOf(id), former]);
    }
    return await put();
  } catch (error) {
    const now = said.length === 0 ? null : await catalog.revisions();
    for (const [id, rights, former] of said.reverse()) {
      // Put after all (the store's answer was lost), or by somebody else at once: neither is to be everybody's.
      const isPut = (now?.get(id)?.revision ?? 0) > before;
      // And what somebody else said meanwhile stays.
      if (!isPut && isDeepStrictEqual(admin.rightsOf(id), rights))
        await admin.putRights([id], former, by(caller));
    }
    throw error;
  }
}

/** A server that carries credentials is its developer's own until something else is said; null: nothing is to be said. */
function rightsFor(
  admin: Policy['admin'],
  { input: { id, headers, machineLogin }, rights }: PostedServer,
  caller: Principal,
): ServerRights | null {
  const isKept = machineLogin != null || Object.keys(headers ?? {}).length > 0;
  const carries = isKept && !admin.hasRights(id);
  return rights === null && !carries ? null : toRights(rights ?? {}, caller.developer);
}

/** A URL that would never be dialled is of no use; one with settings to fill in is not one yet. */
export function urlFault(url: string | null, checkUrl: (url: string) => void): string | null {
  if (url === null || /\{|%7b/i.test(url)) return null;
  try {
    checkUrl(url);
    return null;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return `remote_${error.detail}`;
  }
}

/** `[3].name: expected …`, or `[3]: expected …` when the element itself is not right. */
function elementFault(reason: string, place: string): string {
  if (!/^[a-z_]+[^ ]*: /.test(reason)) return `${place || 'body'}: ${reason}`;
  return place === '' ? reason : `${place}.${reason}`;
}
