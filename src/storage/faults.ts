import type {
  CompiledQuery,
  DatabaseConnection,
  Dialect,
  Driver,
  QueryResult,
  TransactionSettings,
} from 'kysely';
import { Problem } from '../base/problem.ts';

/** SQLite primary result codes (https://www.sqlite.org/rescode.html), in a person's words. */
const sqliteFaults: Readonly<Record<number, string>> = {
  5: 'The store is locked by another process; nothing was written',
  6: 'The store is locked by another process; nothing was written',
  8: 'The store is read-only: check the permissions of the data folder',
  10: 'The store could not be read or written (disk error); nothing was written',
  11: 'The store file is damaged: restore the last backup',
  13: 'The disk of the store is full; nothing was written',
  14: 'The store file cannot be opened: check the data folder and its permissions',
  26: 'The store file is not a SQLite database: restore the last backup or choose another MCPRANK_DATA_DIR',
};

/** PostgreSQL SQLSTATE classes (appendix A of its manual) and socket errors that mean "not now". */
const postgresFaults: readonly (readonly [RegExp, string])[] = [
  [/^53100$/, 'The disk of the database is full; nothing was written'],
  [/^53/, 'The database is out of connections or memory; nothing was written'],
  [/^(57P0|08)/, 'The database is restarting or unreachable; nothing was written'],
  [/^25006$/, 'The database is read-only (a standby?); nothing was written'],
  [/^(40001|40P01|55P03)$/, 'The database was too busy for this change; nothing was written'],
  [/^(28|3D000)/, 'The database refuses DATABASE_URL: check user, password and database name'],
  [
    /^(ECONNREFUSED|ECONNRESET|ENOTFOUND|ETIMEDOUT|EPIPE|EAI_AGAIN)$/,
    'The database is unreachable; nothing was written',
  ],
];
const unreachable =
  /timeout exceeded when trying to connect|Client has encountered a connection error|Cannot use a pool after/;
/** The line broke, or fell silent, with a statement under way: its commit may have gone through. */
const brokenOff = /Connection terminated|Query read timeout/;

/** The Problem behind a driver's error, or the error itself when it is a fault of ours (bad SQL, broken constraint). */
export function storageProblem(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { errcode, code } = error as { errcode?: number; code?: string };
  const text = errcode !== undefined ? sqliteFaults[errcode & 0xff] : postgresFault(code, error.message);
  return text === undefined ? error : new Problem('unavailable', text, { cause: error, retryAfterMs: 1_000 });
}

function postgresFault(code: string | undefined, message: string): string | undefined {
  if (unreachable.test(message)) return 'The database is unreachable; nothing was written';
  if (brokenOff.test(message))
    return 'The database went away in the middle: whether it was written is not known, so ask again';
  return postgresFaults.find(([pattern]) => code !== undefined && pattern.test(code))?.[1];
}

/** The same dialect with its errors as Problems. */
export function withProblems(dialect: Dialect): Dialect {
  return {
    createAdapter: () => dialect.createAdapter(),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createIntrospector: (db) => dialect.createIntrospector(db),
    createDriver: () => new ProblemDriver(dialect.createDriver()),
  };
}

class ProblemDriver implements Driver {
  readonly #inner: Driver;
  readonly #wrapped = new WeakMap<DatabaseConnection, ProblemConnection>();

  constructor(inner: Driver) {
    this.#inner = inner;
  }

  init(): Promise<void> {
    return asProblem(() => this.#inner.init());
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    const connection = await asProblem(() => this.#inner.acquireConnection());
    const known = this.#wrapped.get(connection);
    if (known !== undefined) return known;
    const wrapped = new ProblemConnection(connection);
    this.#wrapped.set(connection, wrapped);
    return wrapped;
  }

  beginTransaction(connection: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    return asProblem(() => this.#inner.beginTransaction(innerOf(connection), settings));
  }

  commitTransaction(connection: DatabaseConnection): Promise<void> {
    return asProblem(() => this.#inner.commitTransaction(innerOf(connection)));
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    try {
      await this.#inner.rollbackTransaction(innerOf(connection));
    } catch {
      // SQLite rolls back by itself on a full disk or an I/O error, and a lost connection has nothing to roll back:
      // the fault that matters is the one that led here.
    }
  }

  releaseConnection(connection: DatabaseConnection): Promise<void> {
    return this.#inner.releaseConnection(innerOf(connection));
  }

  destroy(): Promise<void> {
    return this.#inner.destroy();
  }
}

class ProblemConnection implements DatabaseConnection {
  readonly inner: DatabaseConnection;

  constructor(inner: DatabaseConnection) {
    this.inner = inner;
  }

  executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    return asProblem(() => this.inner.executeQuery<R>(query));
  }

  streamQuery<R>(query: CompiledQuery, chunkSize: number): AsyncIterableIterator<QueryResult<R>> {
    return this.inner.streamQuery<R>(query, chunkSize);
  }
}

function innerOf(connection: DatabaseConnection): DatabaseConnection {
  return connection instanceof ProblemConnection ? connection.inner : connection;
}

async function asProblem<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw storageProblem(error);
  }
}
