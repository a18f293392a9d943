import { isDeepStrictEqual } from 'node:util';
import type { JsonObject } from '../../base/json.ts';
import { type DeclaredProvider, splitSecrets } from '../../connections/connections.ts';
import type { Change, ProviderEntry } from '../declared-file/declared-model.ts';
import type { Services } from '../services.ts';
import { changeBetween } from './declared-diff.ts';

export type ProviderStep = { readonly change: Change; readonly declared: DeclaredProvider };

export function planProviders(
  entries: readonly ProviderEntry[],
  { declaredProviders }: Services['connections'],
): ProviderStep[] {
  const there = new Map(declaredProviders.all().map(({ name, row }) => [name, row]));
  return entries.flatMap(({ name, row }) => {
    const current = there.get(name);
    const secrets = secretForms(current, row);
    const change = changeBetween(
      { kind: 'provider', name },
      current && { ...splitSecrets(current).shown, ...secrets.current },
      { ...splitSecrets(row).shown, ...secrets.desired },
    );
    return change === undefined ? [] : [{ change, declared: { name, row } }];
  });
}

/** Which secrets there are, and whether they differ; never what they say. */
function secretForms(current: JsonObject = {}, desired: JsonObject) {
  const kept = splitSecrets(current).secrets;
  const hide = (secrets: JsonObject, word: (name: string) => string) =>
    Object.fromEntries(Object.keys(secrets).map((name) => [name, word(name)]));
  return {
    current: hide(kept, () => 'kept secret'),
    desired: hide(splitSecrets(desired).secrets, (name) =>
      kept[name] === undefined || isDeepStrictEqual(kept[name], desired[name])
        ? 'kept secret'
        : 'another secret',
    ),
  };
}
