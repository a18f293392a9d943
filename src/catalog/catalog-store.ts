import { type Kysely, type SelectQueryBuilder, sql, type Transaction } from 'kysely';
import type { Storage } from '../storage/storage.ts';
import type { AuthType, CatalogTool, Transport } from './catalog-model.ts';
import type { UseRow } from './invocations/popularity.ts';
import { definitionOf } from './tool-definition.ts';

export type ServerRow = {
  id: string;
  name: string;
  description: string;
  version: string | null;
  remote_url: string | null;
  transport: Transport;
  auth_type: AuthType | null;
  category: string | null;
  tags: string;
  verified: number;
  repository_url: string | null;
  launch: string | null;
  protocol_revision: string | null;
  user_credentials: string | null;
  source: string;
  prior: number;
  revision: number;
  created_at: number;
  updated_at: number;
  deleted_at: number | null;
};
type ToolRow = {
  server_id: string;
  name: string;
  position: number;
  description: string;
  input_schema: string;
  details: string | null;
};
export type CatalogTables = {
  servers: ServerRow;
  tools: ToolRow;
  server_use: UseRow;
  counters: { name: string; value: number };
};
export type CatalogTrx = Transaction<CatalogTables>;

/** A row with its tools, as stored. */
export type StoredServer = { readonly row: ServerRow; readonly tools: readonly CatalogTool[] };
/** Ids per `in (…)` list: far below the 32,766 parameters SQLite allows. */
export const idsPerQuery = 200;
export function* slices<T>(rows: readonly T[], size: number): Generator<T[]> {
  for (let at = 0; at < rows.length; at += size) yield rows.slice(at, at + size);
}

/** What a page of the catalog is narrowed to; `text` is part of an id, a name or a description. */
export type ListFilters = {
  readonly text?: string;
  readonly transport?: Transport;
  readonly auth?: AuthType | 'none';
  readonly category?: string;
  readonly verified?: boolean;
  readonly source?: string;
  /** Written by the operator, by hand or in a file; false: not. */
  readonly own?: boolean;
};
type Facet = readonly { readonly name: string | null; readonly servers: number }[];
export type Facets = Readonly<Record<'category' | 'transport' | 'auth' | 'source', Facet>>;
const facetsShown = 100;

export type PublicQuery = {
  readonly sources: readonly string[];
  readonly after: string;
  readonly limit: number;
  /** Milliseconds since 1970: what changed from then on. */
  readonly since: number | undefined;
  /** Part of the id. */
  readonly search: string | undefined;
};

export type Db = Kysely<CatalogTables>;

