import { Problem } from '../base/problem.ts';
import type { CatalogChange, ServerRecord } from './catalog-model.ts';
import type { CatalogStore, ListFilters, StoredServer } from './catalog-store.ts';
import type { OrderStore, Place, StoredSort } from './order-store.ts';
import type { ServerCache } from './server-cache.ts';

/** A server that came from the registry or the starter. */
export type PublicServer = { readonly record: ServerRecord; readonly removed: boolean };

/** `own`: the operator's first; `popularity`: the most popular; `added`: the newest; `health`: what is not well. */
export type Sort = 'id' | 'popularity' | StoredSort;

export type ListQuery = {
  readonly cursor?: string;
  readonly limit: number;
  readonly filters?: ListFilters;
  /** By id unless said. */
  readonly sort?: Sort | undefined;
  /** The developer's name: what goes over all rows is done for each in turn. */
  readonly asker?: string;
};

type Readers = { readonly store: CatalogStore; readonly serverCache: ServerCache };
type OrderedReaders = Readers & { readonly orders: OrderStore };
type Page<T> = { readonly servers: readonly T[]; readonly nextCursor?: string };

/** What an operator added or imported is nobody else's business. */
const publicSources = ['registry', 'starter'];
/** Servers read at once: what a batch allocates is what the heap keeps (measured: 500 costs 30 MB more, 100 gains nothing). */
const changesPerBatch = 200;

export async function* readChanges(
  { store, serverCache }: Readers,
  revision: number,
): AsyncGenerator<readonly CatalogChange[]> {
  let after = revision;
  while (true) {
    const page = await store.changesAfter(after, changesPerBatch);
    const last = page.at(-1);
    if (last === undefined) return;
    const popularity = await serverCache.popularity();
    yield page.map((stored) => ({
      revision: stored.row.revision,
      id: stored.row.id,
      server: stored.row.deleted_at === null ? serverCache.toRecord(stored, popularity) : null,
    }));
    after = last.row.revision;
  }
}

export async function readList(
  { store, orders, serverCache }: OrderedReaders,
  query: ListQuery,
): Promise<Page<ServerRecord>> {
  const { cursor, limit, filters = {}, asker, sort = 'id' } = query;
  const popularity = await serverCache.popularity();
  const toServer = (each: StoredServer) => serverCache.toRecord(each, popularity);
  if (sort === 'id') {
    const stored = await store.listAfter(readCursor(cursor), limit + 1, { filters, asker });
    return pageOf(stored, limit, toServer);
  }
  const after = readPlace(cursor);
  const page = { limit: limit + 1, filters, asker };
  const places =
    sort === 'popularity'
      ? firstPlaces(await popularityPlaces({ orders, serverCache }, popularity, page), after, limit + 1)
      : await orders.placesAfter(sort, after, page);
  const stored = await orders.findMany(places.slice(0, limit).map(({ id }) => id));
  const last = places[limit - 1];
  const servers = stored.map(toServer);
  if (places.length <= limit || last === undefined) return { servers };
  return { servers, nextCursor: Buffer.from(JSON.stringify([last.value, last.id])).toString('base64url') };
}

/** Use moves it from minute to minute: it is known in memory only. */
async function popularityPlaces(
  { orders, serverCache }: Pick<OrderedReaders, 'orders' | 'serverCache'>,
  popularity: ReadonlyMap<string, number>,
  { filters, asker }: { readonly filters: ListFilters; readonly asker: string | undefined },
): Promise<Place[]> {
  const isNarrowed = Object.values(filters).some((value) => value !== undefined);
  const ids = isNarrowed ? await orders.idsMatching(filters, asker) : await serverCache.activeIds();
  return ids.map((id) => ({ value: -(popularity.get(id) ?? 0), id }));
}

/** The first so many behind `after`, without sorting the rest. */
function firstPlaces(places: readonly Place[], after: Place | null, limit: number): Place[] {
  const first: Place[] = [];
  for (const place of places) {
    if (after !== null && !isBefore(after, place)) continue;
    const last = first[limit - 1];
    if (last !== undefined && !isBefore(place, last)) continue;
    const at = first.findIndex((each) => isBefore(place, each));
    first.splice(at < 0 ? first.length : at, 0, place);
    first.length = Math.min(first.length, limit);
  }
  return first;
}

function isBefore(a: Place, b: Place): boolean {
  return a.value < b.value || (a.value === b.value && a.id < b.id);
}

export async function readPublicServers(
  { store, serverCache }: Readers,
  query: {
    readonly cursor: string | undefined;
    readonly limit: number;
    readonly since: number | undefined;
    readonly search: string | undefined;
  },
): Promise<Page<PublicServer>> {
  const { cursor, limit, since, search } = query;
  const popularity = await serverCache.popularity();
  const after = readCursor(cursor);
  const stored = await store.publicAfter({ sources: publicSources, after, limit: limit + 1, since, search });
  return pageOf(stored, limit, (each) => ({
    record: serverCache.toRecord(each, popularity),
    removed: each.row.deleted_at !== null,
  }));
}

export async function readPublicServer(serverCache: ServerCache, id: string): Promise<PublicServer> {
  const record = await serverCache.get(id);
  if (!publicSources.includes(record.source)) throw new Problem('not_found', 'Server not found');
  return { record, removed: false };
}

/** `stored` is one longer than a page where there is another page. */
function pageOf<T>(
  stored: readonly StoredServer[],
  limit: number,
  toServer: (stored: StoredServer) => T,
): Page<T> {
  const shown = stored.slice(0, limit);
  const servers = shown.map(toServer);
  const last = shown.at(-1);
  if (stored.length <= limit || last === undefined) return { servers };
  return { servers, nextCursor: Buffer.from(last.row.id).toString('base64url') };
}

/** The id that a page begins after. */
function readCursor(cursor: string | undefined): string {
  if (cursor === undefined) return '';
  const id = Buffer.from(cursor, 'base64url').toString();
  if (id === '' || id.length > 200 || Buffer.from(id).toString('base64url') !== cursor)
    throw new Problem('invalid_request', 'cursor: expected the next_cursor of an earlier reply');
  return id;
}

/** Where a page of an order begins; null for the first. */
function readPlace(cursor: string | undefined): Place | null {
  if (cursor === undefined) return null;
  try {
    const [value, id, ...more] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    const isValue = typeof value === 'string' || typeof value === 'number';
    if (isValue && typeof id === 'string' && more.length === 0) return { value, id };
  } catch {
    // Said below.
  }
  throw new Problem(
    'invalid_request',
    'cursor: expected the next_cursor of an earlier reply of the same order',
  );
}
