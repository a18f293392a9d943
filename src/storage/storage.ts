/**
 * The store: one database handle, SQLite or PostgreSQL, chosen by whether there is a DATABASE_URL.
 *
 * Promises: a write that returned is on disk; a schema is brought up to date before anything is read, and a
 * newer one is refused; a change and the notice of it are one transaction, heard by every process within a
 * second. Every room's SQL stands in its own `*-store.ts` and runs on both databases.
 * When the database is locked, full, read-only, damaged or away, the caller gets the Problem `unavailable`
 * with the reason in words, and nothing was written.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Dialect, Kysely, sql, type Transaction } from 'kysely';
import type { Clock } from '../base/clock.ts';
import type { Secret } from '../base/secret.ts';
import { type Audit, type AuditEntry, type AuditTables, createAudit } from './audit.ts';
import { createLeases, type JobTables, type Leases } from './coordination/leases.ts';
import { createLongWork, type LongWork, type WorkTables } from './coordination/long-work.ts';
import { createNotices, type NoticeRow, type NoticeTables, type Topic } from './coordination/notices.ts';
import { createPresence, type Presence } from './coordination/presence.ts';
import { createSharedFiles, type SharedFiles, type SharedFileTables } from './coordination/shared-files.ts';
import { type FileState, NodeSqliteDialect, openSqlite } from './embedded/sqlite.ts';
import { storageProblem, withProblems } from './faults.ts';
import { isOurs, migrate } from './schema/migrate.ts';
import { createSeals, type SealedColumn, type SealTables } from './sealed-store.ts';

export type { Audit } from './audit.ts';
export { type LongWork, workNames } from './coordination/long-work.ts';
export type { SharedFiles } from './coordination/shared-files.ts';
export { deleteBelow, edgeBeyond } from './delete-below.ts';
export {
  createIdempotency,
  type Idempotency,
  type OutcomeCodec,
  type RunOnce,
} from './idempotency/idempotency.ts';
export { createInsert } from './insert.ts';
export type { SealedColumn } from './sealed-store.ts';
export { WriteBehind } from './write-behind.ts';

import { backupTo, copyToFile, restoreFrom } from './backup.ts';
import { createSharedNow, type SharedNow } from './coordination/shared-now.ts';

export type StorageConfig = { readonly databaseUrl: Secret | null; readonly dataDir: string };

/** Who is told of what nobody asked for. */
export type StorageObservers = {
  /** Notices could not be read; they are asked for again. */
  readonly noticesFailed?: (error: unknown) => void;
  /** The file of the embedded store was deleted or replaced, or is back: until then nothing is written. */
  readonly fileChanged?: (state: FileState, file: string) => void;
  /** There is no store at this place, and one is about to be made: what this throws is thrown, and nothing was made. */
  readonly newStore?: (place: string) => void;
};

export type Notify = (topic: Topic, payload: string) => Promise<void>;
export type WriteAudit = (entry: AuditEntry) => Promise<void>;

export type Storage = {
  readonly dialect: 'sqlite' | 'postgres';
  /** Where it is, for people: a file, or the server and database without user and password. */
  readonly place: string;
  /** The handle, typed with the tables of the asking room. */
  tables<T>(): Kysely<T>;
  /** The same for reading only, and for questions over many rows: nothing else of the process waits for their answers, and no asker for another's. */
  reports<T>(asker?: string): Kysely<T>;
  /** One transaction; the notices that `act` publishes are heard after the commit, its audit entries are part of it. */
  write<T, R>(act: (trx: Transaction<T>, notify: Notify, audit: WriteAudit) => Promise<R>): Promise<R>;
  /**
   * A transaction for logs of ours: a crash of this process does not lose it, a power failure may lose the last ones.
   * Nothing waits for the disk, which with SQLite would be the whole process.
   */
  writeBehind<T>(act: (trx: Transaction<T>) => Promise<void>): Promise<void>;
  readonly audit: Audit;
  /** Milliseconds since 1970 by the clock that all processes of the store share: what leases and notices go by. */
  readonly sharedNow: SharedNow;
  /** Calls back for each notice of a topic, from whichever process it came. */
  subscribe(topic: Topic, listener: (payload: string) => void): void;
  readonly leases: Leases;
  readonly presence: Presence;
  /** null where all processes of the store have one data folder. */
  readonly sharedFiles: SharedFiles | null;
  readonly longWork: LongWork;
  /** The sealed texts of these columns: which keys sealed them, and a walk that re-wraps them. */
  seals(columns: readonly SealedColumn[]): ReturnType<typeof createSeals>;
  /** Throws the store's Problem when it does not answer. */
  ping(): Promise<void>;
  /** Copies the whole store to a new SQLite file while in use, whatever kind of store this is; `conflict` where there is a file. */
  backup(file: string): Promise<void>;
  /** Fills this empty store, of either kind, from such a file; all of it or nothing. Answers rows by table. */
  restore(file: string): Promise<Readonly<Record<string, number>>>;
  close(): Promise<void>;
};

