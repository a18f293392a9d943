import type { Kysely } from 'kysely';

/** A column of a room's table that holds what the vault sealed; null where there is none. */
export type SealedColumn = { readonly table: string; readonly id: string; readonly sealed: string };

export type SealTables = { vault_canaries: { kid: string; sealed: string } };

/** Any table: names come from the rooms' own declarations, never from outside. */
type AnyTables = Record<string, Record<string, string | null>>;

export type SealedRow = { readonly id: string; readonly sealed: string };

/** The store's sealed texts, as the vault needs them: to know which keys are in use, and to re-wrap. */
export function createSeals(db: Kysely<SealTables>, columns: readonly SealedColumn[]) {
  const walks = columns.map((column) => walkOf(db, column));
  return {
    canaries: () => db.selectFrom('vault_canaries').select(['kid', 'sealed']).execute(),
    async addCanary(kid: string, sealed: string): Promise<boolean> {
      const added = await db
        .insertInto('vault_canaries')
        .values({ kid, sealed })
        .onConflict((c) => c.column('kid').doNothing())
        .executeTakeFirst();
      return (added.numInsertedOrUpdatedRows ?? 0n) > 0n;
    },
    async dropCanary(kid: string): Promise<void> {
      await db.deleteFrom('vault_canaries').where('kid', '=', kid).execute();
    },
    async count(prefix: string): Promise<number> {
      let sum = 0;
      for (const { count } of walks) sum += await count(prefix);
      return sum;
    },
    columns: walks,
  };
}

function walkOf(seals: Kysely<SealTables>, { table, id, sealed }: SealedColumn) {
  const db = seals as unknown as Kysely<AnyTables>;
  const countWhere = async (comparison: 'like' | 'not like', prefix: string) => {
    const row = await db
      .selectFrom(table)
      .select((e) => e.fn.countAll().as('n'))
      .where(sealed, comparison, `${prefix}%`)
      .executeTakeFirst();
    return Number(row?.n ?? 0);
  };
  return {
    name: `${table}.${sealed}`,
    count: (prefix: string) => countWhere('like', prefix),
    countOthers: (prefix: string) => countWhere('not like', prefix),
    async others(prefix: string, after: string, limit: number): Promise<SealedRow[]> {
      const rows = await db
        .selectFrom(table)
        .select([`${id} as id`, `${sealed} as sealed`])
        .where(sealed, 'not like', `${prefix}%`)
        .where(id, '>', after)
        .orderBy(id)
        .limit(limit)
        .execute();
      return rows as unknown as SealedRow[];
    },
    /** A row that is not what it was is left alone: its writer sealed it anew. */
    async replace(
      changes: readonly { readonly id: string; readonly was: string; readonly sealed: string }[],
    ): Promise<void> {
      await db.transaction().execute(async (trx) => {
        for (const change of changes)
          await trx
            .updateTable(table)
            .set({ [sealed]: change.sealed })
            .where(id, '=', change.id)
            .where(sealed, '=', change.was)
            .execute();
      });
    },
  };
}
