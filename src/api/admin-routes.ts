import { Type } from 'typebox';
import { type Access, describeKey, type Principal, scopes } from '../access/access.ts';
import { keyActor } from '../base/actor.ts';
import { isAddressOrNetwork } from '../base/ip-networks.ts';
import { itemsOf, scanJson } from '../base/json-scanner.ts';
import { JsonText } from '../base/json-text.ts';
import { Problem } from '../base/problem.ts';
import type { Catalog, ProbeServer, ServerInput } from '../catalog/catalog.ts';
import { json, type Route, route } from '../http/route.ts';
import type { Policy } from '../policy/policy.ts';
import { describeRights, rightsBody, rightsIn, rightsReply, rightsShape, toRights } from './server-rights.ts';
import { browseRoute, describeHealth, healthSchema } from './server-routes.ts';

const timeForm = 'a time as ISO 8601, for example 2027-01-31T00:00:00Z';
const time = Type.String({
  maxLength: 40,
  description: timeForm,
});
const optionalTime = Type.Union([time, Type.Null()]);
const apiKey = {
  key_id: Type.String(),
  developer_id: Type.String(),
  developer: Type.String(),
  name: Type.String(),
  tier: Type.String(),
  scopes: Type.Array(Type.String()),
  created_at: time,
  expires_at: optionalTime,
  addresses: Type.Union([Type.Array(Type.String()), Type.Null()]),
  revoked_at: optionalTime,
  last_used_at: optionalTime,
};
const newKey = Type.Object(
  {
    developer: Type.String({ minLength: 1, maxLength: 100 }),
    name: Type.String({ minLength: 1, maxLength: 100 }),
    tier: Type.String({ minLength: 1, maxLength: 32 }),
    scopes: Type.Optional(Type.Array(Type.Enum([...scopes]), { minItems: 1, maxItems: scopes.length })),
    expires_at: Type.Optional(time),
    addresses: Type.Optional(
      Type.Array(Type.String({ minLength: 2, maxLength: 50 }), {
        minItems: 1,
        maxItems: 50,
        description: 'addresses and networks (CIDR) the key may be used from',
      }),
    ),
  },
  { additionalProperties: false },
);
const id = Type.String({ minLength: 1, maxLength: 200 });
const maxServersPerCall = 1000;

type AdminDeps = {
  readonly access: Access;
  readonly catalog: Catalog;
  readonly policy: Pick<Policy, 'admin'>;
  readonly probeServer: ProbeServer;
  /** Throws for a URL that we would not dial. */
  readonly checkUrl: (url: string) => void;
};

export function adminRoutes({ access, catalog, policy, probeServer, checkUrl }: AdminDeps): Route[] {
  return [
    route({
      method: 'POST',
      url: '/v1/admin/keys',
      summary:
        'Make an API key; its text is in this reply and nowhere else. A new `developer` name makes a new tenant',
      scope: 'admin',
      status: 201,
      body: newKey,
      reply: Type.Object({ ...apiKey, key: Type.String() }),
      handle: async ({ body, caller }) => {
        const request = {
          developer: body.developer,
          name: body.name,
          tier: body.tier,
          ...(body.scopes === undefined ? {} : { scopes: body.scopes }),
          expiresAt: body.expires_at === undefined ? null : timeOf(body.expires_at),
          addresses: body.addresses === undefined ? null : checkAddresses(body.addresses),
        };
        const made = await access.createKey(request, by(caller).actor);
        return json({ key: made.key, ...describeKey(made) }, 201);
      },
    }),
    route({
      method: 'GET',
      url: '/v1/admin/keys',
      summary: 'All API keys, without their texts',
      scope: 'admin',
      reply: Type.Object({ keys: Type.Array(Type.Object(apiKey)) }),
      handle: async () => json({ keys: (await access.listKeys()).map(describeKey) }),
    }),
    route({
      method: 'DELETE',
      url: '/v1/admin/keys/:id',
      summary: 'Revoke an API key: it stops working here at once and elsewhere within a second',
      scope: 'admin',
      params: Type.Object({ id }),
      reply: Type.Object({ key_id: Type.String(), revoked: Type.Literal(true) }),
      handle: async ({ params, caller }) => {
        await access.revokeKey(params.id, by(caller).actor);
        return json({ key_id: params.id, revoked: true });
      },
    }),
    route({
      method: 'POST',
      url: '/v1/admin/servers',
      summary: 'Add or change a server, or an array of them, in the catalogue format; all or nothing',
      scope: 'admin',
      body: Type.Unknown({ description: `a server or an array of 1 to ${maxServersPerCall} servers` }),
      reply: Type.Object({
        ids: Type.Array(Type.String()),
        added: Type.Integer(),
        updated: Type.Integer(),
        unchanged: Type.Integer(),
      }),
      handle: async ({ bytes, caller }) => {
        const servers = parseServers(catalog, bytes, checkUrl);
        const inputs = servers.map(({ input }) => input);
        // First who may see it: at no moment is it everybody's.
        for (const { input, rights } of servers) await sayRights(policy.admin, { input, rights }, caller);
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
      params: Type.Object({ id }),
      reply: Type.Object({ id: Type.String(), health: healthSchema }),
      handle: async ({ params, signal }) => {
        await catalog.get(params.id);
        const health = await catalog.health.probe(params.id, probeServer, signal);
        return json({ id: params.id, health: describeHealth(health) });
      },
    }),
    route({
      method: 'GET',
      url: '/v1/admin/servers/:id/rights',
      summary: 'Who may see a server, and whose calls carry the credentials kept for it',
      scope: 'admin',
      params: Type.Object({ id }),
      reply: rightsReply,
      handle: async ({ params }) => {
        await catalog.get(params.id);
        return json(describeRights(policy.admin.rightsOf(params.id)));
      },
    }),
    route({
      method: 'PUT',
      url: '/v1/admin/servers/:id/rights',
      summary:
        'Say who may see a server: everybody, its developer, or some more (`*`: all, with or without credentials)',
      scope: 'admin',
      params: Type.Object({ id }),
      body: rightsBody,
      reply: rightsReply,
      handle: async ({ params, body, caller }) => {
        await catalog.get(params.id);
        await policy.admin.putRights([params.id], toRights(body, caller.developer), by(caller));
        return json(describeRights(policy.admin.rightsOf(params.id)));
      },
    }),
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
      params: Type.Object({ id }),
      reply: Type.Object({ id: Type.String(), deleted: Type.Literal(true) }),
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

/** A server that carries credentials is its developer's own until something else is said. */
async function sayRights(
  admin: Policy['admin'],
  { input: { id, headers }, rights }: PostedServer,
  caller: Principal,
): Promise<void> {
  const carries = headers !== null && Object.keys(headers).length > 0 && !admin.hasRights(id);
  if (rights === null && !carries) return;
  await admin.putRights([id], toRights(rights ?? {}, caller.developer), by(caller));
}

/** A URL that would never be dialled is of no use; one with settings to fill in is not one yet. */
function urlFault(url: string | null, checkUrl: (url: string) => void): string | null {
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

function checkAddresses(addresses: readonly string[]): readonly string[] {
  const wrong = addresses.findIndex((each) => !isAddressOrNetwork(each));
  if (wrong < 0) return addresses;
  throw new Problem(
    'invalid_request',
    `addresses[${wrong}]: expected an address or a network, for example 203.0.113.0/24`,
  );
}

function timeOf(text: string): number {
  const ms = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d))?$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (Number.isNaN(ms)) throw new Problem('invalid_request', `expires_at: expected ${timeForm}`);
  return ms;
}
