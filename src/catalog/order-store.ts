import { sql } from 'kysely';
import type { Storage } from '../storage/storage.ts';
import {
  active,
  type CatalogTables,
  type Db,
  filtered,
  type ListFilters,
  operatorSources,
  type StoredServer,
  withTools,
} from './catalog-store.ts';

/** Orders that the store knows; the smallest first. */
export type StoredSort = 'own' | 'name' | 'health' | 'added';
/** Where a server stands in an order; equals go by their ids. */
export type Place = { readonly value: string | number; readonly id: string };
type Narrowed = {
  readonly limit: number;
  readonly filters: ListFilters;
  readonly asker: string | undefined;
};

/** What wants looking after comes first. */
const unhealthyFirst = sql<number>`coalesce((select case state when 'down' then 0 when 'not_mcp' then 1 when 'auth' then 2 else 3 end
  from server_health where server_health.server_id = servers.id), 4)`;
const orders = {
  own: sql<number>`case when source in (${sql.join([...operatorSources])}) then 0 else 1 end`,
  name: sql<string>`lower(name)`,
  added: sql<number>`-created_at`,
  health: unhealthyFirst,
};

async function readPlaces(
  db: Db,
  { sort, after, limit, filters }: Narrowed & { readonly sort: StoredSort; readonly after: Place | null },
): Promise<Place[]> {
  const value = sql<string | number>`${orders[sort]}`;
  let rows = filtered(active(db).selectAll(), filters)
    .clearSelect()
    .select(['id', value.as('value')]);
  if (after !== null)
    rows = rows.where(
      sql<boolean>`(${value} > ${after.value} or (${value} = ${after.value} and id > ${after.id}))`,
    );
  const found = await rows.orderBy(value).orderBy('id').limit(limit).execute();
  return found.map((row) => ({ id: row.id, value: sort === 'name' ? String(row.value) : Number(row.value) }));
}

/** Pages in an order other than that of the ids: no index has it, so it is a report over all rows. */
export function createOrderStore(storage: Storage) {
  const db = storage.tables<CatalogTables>();
  const reports = (asker?: string) => storage.reports<CatalogTables>(asker);
  return {
    /** Where the servers of a page stand in an order; the columns of it have no index. */
    placesAfter: (sort: StoredSort, after: Place | null, page: Narrowed) =>
      readPlaces(reports(page.asker), { sort, after, ...page }),
    async idsMatching(filters: ListFilters, asker: string | undefined): Promise<string[]> {
      const rows = await filtered(active(reports(asker)).selectAll(), filters)
        .clearSelect()
        .select('id')
        .execute();
      return rows.map(({ id }) => id);
    },
    /** In the order of the ids; what is gone meanwhile is left out. */
    async findMany(ids: readonly string[]): Promise<StoredServer[]> {
      if (ids.length === 0) return [];
      const rows = await active(db).selectAll().where('id', 'in', ids).execute();
      const byId = new Map((await withTools(db, rows)).map((stored) => [stored.row.id, stored]));
      return ids.flatMap((id) => byId.get(id) ?? []);
    },
  };
}

export type OrderStore = ReturnType<typeof createOrderStore>;
