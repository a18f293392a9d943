import { isMap, isSeq, parseDocument, stringify } from 'yaml';
import type { ApiKey } from '../../access/access.ts';
import type { JsonObject } from '../../base/json.ts';
import type { ServerRecord } from '../../catalog/catalog.ts';
import { splitSecrets } from '../../connections/connections.ts';
import type { Services } from '../services.ts';
import { keyForm, rightsForm, serverForm, toolsetForm } from './declared-forms.ts';
import { bindingsForm, isConfigured } from './plan-rights.ts';
import { appliedSource, findServer, serversFrom } from './plan-servers.ts';

export type Exported = {
  readonly developers?: readonly string[];
  readonly servers: readonly JsonObject[];
  readonly toolsets: JsonObject;
  readonly keys: readonly JsonObject[];
  readonly providers?: JsonObject;
};

/**
 * What `apply` would make this service from: the operator's own servers, who sees which, toolsets, and keys by their digests.
 * Credentials are never in it, nor the key of MCPRANK_ADMIN_KEY, revoked keys, and servers that came from elsewhere.
 */
export async function exportDeclared(services: Services): Promise<Exported> {
  const { access, catalog, policy, locals, connections } = services;
  const { admin } = policy;
  const all = await access.listKeys();
  // In an order that the store does not decide: two keys of one millisecond have none there.
  const keys = all
    .filter((key) => key.revokedAt === null && !isConfigured(key))
    .sort((a, b) => (a.digest < b.digest ? -1 : 1));
  const records = [...(await serversFrom(catalog, 'admin')), ...(await serversFrom(catalog, appliedSource))];
  const servers = await Promise.all(records.map((record) => exportServer(record, { catalog, admin })));
  const own = new Set(records.map(({ id }) => id));
  for (const id of admin.serversWithRights()) {
    if (own.has(id)) continue;
    const isThere = locals.get(id) !== undefined || (await findServer(catalog, id)) !== undefined;
    if (isThere) servers.push({ id, ...rightsForm(admin.rightsOf(id)) });
  }
  await connections.declaredProviders.start();
  const providers = connections.declaredProviders
    .all()
    .map(({ name, row }) => [name, splitSecrets(row).shown] as const);
  const toolsets = admin
    .toolsets()
    .map(({ name }) => [name, exportToolset(name, { admin, keys: all })] as const);
  const bound = admin.toolsets().flatMap(({ name }) => admin.toolset(name).bindings.developers);
  const withKey = new Set(keys.map(({ developer }) => developer));
  const developers = [...new Set(bound)].filter((name) => !withKey.has(name)).sort();
  return {
    ...(developers.length > 0 && { developers }),
    servers: servers.sort(byId),
    toolsets: Object.fromEntries(toolsets),
    keys: keys.map((key) => ({ ...keyForm(key), digest: key.digest })),
    ...(providers.length > 0 && { providers: Object.fromEntries(providers) }),
  };
}

type Admin = Services['policy']['admin'];

async function exportServer(
  record: ServerRecord,
  { catalog, admin }: { readonly catalog: Services['catalog']; readonly admin: Admin },
): Promise<JsonObject> {
  const { tools, ...form } = serverForm(record);
  // What a probe listed, the next one lists again.
  const isListed = ((await catalog.health.find(record.id))?.fingerprint ?? null) !== null;
  return {
    id: record.id,
    ...form,
    ...(admin.hasRights(record.id) && rightsForm(admin.rightsOf(record.id))),
    ...(tools !== undefined && !isListed && { tools }),
  };
}

/** Keys by their digests: another store knows them by these alone. */
function exportToolset(
  name: string,
  { admin, keys }: { readonly admin: Admin; readonly keys: readonly ApiKey[] },
): JsonObject {
  const { toolset, bindings } = admin.toolset(name);
  const digests = keys.filter(({ keyId }) => bindings.keys.includes(keyId)).map(({ digest }) => digest);
  return { ...toolsetForm(toolset), bindings: bindingsForm({ ...bindings, keys: digests }) };
}

function byId(a: JsonObject, b: JsonObject): number {
  return String(a.id) < String(b.id) ? -1 : 1;
}

/** As YAML, with a line where credentials are kept that are not in it. */
export function toYaml(exported: Exported, credentialed: ReadonlySet<string>): string {
  const document = parseDocument(stringify(exported, { lineWidth: 0, aliasDuplicateObjects: false }));
  const servers = document.get('servers');
  for (const item of isSeq(servers) ? servers.items : [])
    if (isMap(item) && credentialed.has(String(item.get('id'))))
      item.commentBefore = ` its credentials stay in the store; elsewhere say them as "\${NAME}" of the environment`;
  const providers = document.get('providers');
  if (isMap(providers))
    providers.commentBefore = ` their secrets stay in the store; elsewhere say them as "\${NAME}" of the environment`;
  return document.toString({ lineWidth: 0 });
}
