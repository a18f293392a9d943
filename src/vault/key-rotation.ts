import { Problem } from '../base/problem.ts';
import type { Vault } from './envelope.ts';

type SealedRow = { readonly id: string; readonly sealed: string };

/** One column of sealed texts, as the store lets it be walked. */
export type SealedRows = {
  readonly name: string;
  /** How many begin with something else. */
  countOthers(prefix: string): Promise<number>;
  /** Rows in the order of their ids, behind `after`, whose text begins with something else. */
  others(prefix: string, after: string, limit: number): Promise<readonly SealedRow[]>;
  /** Replaces a text that is still what was read; a row that changed meanwhile was sealed anew by its writer. */
  replace(
    rows: readonly { readonly id: string; readonly was: string; readonly sealed: string }[],
  ): Promise<void>;
};

export type RotationProgress = { readonly column: string; readonly done: number; readonly total: number };

const batchSize = 200;

/**
 * A server that does not have the first key could open nothing of what was put under it. `serving`: the ids of the keys that
 * each running server has. Throws `conflict`.
 */
export function refuseUnknownKey(
  { kids: [first = ''] }: Pick<Vault, 'kids'>,
  serving: readonly (readonly string[])[],
): void {
  const without = serving.filter((known) => !known.includes(first)).length;
  if (without > 0)
    throw new Problem(
      'conflict',
      `${without} of ${serving.length} running servers do not have the vault key ${first} yet: give all of them the new MCPRANK_VAULT_KEYS first, then rotate`,
    );
}

/**
 * Re-wraps every sealed text under the first key while the service goes on. It may be stopped at any time: what is done
 * is done, and the next run finds only the rest.
 */
export async function rotate(
  vault: Vault,
  columns: readonly SealedRows[],
  onProgress: (progress: RotationProgress) => void,
): Promise<number> {
  const { prefix } = vault;
  let all = 0;
  for (const column of columns) {
    const total = await column.countOthers(prefix);
    let done = 0;
    for (let after = ''; ; ) {
      const rows = await column.others(prefix, after, batchSize);
      after = rows.at(-1)?.id ?? '';
      if (after === '') break;
      await column.replace(await Promise.all(rows.map((row) => rewrapped(vault, row))));
      done += rows.length;
      onProgress({ column: column.name, done, total });
    }
    all += done;
  }
  return all;
}

async function rewrapped(vault: Vault, { id, sealed }: SealedRow) {
  return { id, was: sealed, sealed: (await vault.rewrap(sealed)) ?? sealed };
}
