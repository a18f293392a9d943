/**
 * Seal and open: secrets rest in the store only as what this room makes of them. Stores nothing itself.
 *
 * Promises: a sealed text opens under the very binding it was sealed under (owner, row, field, version) and is never
 * readable or changeable by whoever holds the database; every text has a data key of its own, wrapped by a
 * key-encryption key with an id (`kid`), so that keys change without a pause: the first one seals, all of them open.
 * Sealed tokens are the small sibling for what leaves our hands and comes back soon: they expire, and open after a restart.
 * A key that is not the store's, or the absence of one still in use, refuses the start. When a key service is away, the
 * caller gets `unavailable`; a text that was changed, moved or sealed under a removed key is `internal`, never wrong text.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { Problem } from '../base/problem.ts';
import { createVault, type Vault } from './envelope.ts';
import type { KeyWrapper } from './wrappers/key-wrapper.ts';
import type { VaultKey } from './wrappers/local-key.ts';

export { createVault, type Vault } from './envelope.ts';
export { refuseUnknownKey, rotate } from './key-rotation.ts';
export { loadKeys } from './vault-keys.ts';

/** What the vault needs to know of the store's sealed texts; the store's own functions are handed in. */
export type Seals = {
  /** One canary for every key that ever sealed here. */
  canaries(): Promise<readonly { readonly kid: string; readonly sealed: string }[]>;
  /** False when another process was first. */
  addCanary(kid: string, sealed: string): Promise<boolean>;
  dropCanary(kid: string): Promise<void>;
  /** How many sealed texts begin with this. */
  count(prefix: string): Promise<number>;
};

/**
 * The vault of this store, or a `setup` Problem that says which key is wrong or missing (threats K4). A canary is a random
 * text sealed once by every key: a key that cannot open its canary is not the key it was.
 */
export async function unlockVault(options: {
  readonly keys: readonly (VaultKey | KeyWrapper)[];
  readonly clock: Clock;
  readonly seals: Seals;
}): Promise<Vault> {
  const { keys, clock, seals } = options;
  const vault = createVault(options);
  const known = new Map((await seals.canaries()).map(({ kid, sealed }) => [kid, sealed]));
  await refuseMissingKeys(keys, known, seals);
  const seeds = new Map<string, Buffer>();
  for (const key of keys) {
    const sealed = known.get(key.kid) ?? (await newCanary(key, clock, seals));
    seeds.set(key.kid, Buffer.from(await openCanary(vault, key.kid, sealed), 'base64'));
  }
  return createVault({ keys, clock, tokenSeeds: seeds });
}

const canaryBinding = (kid: string) => ['canary', kid];

async function refuseMissingKeys(
  keys: readonly { readonly kid: string }[],
  known: ReadonlyMap<string, string>,
  seals: Seals,
): Promise<void> {
  const removed = [...known.keys()].filter((kid) => !keys.some((key) => key.kid === kid));
  // A first key that never worked on this store cannot be the successor of one that did: most likely a lost key file.
  const succeeded = keys.some(({ kid }) => known.has(kid));
  for (const kid of removed) {
    const count = await seals.count(`v1.${kid}.`);
    if (count > 0 || !succeeded)
      throw new Problem(
        'setup',
        `The store was sealed with the vault key ${kid} (${count} values still are), which is not configured: put it back into MCPRANK_VAULT_KEYS behind the new one and run \`mcprank vault rotate\`, or restore the data folder's vault.key`,
      );
    await seals.dropCanary(kid);
  }
}

async function newCanary(key: VaultKey | KeyWrapper, clock: Clock, seals: Seals): Promise<string> {
  const own = createVault({ keys: [key], clock });
  const sealed = await own.seal(randomBytes(32).toString('base64'), canaryBinding(key.kid));
  if (await seals.addCanary(key.kid, sealed)) return sealed;
  const theirs = (await seals.canaries()).find(({ kid }) => kid === key.kid);
  return theirs?.sealed ?? sealed;
}

async function openCanary(vault: Vault, kid: string, sealed: string): Promise<string> {
  try {
    return await vault.open(sealed, canaryBinding(kid));
  } catch (cause) {
    if (cause instanceof Problem && cause.kind !== 'internal') throw cause;
    const detail = `The vault key ${kid} is not the one this store was sealed with: check MCPRANK_VAULT_KEYS, or restore the data folder's vault.key`;
    throw new Problem('setup', detail, { cause });
  }
}
