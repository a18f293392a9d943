import { createBoundedCache } from '../base/bounded-cache.ts';
import type { Clock } from '../base/clock.ts';
import { coalesced } from '../base/coalesced-run.ts';
import { Problem } from '../base/problem.ts';
import type { UserCredentials } from '../base/user-credentials.ts';
import type { Launch, ServerRecord } from './catalog-model.ts';
import { type CatalogStore, isOfOperator, type StoredServer } from './catalog-store.ts';
import {
  addUse,
  dayOf,
  effectiveUse,
  horizonDays,
  popularityOf,
  type UseSums,
} from './invocations/popularity.ts';

/** What memory keeps of every server: its tool names as one text (`\nfirst\nsecond\n`), a tenth of what sets would take at 150,000 tools. */
type Entry = { readonly gone: boolean; readonly toolNames: string };

export type ServerCache = {
  /** The catalogue changed. Before the first reading there is nothing that could be out of date, and it can wait for that. */
  refresh(): Promise<void>;
  get(id: string): Promise<ServerRecord>;
  /** The same from memory; undefined where the store has to be asked. */
  peek(id: string): ServerRecord | undefined;
  /** Throws when an outcome cannot be of this server and tool. */
  check(serverId: string, toolName: string): undefined | Promise<void>;
  activeIds(): Promise<string[]>;
  popularity(): Promise<ReadonlyMap<string, number>>;
  refreshPopularity(): Promise<ReadonlyMap<string, number>>;
  toRecord(stored: StoredServer, popularity: ReadonlyMap<string, number>): ServerRecord;
};

const namesPerPage = 2_000;
/** Whole records kept for `get`; a server with its tools is a few kilobytes. */
const recordsKept = 2_000;

export function createServerCache(store: CatalogStore, clock: Clock): ServerCache {
  const entries = new Map<string, Entry>();
  const records = createBoundedCache<ServerRecord>(recordsKept);
  const popular = createPopularity(store, clock);
  let revision = 0;
  let isBegun = false;
  /** Whole, as it was at some moment. */
  let isRead = false;

  const read = async () => {
    isBegun = true;
    while (true) {
      const page = await store.namesAfter(revision, namesPerPage);
      for (const { id, gone, tools } of page) {
        entries.set(id, { gone, toolNames: tools.length === 0 ? '' : `\n${tools.join('\n')}\n` });
        records.delete(id);
      }
      revision = page.at(-1)?.revision ?? revision;
      if (page.length < namesPerPage) break;
    }
    isRead = true;
  };
  /** Reads what changed since the last time. */
  const readNew = coalesced(read);

  const known = (id: string): Entry => {
    const entry = entries.get(id);
    if (entry === undefined) throw new Problem('not_found', 'Server not found');
    if (entry.gone) throw new Problem('server_gone', 'Server is no longer active');
    return entry;
  };
  const load = async (id: string): Promise<ServerRecord> => {
    if (entries.get(id)?.gone !== false) await readNew();
    known(id);
    const at = revision;
    const [stored, popularity] = await Promise.all([store.find(id), popular.current()]);
    if (stored === undefined) throw new Problem('not_found', 'Server not found');
    if (stored.row.deleted_at !== null) throw new Problem('server_gone', 'Server is no longer active');
    const record = toRecord(stored, popularity);
    // Stale-read guard: a record read before a change must not outlive it.
    if (at === revision) records.set(id, record);
    return record;
  };
  return {
    refresh: () => (isBegun ? readNew() : Promise.resolve()),
    get(id) {
      const cached = records.get(id);
      return cached === undefined ? load(id) : Promise.resolve(cached);
    },
    // Of servers that are gone there is none: what changed is taken out.
    peek: (id) => records.get(id),
    check(serverId, toolName) {
      const entry = entries.get(serverId);
      if (entry?.gone === false && hasTool(entry, toolName)) return undefined;
      // Not so as far as this process knows: perhaps another one added it just now.
      return readNew().then(() => {
        if (!hasTool(known(serverId), toolName))
          throw new Problem('not_found', 'Tool not found on this server');
      });
    },
    async activeIds() {
      if (!isRead) await readNew();
      return [...entries].flatMap(([id, { gone }]) => (gone ? [] : [id]));
    },
    popularity: popular.current,
    async refreshPopularity() {
      const values = await popular.refresh();
      records.clear();
      return values;
    },
    toRecord,
  };
}

/** Many registry entries were never probed: with no tools known, any name may be right. */
function hasTool(entry: Entry, toolName: string): boolean {
  return entry.toolNames === '' || entry.toolNames.includes(`\n${toolName}\n`);
}

/** Past days are summed once a day; what may still change (today and, for late commits, yesterday) is read each time. */
function createPopularity(store: CatalogStore, clock: Clock) {
  let closed: { readonly day: number; readonly sums: UseSums } | undefined;
  let values: ReadonlyMap<string, number> | undefined;

  const refresh = async (): Promise<ReadonlyMap<string, number>> => {
    const today = dayOf(clock.now());
    if (closed?.day !== today) {
      const sums: UseSums = new Map();
      for await (const rows of store.useBetween(today - horizonDays, today - 2)) addUse(sums, rows, today);
      closed = { day: today, sums };
    }
    const open: UseSums = new Map();
    for await (const rows of store.useBetween(today - 1, today + 1)) addUse(open, rows, today);
    const fresh = new Map<string, number>();
    for (const { id, prior } of await store.priors()) {
      fresh.set(id, popularityOf(prior, effectiveUse(closed.sums.get(id), open.get(id))));
    }
    values = fresh;
    return fresh;
  };
  return { refresh, current: async () => values ?? refresh() };
}

function toRecord({ row, tools }: StoredServer, popularity: ReadonlyMap<string, number>): ServerRecord {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    version: row.version,
    remoteUrl: row.remote_url,
    transport: row.transport,
    authType: row.auth_type,
    authRequired: row.auth_type !== null,
    category: row.category,
    tags: JSON.parse(row.tags) as string[],
    verified: row.verified === 1,
    ...(row.verified === 1 && isOfOperator(row.source) && { trusted: true }),
    // Not in the map: newer than its last reading, so without any use of its own yet.
    popularity: popularity.get(row.id) ?? row.prior,
    tools,
    repositoryUrl: row.repository_url,
    launch: row.launch === null ? null : (JSON.parse(row.launch) as Launch),
    ...(row.protocol_revision !== null && { protocolRevision: row.protocol_revision }),
    ...(row.user_credentials !== null && {
      userCredentials: JSON.parse(row.user_credentials) as UserCredentials,
    }),
    source: row.source,
    prior: row.prior,
    revision: row.revision,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
