import { coalesced } from '../base/coalesced-run.ts';
import type { JsonObject } from '../base/json.ts';
import type { Storage } from '../storage/storage.ts';
import type { Log } from '../telemetry/telemetry.ts';
import type { Vault } from '../vault/vault.ts';
import { type By, createDeclaredProviderStore } from './declared-provider-store.ts';
import type { ProviderTable } from './providers/provider-table.ts';

/** Fields of a row that only the vault may see. */
const providerSecrets = ['client_secret', 'client_key'] as const;

/** A provider's row as a file declares it, its secrets among it. */
export type DeclaredProvider = { readonly name: string; readonly row: JsonObject };

/** Providers that a file of the operator's declared, over the built-in ones and those of MCPRANK_PROVIDERS. */
export type DeclaredProviders = {
  /** Reads them; rejects when the store does not answer. */
  start(): Promise<void>;
  all(): readonly DeclaredProvider[];
  /** What is wrong with a row, each with its field. */
  faultsOf(declared: DeclaredProvider): readonly string[];
  put(declared: DeclaredProvider, by: By): Promise<void>;
  remove(name: string, by: By): Promise<void>;
};

export function createDeclaredProviders(deps: {
  readonly storage: Storage;
  readonly vault: Pick<Vault, 'seal' | 'open'>;
  readonly log: Log;
  readonly providers: ProviderTable;
}): DeclaredProviders {
  const { storage, vault, log, providers } = deps;
  const store = createDeclaredProviderStore(storage);
  let known: readonly DeclaredProvider[] = [];

  const refresh = coalesced(async () => {
    const rows = await store.read();
    known = await Promise.all(
      rows.map(async ({ name, row, secrets_sealed: sealed }) => {
        const secrets = sealed === null ? '{}' : await vault.open(sealed, bindingOf(name));
        return { name, row: { ...(JSON.parse(row) as JsonObject), ...(JSON.parse(secrets) as JsonObject) } };
      }),
    );
    for (const fault of providers.declare(known)) log.error('connections.provider.ignored', { fault });
  });
  storage.subscribe('providers', () => {
    refresh().catch((error: unknown) => log.warn('connections.providers.read_failed', { error }));
  });

  return {
    start: refresh,
    all: () => known,
    faultsOf: providers.faultsOf,
    async put({ name, row }, by) {
      const { shown, secrets } = splitSecrets(row);
      const sealed =
        Object.keys(secrets).length === 0 ? null : await vault.seal(JSON.stringify(secrets), bindingOf(name));
      await store.put({ name, row: JSON.stringify(shown), secrets_sealed: sealed }, by);
      await refresh();
    },
    async remove(name, by) {
      await store.remove(name, by);
      await refresh();
    },
  };
}

/** A row without its secrets, and those. */
export function splitSecrets(row: JsonObject): { readonly shown: JsonObject; readonly secrets: JsonObject } {
  const isSecret = ([name]: [string, unknown]) => (providerSecrets as readonly string[]).includes(name);
  const members = Object.entries(row);
  return {
    shown: Object.fromEntries(members.filter((member) => !isSecret(member))),
    secrets: Object.fromEntries(members.filter(isSecret)),
  };
}

function bindingOf(name: string): readonly string[] {
  return ['declared provider', name];
}
