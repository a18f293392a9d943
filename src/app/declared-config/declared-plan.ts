import type { ApiKey } from '../../access/access.ts';
import { type RuleCatalog, warningsFor } from '../../api/rule-warnings.ts';
import type { Config } from '../../config.ts';
import type { DeclaredFile } from '../declared-file/declared-file.ts';
import type { Change, Declared } from '../declared-file/declared-model.ts';
import type { Services } from '../services.ts';
import { createDeclarationStore } from './declaration-store.ts';
import { type ProviderStep, planProviders } from './plan-providers.ts';
import {
  isConfigured,
  type KeyStep,
  keyName,
  planKeys,
  planToolsets,
  type Tenants,
  type ToolsetStep,
} from './plan-rights.ts';
import { appliedSource, planServers, type ServerStep, serversFrom } from './plan-servers.ts';

export type PlanServices = Pick<
  Services,
  'access' | 'catalog' | 'connections' | 'locals' | 'policy' | 'storage'
>;

/** What has to be done so that everything is as the file says. */
export type Plan = {
  readonly developers: readonly string[];
  readonly servers: readonly ServerStep[];
  readonly toolsets: readonly ToolsetStep[];
  readonly keys: readonly KeyStep[];
  readonly providers: readonly ProviderStep[];
  /** What an earlier file made and this one does not name. */
  readonly removed: {
    readonly servers: readonly string[];
    readonly toolsets: readonly string[];
    readonly keys: readonly ApiKey[];
    readonly providers: readonly string[];
  };
  readonly warnings: readonly string[];
};

/** Throws `invalid_request` with every fault of the file. */
export async function planDeclared(
  file: DeclaredFile,
  declared: Declared,
  { services, tiers }: { readonly services: PlanServices; readonly tiers: Config['tiers'] },
): Promise<Plan> {
  const { access, policy } = services;
  const tenants = { keys: await access.listKeys(), developers: await access.listDevelopers() };
  const warnings = [...declared.notes];
  const servers = await planServers(file, declared.servers ?? [], services);
  const toolsets = planToolsets(file, declared, { admin: policy.admin, tenants });
  const keys = planKeys(file, declared.keys ?? [], { tiers, tenants, warnings });
  file.throwIfFaulty();
  const rules = withDeclared(services.catalog, declared);
  for (const { name, input } of toolsets)
    for (const warning of await warningsFor(input.rules, rules, policy.fits))
      warnings.push(`toolsets.${name}.${warning}`);
  return {
    developers: [...new Set(declared.developers)].filter((name) => !tenants.developers.includes(name)),
    servers,
    toolsets,
    keys,
    providers: planProviders(declared.providers ?? [], services.connections),
    removed: await removedBy(declared, services, tenants),
    warnings,
  };
}

/** The catalogue as it will be: what the file declares is there, too. */
function withDeclared(catalog: PlanServices['catalog'], { servers }: Declared): RuleCatalog {
  const declared = (servers ?? []).flatMap(({ input }) => input ?? []);
  const behind = 'declared';
  return {
    async list({ limit, cursor }) {
      if (cursor !== undefined) return catalog.list({ limit, ...(cursor !== behind && { cursor }) });
      return {
        servers: declared.map((input) => ({ ...input, trusted: input.verified, tools: input.tools ?? [] })),
        nextCursor: behind,
      };
    },
  };
}

async function removedBy(
  { servers, toolsets, keys, providers }: Declared,
  { catalog, connections, policy, storage }: PlanServices,
  tenants: Tenants,
): Promise<Plan['removed']> {
  const store = createDeclarationStore(storage);
  const [madeToolsets, madeKeys] = await Promise.all([store.made('toolset'), store.made('key')]);
  const namedServers = new Set(servers?.map(({ id }) => id));
  const namedToolsets = new Set(toolsets?.map(({ name }) => name));
  const namedProviders = new Set(providers?.map(({ name }) => name));
  // There are none but those that a file made.
  const declaredProviders = providers === null ? [] : connections.declaredProviders.all();
  const namedKeys = new Set(keys?.map(({ key }) => key.digest));
  const applied = servers === null ? [] : await serversFrom(catalog, appliedSource);
  const there = toolsets === null ? [] : policy.admin.toolsets().map(({ name }) => name);
  return {
    servers: applied.map(({ id }) => id).filter((id) => !namedServers.has(id)),
    toolsets: there.filter((name) => madeToolsets.has(name) && !namedToolsets.has(name)),
    providers: declaredProviders.map(({ name }) => name).filter((name) => !namedProviders.has(name)),
    keys: tenants.keys.filter(
      (key) =>
        keys !== null &&
        madeKeys.has(key.keyId) &&
        key.revokedAt === null &&
        !isConfigured(key) &&
        !namedKeys.has(key.digest),
    ),
  };
}

/** The plan as it is shown. */
export function changesOf({ developers, servers, toolsets, keys, providers, removed }: Plan): Change[] {
  const one = (action: Change['action'], kind: Change['kind']) => (name: string) =>
    ({ action, kind, name, fields: [] }) satisfies Change;
  return [
    ...developers.map(one('add', 'developer')),
    ...[...servers, ...toolsets, ...keys, ...providers].map(({ change }) => change),
    ...removed.servers.map(one('remove', 'server')),
    ...removed.toolsets.map(one('remove', 'toolset')),
    ...removed.keys.map(keyName).map(one('remove', 'key')),
    ...removed.providers.map(one('remove', 'provider')),
  ];
}
