import type { Config } from '../../config.ts';
import { DeclaredFile } from '../declared-file/declared-file.ts';
import type { Change } from '../declared-file/declared-model.ts';
import { type ReadDeps, readDeclared } from '../declared-file/read-declared.ts';
import type { Services } from '../services.ts';
import { createDeclarationStore, type Made } from './declaration-store.ts';
import { changesOf, type Plan, type PlanServices, planDeclared } from './declared-plan.ts';
import { appliedSource } from './plan-servers.ts';

export type Applied = { readonly changes: readonly Change[]; readonly warnings: readonly string[] };
export type DeclaredText = {
  /** What faults call the file. */
  readonly name: string;
  readonly text: string;
  readonly environment: ReadDeps['environment'];
};

/** At the machine itself, by a file. */
const by = { actor: 'system', developerId: 'system' };

/**
 * Makes everything as the file says, or with `planOnly` tells what that would take. A file with a fault changes nothing: it
 * throws `invalid_request` with every fault and where it stands. Applied again it does nothing; broken off, it goes on.
 */
export async function applyDeclared(
  services: Services,
  config: Pick<Config, 'tiers'>,
  { name, text, environment, planOnly = false }: DeclaredText & { readonly planOnly?: boolean },
): Promise<Applied> {
  const { declaredProviders } = services.connections;
  await declaredProviders.start();
  const file = new DeclaredFile(name, text);
  const declared = readDeclared(file, {
    parseServer: services.catalog.parse,
    checkUrl: (url) => services.outbound.checkUrl(url, { host: true }),
    declaredProviders,
    environment,
  });
  const plan = await planDeclared(file, declared, { services, tiers: config.tiers });
  const changes = changesOf(plan);
  if (!planOnly && changes.length > 0) await carryOut(plan, services);
  return { changes, warnings: plan.warnings };
}

/** What narrows comes before what widens: at no moment may anybody more than before and after. All toolsets change at once. */
async function carryOut(plan: Plan, services: PlanServices): Promise<void> {
  const { access, catalog, connections, policy, storage } = services;
  const { declaredProviders } = connections;
  const { removed } = plan;
  const declarations = createDeclarationStore(storage);
  // Before it is made: what is broken off behind that is known to be the file's.
  await declarations.note(made(plan), []);
  for (const name of removed.providers) await declaredProviders.remove(name, by);
  for (const { keyId } of removed.keys) await access.revokeKey(keyId);
  for (const id of removed.servers) await catalog.remove(id, by);
  if (plan.developers.length > 0) await access.addDevelopers(plan.developers);
  for (const { change, rights } of plan.servers)
    if (rights !== null) await policy.admin.putRights([change.name], rights, by);
  if (plan.toolsets.length + removed.toolsets.length > 0)
    await policy.admin.changeToolsets({ put: plan.toolsets, removed: removed.toolsets }, by);
  const inputs = plan.servers.flatMap(({ input }) => input ?? []);
  if (inputs.length > 0) await catalog.put(inputs, appliedSource, by);
  for (const { declared } of plan.providers) await declaredProviders.put(declared, by);
  for (const { key } of plan.keys) await access.putKey(key);
  await declarations.note([], taken(plan));
}

function made({ toolsets, keys }: Plan): Made[] {
  const isNew = ({ change }: { readonly change: Change }) => change.action === 'add';
  return [
    ...toolsets.filter(isNew).map(({ name }) => ({ kind: 'toolset', name }) as const),
    ...keys.filter(isNew).map(({ key }) => ({ kind: 'key', name: key.keyId }) as const),
  ];
}

function taken({ removed }: Plan): Made[] {
  return [
    ...removed.toolsets.map((name) => ({ kind: 'toolset', name }) as const),
    ...removed.keys.map(({ keyId }) => ({ kind: 'key', name: keyId }) as const),
  ];
}
