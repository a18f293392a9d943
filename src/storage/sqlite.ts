import { accessSync, chmodSync, constants, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { backup, DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import {
  CompiledQuery,
  type DatabaseConnection,
  type QueryResult,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDialect,
  SqliteDriver,
} from 'kysely';
import { Problem } from '../base/problem.ts';

/** How long a statement waits for another process's lock before it gives up, and how often it looks meanwhile. */
const busyTimeoutMs = 5_000;
const lookAgainMs = 5;
/** https://www.sqlite.org/rescode.html#busy */
const sqliteBusy = 5;
/** Prepared statements kept per connection; Kysely compiles a few hundred distinct texts at most. */
const statementCacheSize = 500;

/**
 * Opens the store's file with what durability needs: WAL so that readers never wait for a writer, and
 * synchronous=FULL so that a commit that returned has reached the disk (https://www.sqlite.org/pragma.html).
 */
export function openSqlite(file: string): DatabaseSync {
  const folder = dirname(file);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.W_OK | constants.R_OK);
  } catch (cause) {
    throw new Problem(
      'setup',
      `The data folder ${folder} cannot be written to: choose another with MCPRANK_DATA_DIR or mend its permissions`,
      { cause },
    );
  }
  const db = new DatabaseSync(file, { timeout: busyTimeoutMs });
  db.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY',
  );
  // From here on the waiting is done by PatientConnection.
  db.exec('PRAGMA busy_timeout = 0');
  // The file holds digests and query texts: nobody but its owner has business in it.
  chmodSync(file, 0o600);
  return db;
}

/** A consistent copy while the store is in use (https://www.sqlite.org/backup.html). */
export async function backupSqlite(db: DatabaseSync, target: string): Promise<void> {
  await backup(db, target);
  chmodSync(target, 0o600);
}

/** Kysely over node:sqlite. */
export class NodeSqliteDialect extends SqliteDialect {
  readonly #database: SqliteDatabase;

  constructor(db: DatabaseSync) {
    const database = adapt(db);
    super({ database });
    this.#database = database;
  }

  override createDriver(): SqliteDriver {
    return new PatientDriver({ database: this.#database });
  }

  override createAdapter(): SqliteAdapter {
    return new TransactionalAdapter();
  }
}

/** SQLite changes its schema inside a transaction, so processes that start together migrate one after the other, each wholly or not at all. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/**
 * Takes the write lock when a transaction begins: a read that turns into a write later could not wait for it. Waits for
 * another process's lock between tries, not in them: SQLite's own waiting would stop everything this process does.
 */
class PatientDriver extends SqliteDriver {
  #patient: PatientConnection | undefined;

  override async acquireConnection(): Promise<DatabaseConnection> {
    this.#patient ??= new PatientConnection(await super.acquireConnection());
    return this.#patient;
  }

  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }
}

class PatientConnection implements DatabaseConnection {
  readonly #inner: DatabaseConnection;

  constructor(inner: DatabaseConnection) {
    this.#inner = inner;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const until = performance.now() + busyTimeoutMs;
    for (;;) {
      try {
        return await this.#inner.executeQuery<R>(query);
      } catch (error) {
        if (performance.now() >= until || !isBusy(error)) throw error;
        await delay(lookAgainMs);
      }
    }
  }

  streamQuery<R>(query: CompiledQuery, chunkSize: number): AsyncIterableIterator<QueryResult<R>> {
    return this.#inner.streamQuery<R>(query, chunkSize);
  }
}

/** Only statements that begin something can meet another's lock: inside a transaction the lock is ours. */
function isBusy(error: unknown): boolean {
  const { errcode } = error as { errcode?: number };
  return errcode !== undefined && (errcode & 0xff) === sqliteBusy;
}

function adapt(db: DatabaseSync): SqliteDatabase {
  const statements = new Map<string, ReturnType<typeof adaptStatement>>();
  return {
    close: () => db.close(),
    prepare(sql) {
      const known = statements.get(sql);
      if (known !== undefined) return known;
      if (statements.size >= statementCacheSize) statements.clear();
      const statement = adaptStatement(db.prepare(sql));
      statements.set(sql, statement);
      return statement;
    },
  };
}

function adaptStatement(statement: StatementSync) {
  return {
    reader: statement.columns().length > 0,
    all: (parameters: readonly unknown[]) => statement.all(...bindable(parameters)),
    run: (parameters: readonly unknown[]) => statement.run(...bindable(parameters)),
    iterate: (parameters: readonly unknown[]) => statement.iterate(...bindable(parameters)),
  };
}

/** SQLite has no booleans; everything else we store is text, a number, a blob or null. */
function bindable(values: readonly unknown[]): readonly SQLInputValue[] {
  if (!values.some((value) => typeof value === 'boolean')) return values as readonly SQLInputValue[];
  return values.map((value) => (typeof value === 'boolean' ? Number(value) : (value as SQLInputValue)));
}
