import type { SealedColumn, Storage } from '../storage/storage.ts';

type Row = { readonly name: string; readonly row: string; readonly secrets_sealed: string | null };
type Tables = { declared_providers: Row };
/** Who changes them, for the audit trail. */
export type By = { readonly actor: string; readonly developerId: string };

export const declaredProviderSeals: readonly SealedColumn[] = [
  { table: 'declared_providers', id: 'name', sealed: 'secrets_sealed' },
];

export function createDeclaredProviderStore(storage: Storage) {
  const db = storage.tables<Tables>();
  return {
    read: (): Promise<Row[]> => db.selectFrom('declared_providers').selectAll().orderBy('name').execute(),
    put: ({ name, ...fields }: Row, by: By): Promise<void> =>
      storage.write<Tables, void>(async (trx, notify, audit) => {
        await trx
          .insertInto('declared_providers')
          .values({ name, ...fields })
          .onConflict((clash) => clash.column('name').doUpdateSet(fields))
          .execute();
        await audit({ ...by, action: 'provider.put', subject: name });
        await notify('providers', name);
      }),
    remove: (name: string, by: By): Promise<void> =>
      storage.write<Tables, void>(async (trx, notify, audit) => {
        await trx.deleteFrom('declared_providers').where('name', '=', name).execute();
        await audit({ ...by, action: 'provider.remove', subject: name });
        await notify('providers', name);
      }),
  };
}
