import { type ApiKey, configuredKeyName, type DeclaredKey, operatorDeveloper } from '../../access/access.ts';
import { describeBindings } from '../../api/toolset-schemas.ts';
import type { Bindings, Policy } from '../../policy/policy.ts';
import type { DeclaredFile } from '../declared-file/declared-file.ts';
import type {
  Change,
  Declared,
  DeclaredToolset,
  KeyEntry,
  ToolsetInput,
} from '../declared-file/declared-model.ts';
import { changeBetween } from './declared-diff.ts';
import { keyForm, toolsetForm } from './declared-forms.ts';

export type ToolsetStep = {
  readonly change: Change;
  readonly name: string;
  readonly input: ToolsetInput;
  readonly bindings: Bindings | null;
};
export type KeyStep = { readonly change: Change; readonly key: DeclaredKey };
/** What there is of keys and developers. */
export type Tenants = { readonly keys: readonly ApiKey[]; readonly developers: readonly string[] };

export function planToolsets(
  file: DeclaredFile,
  { toolsets, keys, developers }: Declared,
  { admin, tenants }: { readonly admin: Policy['admin']; readonly tenants: Tenants },
): ToolsetStep[] {
  const declaredKeys = keys?.map(({ key }) => key) ?? [];
  const names = [...tenants.developers, ...developers, ...declaredKeys.map(({ developer }) => developer)];
  const scope = { keys: keyIds([...declaredKeys, ...tenants.keys]), developers: new Set(names) };
  const there = new Set(admin.toolsets().map(({ name }) => name));
  return (toolsets ?? []).flatMap((toolset) => {
    const { name, input } = toolset;
    const bindings = resolve(file, toolset, scope);
    const known = there.has(name) ? admin.toolset(name) : undefined;
    const current = known && {
      ...toolsetForm({ ...known.toolset }),
      ...(bindings !== null && { bindings: bindingsForm(known.bindings) }),
    };
    const desired = {
      ...toolsetForm(input),
      ...(bindings !== null && { bindings: bindingsForm(bindings) }),
    };
    const change = changeBetween({ kind: 'toolset', name }, current, desired);
    return change === undefined ? [] : [{ change, name, input, bindings }];
  });
}

/** Every key by its id and by its digest; one that is there goes before one that is yet to be made. */
function keyIds(keys: readonly Pick<ApiKey, 'keyId' | 'digest'>[]): ReadonlyMap<string, string> {
  return new Map(
    keys.flatMap(({ keyId, digest }) => [
      [digest, keyId],
      [keyId, keyId],
    ]),
  );
}

function resolve(
  file: DeclaredFile,
  { path, bindings }: DeclaredToolset,
  known: { readonly keys: ReadonlyMap<string, string>; readonly developers: ReadonlySet<string> },
): Bindings | null {
  if (bindings === null) return null;
  const keys = bindings.keys.map((named, i) => {
    const keyId = known.keys.get(named);
    if (keyId === undefined)
      file.fault([...path, 'bindings', 'keys', i], 'unknown; expected the id or the digest of a key');
    return keyId ?? named;
  });
  for (const [i, developer] of bindings.developers.entries())
    if (!known.developers.has(developer))
      file.fault(
        [...path, 'bindings', 'developers', i],
        'unknown; expected one that has a key or stands under developers',
      );
  return { ...bindings, keys };
}

export function bindingsForm({ keys, developers, clients, groups }: Bindings) {
  const sorted = (names: readonly string[]) => [...new Set(names)].sort();
  return describeBindings({
    keys: sorted(keys),
    developers: sorted(developers),
    clients: sorted(clients),
    groups: sorted(groups),
  });
}

export function planKeys(
  file: DeclaredFile,
  entries: readonly KeyEntry[],
  { tiers, tenants, warnings }: PlanKeysDeps,
): KeyStep[] {
  const byDigest = new Map(tenants.keys.map((key) => [key.digest, key]));
  return entries.flatMap(({ path, key: said }) => {
    const known = byDigest.get(said.digest);
    const key = { ...said, keyId: known?.keyId ?? said.keyId };
    if (known !== undefined && known.developer !== key.developer)
      file.fault([...path, 'developer'], `the key is one of ${known.developer}, and stays so`);
    if (!tiers.has(key.tier) && known?.tier !== key.tier)
      file.fault([...path, 'tier'], `expected one of ${[...tiers.keys()].join(', ')}`);
    if (known !== undefined && known.revokedAt !== null) {
      warnings.push(`keys.${keyName(key)}: it was revoked, and stays so`);
      return [];
    }
    const about = { kind: 'key', name: keyName(key) } as const;
    const change = changeBetween(about, known && keyForm(known), keyForm(key));
    return change === undefined ? [] : [{ change, key }];
  });
}

type PlanKeysDeps = {
  readonly tiers: ReadonlyMap<string, number>;
  readonly tenants: Tenants;
  readonly warnings: string[];
};

export function keyName({ developer, name }: Pick<ApiKey, 'developer' | 'name'>): string {
  return `${developer}/${name}`;
}

/** The key of the setting comes and goes with the setting. */
export function isConfigured({ developer, name }: ApiKey): boolean {
  return developer === operatorDeveloper && name === configuredKeyName;
}