type Engine = {
  readonly dialect: Storage['dialect'];
  readonly place: string;
  readonly db: Kysely<NoticeTables>;
  /** For questions over many rows, of one asker. */
  reports(asker: string): Kysely<NoticeTables>;
  close(): Promise<void>;
  /** One transaction whose commit does not wait for the disk. */
  writeBehind<T>(act: (trx: Transaction<T>) => Promise<void>): Promise<void>;
  backup(file: string): Promise<void>;
  /** Throws where what is written would be lost. */
  verify?(): void;
  listen?(onNotice: (row: NoticeRow) => void): () => Promise<void>;
};

/** Whose the questions are that no developer asks. */
const operator = '';

export async function openStorage(
  config: StorageConfig,
  clock: Clock,
  observers: StorageObservers = {},
): Promise<Storage> {
  const { noticesFailed: onError = () => undefined } = observers;
  const engine =
    config.databaseUrl === null
      ? sqliteEngine(config.dataDir, observers)
      : await postgresEngine(config.databaseUrl);
  const { db, dialect, place } = engine;
  try {
    if (
      dialect === 'postgres' &&
      observers.newStore !== undefined &&
      !(await isOurs(db as unknown as Kysely<unknown>))
    )
      observers.newStore(place);
    await migrate(db as unknown as Kysely<unknown>);
  } catch (error) {
    await engine.close();
    throw error;
  }
  const sharedNow = createSharedNow(dialect, clock);
  const notices = createNotices({ db, clock, sharedNow, dialect, onError });
  await notices.start();
  const unlisten = engine.listen?.(notices.deliver);
  const audit = createAudit(engine.reports(operator) as unknown as Kysely<AuditTables>, clock);

  return {
    dialect,
    place,
    tables: <T>() => db as unknown as Kysely<T>,
    reports: <T>(asker = operator) => engine.reports(asker) as unknown as Kysely<T>,
    async write<T, R>(act: (trx: Transaction<T>, notify: Notify, audit: WriteAudit) => Promise<R>) {
      let noticed = false;
      const result = await db.transaction().execute((trx) =>
        act(
          trx as unknown as Transaction<T>,
          (topic, payload) => {
            noticed = true;
            return notices.publish(trx, topic, payload);
          },
          (entry) => audit.append(trx as unknown as Transaction<AuditTables>, entry),
        ),
      );
      // PostgreSQL delivers the notice itself; here the poll is brought forward so that this process hears at once.
      if (noticed) await notices.poll();
      return result;
    },
    writeBehind: engine.writeBehind,
    audit,
    sharedNow,
    subscribe: notices.subscribe,
    leases: createLeases(db as unknown as Kysely<JobTables>, sharedNow),
    presence: createPresence(db as unknown as Kysely<JobTables>, sharedNow),
    sharedFiles:
      dialect === 'sqlite' ? null : createSharedFiles(db as unknown as Kysely<SharedFileTables>, sharedNow),
    longWork: createLongWork(db as unknown as Kysely<WorkTables>, clock),
    seals: (columns) => createSeals(db as unknown as Kysely<SealTables>, columns),
    async ping() {
      engine.verify?.();
      await db.selectFrom('notices').select('id').limit(1).execute();
    },
    backup: (file) => backupTo(file, engine.backup),
    restore: (file) => restoreFrom(file, db as unknown as Kysely<unknown>),
    async close() {
      notices.stop();
      await unlisten?.();
      await engine.close();
    },
  };
}

function sqliteEngine(dataDir: string, { fileChanged, newStore }: StorageObservers): Engine {
  const path = join(dataDir, 'mcprank.db');
  if (!existsSync(path)) newStore?.(path);
  try {
    const file = openSqlite(path, (state) => fileChanged?.(state, path));
    const open = (dialect: Dialect) => new Kysely<NoticeTables>({ dialect: withProblems(dialect) });
    // Both share one writing connection: their transactions come one after the other.
    const db = open(NodeSqliteDialect.of(file));
    const behind = open(NodeSqliteDialect.behind(file));
    return {
      dialect: 'sqlite',
      place: path,
      db,
      reports: (asker) => open(NodeSqliteDialect.reports(file, asker)),
      writeBehind: (act) => behind.transaction().execute((trx) => act(trx as never)),
      backup: file.backup,
      verify: () => file.identity.verify(),
      async close() {
        await file.reports.close();
        await db.destroy();
      },
    };
  } catch (error) {
    throw storageProblem(error);
  }
}

async function postgresEngine(url: Secret): Promise<Engine> {
  // Loaded only where it is used: the driver is a tenth of a small process's memory.
  const { listen, openPostgres } = await import('./postgres.ts');
  const { pool, dialect } = openPostgres(url);
  const db = new Kysely<NoticeTables>({ dialect: withProblems(dialect) });
  return {
    dialect: 'postgres',
    place: placeOf(url),
    db,
    reports: () => db,
    close: () => db.destroy(),
    writeBehind: (act) =>
      db.transaction().execute(async (trx) => {
        await sql`set local synchronous_commit to off`.execute(trx);
        await act(trx as never);
      }),
    listen: (onNotice) => listen(pool, onNotice),
    backup: (file) => copyToFile(db as unknown as Kysely<unknown>, file),
  };
}

function placeOf(url: Secret): string {
  const { host, pathname, searchParams } = new URL(url.reveal().replace(/@(?=[/?])/, '@localhost'));
  const options = searchParams.get('options');
  return `PostgreSQL at ${host}${pathname}${options === null ? '' : ` (${options})`}`;
}
