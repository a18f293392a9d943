import type { Storage } from '../../storage/storage.ts';

export type MadeKind = 'toolset' | 'key';
type Tables = { declarations: { kind: MadeKind; name: string } };
export type Made = { readonly kind: MadeKind; readonly name: string };

/** What a file made: that alone is taken away once the file no longer names it. Of servers their source says it. */
export function createDeclarationStore(storage: Storage) {
  const db = storage.tables<Tables>();
  return {
    async made(kind: MadeKind): Promise<ReadonlySet<string>> {
      const rows = await db.selectFrom('declarations').select('name').where('kind', '=', kind).execute();
      return new Set(rows.map(({ name }) => name));
    },
    note(added: readonly Made[], removed: readonly Made[]): Promise<void> {
      return storage.write<Tables, void>(async (trx) => {
        for (const row of added)
          await trx
            .insertInto('declarations')
            .values(row)
            .onConflict((clash) => clash.doNothing())
            .execute();
        for (const { kind, name } of removed)
          await trx.deleteFrom('declarations').where('kind', '=', kind).where('name', '=', name).execute();
      });
    },
  };
}
