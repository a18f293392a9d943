import { newId } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';
import type { Vault } from '../vault/vault.ts';
import type { MachineLogin, ServerInput } from './catalog-model.ts';
import { createCredentialStore, type SealedCredential } from './credential-store.ts';

export { credentialColumns } from './credential-store.ts';

/** What goes from the operator's own with calls to one server; `version` changes when they do. */
export type Credential = {
  readonly headers: Readonly<Record<string, string>>;
  /** null: the header fields are all there is. */
  readonly machineLogin: MachineLogin | null;
  readonly version: string;
};
type Sealed = Pick<Credential, 'headers' | 'machineLogin'>;

/** What the operator sends along to a server: sealed in the store, opened once, kept in memory until something changes. */
export function createCredentials({ storage, vault }: { storage: Storage; vault: Vault }) {
  const store = createCredentialStore(storage);
  const opening = new Map<string, Promise<Credential | null>>();
  const opened = new Map<string, Credential | null>();
  let known: Promise<ReadonlySet<string>> | undefined;
  storage.subscribe('catalog', () => {
    opening.clear();
    opened.clear();
    known = undefined;
  });

  const open = async (serverId: string): Promise<Credential | null> => {
    const row = await store.find(serverId);
    if (row === undefined) return null;
    const text = await vault.open(row.sealed, binding(serverId, row.version));
    const parsed = JSON.parse(text) as Sealed | Credential['headers'];
    // What was kept before there was a login is the header fields alone; none of them is an object.
    const isWhole = (value: typeof parsed): value is Sealed => typeof value.headers === 'object';
    return { version: row.version, ...(isWhole(parsed) ? parsed : { headers: parsed, machineLogin: null }) };
  };

  return {
    /** Sealed before the transaction that writes them: a key service may take its time. */
    seal(inputs: readonly ServerInput[]): Promise<readonly SealedCredential[]> {
      return Promise.all(
        inputs.flatMap(({ id, headers, machineLogin = null }) =>
          headers === null && machineLogin === null
            ? []
            : [sealOne(id, { headers: headers ?? {}, machineLogin }, newId('cred'))],
        ),
      );
    },
    /** Of every server that has one. */
    ids(): Promise<ReadonlySet<string>> {
      known ??= store.ids().then((ids) => new Set(ids));
      known.catch(() => {
        known = undefined;
      });
      return known;
    },
    find(serverId: string): Promise<Credential | null> {
      const before = opening.get(serverId);
      if (before !== undefined) return before;
      const found = open(serverId);
      opening.set(serverId, found);
      found.then(
        (credential) => {
          if (opening.get(serverId) === found) opened.set(serverId, credential);
        },
        // A failure is not an answer: the next call asks again.
        () => opening.delete(serverId),
      );
      return found;
    },
    /** The same from memory; undefined where it has to be asked for. */
    peek: (serverId: string): Credential | null | undefined => opened.get(serverId),
  };

  async function sealOne(serverId: string, kept: Sealed, version: string) {
    const isEmpty = Object.keys(kept.headers).length === 0 && kept.machineLogin === null;
    const sealed = isEmpty ? null : await vault.seal(JSON.stringify(kept), binding(serverId, version));
    return { serverId, version, sealed };
  }
}

function binding(serverId: string, version: string): readonly string[] {
  return ['server headers', serverId, version];
}