/** The reads of the catalog; what writes stands in write-store.ts. */
export function createCatalogStore(storage: Storage) {
  const db = storage.tables<CatalogTables>();
  // What no index answers goes over all rows.
  const reports = (asker?: string) => storage.reports<CatalogTables>(asker);
  return {
    async revision(): Promise<number> {
      const row = await db
        .selectFrom('counters')
        .select('value')
        .where('name', '=', 'catalog')
        .executeTakeFirst();
      return row?.value ?? 0;
    },
    async revisions() {
      const rows = await db
        .selectFrom('servers')
        .select(['id', 'revision', 'updated_at', 'deleted_at'])
        .execute();
      return new Map(
        rows.map(
          ({ id, revision, updated_at: changedAt, deleted_at }) =>
            [id, { revision, changedAt, gone: deleted_at !== null }] as const,
        ),
      );
    },
    async changesAfter(revision: number, limit: number): Promise<StoredServer[]> {
      const rows = await db
        .selectFrom('servers')
        .selectAll()
        .where('revision', '>', revision)
        .orderBy('revision')
        .limit(limit)
        .execute();
      return withTools(db, rows);
    },
    /** The same history, names only: what the server cache keeps. */
    namesAfter: (revision: number, limit: number) => readNames(db, revision, limit),
    async find(id: string): Promise<StoredServer | undefined> {
      const row = await db.selectFrom('servers').selectAll().where('id', '=', id).executeTakeFirst();
      return row === undefined ? undefined : (await withTools(db, [row]))[0];
    },
    async listAfter(
      id: string,
      limit: number,
      { filters, asker }: { readonly filters: ListFilters; readonly asker: string | undefined },
    ): Promise<StoredServer[]> {
      const from = Object.values(filters).some((value) => value !== undefined) ? reports(asker) : db;
      const rows = filtered(active(from).selectAll().where('id', '>', id), filters);
      return withTools(db, await rows.orderBy('id').limit(limit).execute());
    },
    /** How many active servers there are of each kind: what a browser of the catalog can choose from. */
    async facets(asker?: string): Promise<Facets> {
      const rows = reports(asker);
      const [category, transport, auth, source] = await Promise.all([
        countBy(rows, 'category'),
        countBy(rows, 'transport'),
        countBy(rows, 'auth_type'),
        countBy(rows, 'source'),
      ]);
      return { category, transport, auth, source };
    },
    publicAfter: (query: PublicQuery) => readPublic({ db, reports: reports('public') }, query),
    priors: () => active(db).select(['id', 'prior']).execute(),
    useBetween: (from: number, to: number) => readUse(db, from, to),
    async isEmpty(): Promise<boolean> {
      return (await db.selectFrom('servers').select('id').limit(1).executeTakeFirst()) === undefined;
    },
    async idsOf(source: string): Promise<string[]> {
      return (await active(db).select('id').where('source', '=', source).execute()).map((row) => row.id);
    },
    stats: (asker?: string) => countAll(reports(asker)),
    async definitionsOf(serverIds: readonly string[]): Promise<Map<string, Map<string, string>>> {
      const definitions = (tools: readonly CatalogTool[]) =>
        new Map(tools.map((tool) => [tool.name, definitionOf(tool)]));
      return new Map([...(await toolsOf(db, serverIds))].map(([id, tools]) => [id, definitions(tools)]));
    },
  };
}

export type CatalogStore = ReturnType<typeof createCatalogStore>;

export function active(db: Db) {
  return db.selectFrom('servers').where('deleted_at', 'is', null);
}

export async function withTools(db: Db, rows: readonly ServerRow[]): Promise<StoredServer[]> {
  const tools = await toolsOf(
    db,
    rows.filter((row) => row.deleted_at === null).map((row) => row.id),
  );
  return rows.map((row) => ({ row, tools: tools.get(row.id) ?? [] }));
}

async function readNames(db: Db, revision: number, limit: number) {
  const rows = await db
    .selectFrom('servers')
    .select(['id', 'revision', 'deleted_at'])
    .where('revision', '>', revision)
    .orderBy('revision')
    .limit(limit)
    .execute();
  const names = new Map<string, string[]>();
  for (const ids of slices(
    rows.map((row) => row.id),
    idsPerQuery,
  )) {
    const found = await db
      .selectFrom('tools')
      .select(['server_id', 'name'])
      .where('server_id', 'in', ids)
      .execute();
    for (const tool of found) listIn(names, tool.server_id).push(tool.name);
  }
  return rows.map((row) => ({
    id: row.id,
    revision: row.revision,
    gone: row.deleted_at !== null,
    tools: names.get(row.id) ?? [],
  }));
}

type ServerQuery = SelectQueryBuilder<CatalogTables, 'servers', ServerRow>;

export function filtered(rows: ServerQuery, filters: ListFilters): ServerQuery {
  const { text, auth, own, verified } = filters;
  let found = rows;
  for (const column of ['transport', 'category', 'source'] as const) {
    const value = filters[column];
    if (value !== undefined) found = found.where(column, '=', value);
  }
  if (text !== undefined) {
    const like = likePattern(text);
    found = found.where(
      sql<boolean>`(lower(id) like ${like} escape '\\' or lower(name) like ${like} escape '\\' or lower(description) like ${like} escape '\\')`,
    );
  }
  if (auth !== undefined)
    found = auth === 'none' ? found.where('auth_type', 'is', null) : found.where('auth_type', '=', auth);
  if (own !== undefined) found = found.where('source', own ? 'in' : 'not in', [...operatorSources]);
  if (verified !== undefined) found = found.where('verified', '=', verified ? 1 : 0);
  return found;
}

