import { accessSync, chmodSync, constants, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { backup, DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import {
  CompiledQuery,
  type DatabaseConnection,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDialect,
  SqliteDriver,
} from 'kysely';
import { Problem } from '../base/problem.ts';

/** How long a statement waits for another process's lock before it gives up. */
const busyTimeoutMs = 5_000;
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
    return new ImmediateDriver({ database: this.#database });
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

/** Takes the write lock when a transaction begins: a read that turns into a write later could not wait for it. */
class ImmediateDriver extends SqliteDriver {
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }
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
    all: (parameters: readonly unknown[]) => statement.all(...parameters.map(bindable)),
    run: (parameters: readonly unknown[]) => statement.run(...parameters.map(bindable)),
    iterate: (parameters: readonly unknown[]) => statement.iterate(...parameters.map(bindable)),
  };
}

/** SQLite has no booleans; everything else we store is text, a number, a blob or null. */
function bindable(value: unknown): SQLInputValue {
  if (typeof value === 'boolean') return value ? 1 : 0;
  return value as SQLInputValue;
}