/** For `like … escape '\\'` on what was lowered: the text anywhere. */
function likePattern(text: string): string {
  return `%${text.toLowerCase().replace(/[\\%_]/g, '\\$&')}%`;
}

async function countBy(db: Db, column: 'category' | 'transport' | 'auth_type' | 'source'): Promise<Facet> {
  const rows = await active(db)
    .select([`${column} as name`, sql<number>`count(*)`.as('servers')])
    .groupBy(column)
    .orderBy('servers', 'desc')
    .limit(facetsShown)
    .execute();
  return rows.map(({ name, servers }) => ({ name, servers: Number(servers) }));
}

/** Servers from these sources, tools and all; removed ones only together with `since`. */
async function readPublic(
  { db, reports }: { readonly db: Db; readonly reports: Db },
  query: PublicQuery,
): Promise<StoredServer[]> {
  const { sources, after, limit, since, search } = query;
  let rows = reports.selectFrom('servers').selectAll().where('source', 'in', sources).where('id', '>', after);
  rows = since === undefined ? rows.where('deleted_at', 'is', null) : rows.where('updated_at', '>=', since);
  if (search !== undefined)
    rows = rows.where(sql<boolean>`lower(id) like ${likePattern(search)} escape '\\'`);
  return withTools(db, await rows.orderBy('id').limit(limit).execute());
}

/** Use by developer and day, `from` and `to` included, a day at a time. */
async function* readUse(db: Db, from: number, to: number): AsyncGenerator<UseRow[]> {
  const days = await db
    .selectFrom('server_use')
    .select('day')
    .distinct()
    .where('day', '>=', from)
    .where('day', '<=', to)
    .execute();
  for (const { day } of days) {
    yield await db
      .selectFrom('server_use')
      .select(['server_id', 'developer_id', 'day', 'calls'])
      .where('day', '=', day)
      .execute();
  }
}

async function countAll(db: Db) {
  const servers = await db
    .selectFrom('servers')
    .select([
      sql<number>`count(*)`.as('all'),
      sql<number>`coalesce(sum(case when deleted_at is null then 0 else 1 end), 0)`.as('removed'),
    ])
    .executeTakeFirstOrThrow();
  const tools = await db
    .selectFrom('tools')
    .innerJoin('servers', 'servers.id', 'tools.server_id')
    .where('servers.deleted_at', 'is', null)
    .select(sql<number>`count(*)`.as('all'))
    .executeTakeFirstOrThrow();
  return { servers: servers.all - servers.removed, tools: tools.all, removed: servers.removed };
}

/** What the operator wrote or removed, by hand or in a file; a sync never touches it. */
export const operatorSources: ReadonlySet<string> = new Set(['admin', 'apply', 'config']);

export function isOfOperator(source: string): boolean {
  return operatorSources.has(source);
}

export async function toolsOf(
  db: Pick<CatalogTrx, 'selectFrom'>,
  serverIds: readonly string[],
): Promise<Map<string, CatalogTool[]>> {
  const found = new Map<string, CatalogTool[]>();
  for (const ids of slices(serverIds, idsPerQuery)) {
    const rows = await db
      .selectFrom('tools')
      .selectAll()
      .where('server_id', 'in', ids)
      .orderBy('server_id')
      .orderBy('position')
      .execute();
    for (const row of rows) {
      listIn(found, row.server_id).push({
        name: row.name,
        description: row.description,
        inputSchema: row.input_schema,
        ...(row.details === null ? {} : { details: row.details }),
      });
    }
  }
  return found;
}

function listIn<T>(map: Map<string, T[]>, key: string): T[] {
  let list = map.get(key);
  if (list === undefined) {
    list = [];
    map.set(key, list);
  }
  return list;
}
