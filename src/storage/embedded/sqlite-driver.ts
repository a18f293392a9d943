import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import {
  CompiledQuery,
  type DatabaseConnection,
  type Driver,
  type QueryResult,
  SelectQueryNode,
} from 'kysely';

/** How long a statement waits for another process's lock before it gives up, and how often it looks meanwhile. */
const busyTimeoutMs = 5_000;
const lookAgainMs = 5;
/** https://www.sqlite.org/rescode.html#busy */
const sqliteBusy = 5;
/** Prepared statements kept per connection; Kysely compiles a few hundred distinct texts at most. */
const statementCacheSize = 500;

type Prepared = { readonly statement: StatementSync; readonly returnsRows: boolean };

/** The two connections to one file. Who writes waits for whoever writes; who reads waits for nobody. */
export class SqliteConnections {
  readonly reader: StatementRunner;
  readonly writer: StatementRunner;
  /** Throws where what is written would be lost. */
  readonly verifyFile: () => void;
  #lastTurn: Promise<void> = Promise.resolve();

  constructor(writer: DatabaseSync, reader: DatabaseSync, verifyFile: () => void) {
    this.writer = new StatementRunner(writer);
    this.reader = new StatementRunner(reader);
    this.verifyFile = verifyFile;
  }

  /** Resolves when the writing connection is the caller's; what it answers gives it back. */
  async takeTurn(): Promise<() => void> {
    const before = this.#lastTurn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#lastTurn = promise;
    await before;
    return resolve;
  }
}

/** The statements of one connection, prepared once. */
export class StatementRunner {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, Prepared>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** Waits for another process's lock between tries, not in them: nothing else of this process has to wait. */
  async execute<R>(query: CompiledQuery, until = performance.now() + busyTimeoutMs): Promise<QueryResult<R>> {
    for (;;) {
      try {
        return this.#run<R>(query);
      } catch (error) {
        if (performance.now() >= until || !isBusy(error)) throw error;
        await delay(lookAgainMs);
      }
    }
  }

  exec(sql: string): void {
    this.#db.exec(sql);
  }

  *rows<R>({ sql, parameters }: CompiledQuery): Generator<R> {
    // A statement of its own: one that is stepped through cannot be run beside.
    for (const row of this.#db.prepare(sql).iterate(...bindable(parameters))) yield row as R;
  }

  #run<R>({ sql, parameters }: CompiledQuery): QueryResult<R> {
    const { statement, returnsRows } = this.#prepare(sql);
    if (returnsRows) return { rows: statement.all(...bindable(parameters)) as R[] };
    const { changes, lastInsertRowid } = statement.run(...bindable(parameters));
    return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
  }

  #prepare(sql: string): Prepared {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    if (this.#statements.size >= statementCacheSize) this.#statements.clear();
    const statement = this.#db.prepare(sql);
    const prepared = { statement, returnsRows: statement.columns().length > 0 };
    this.#statements.set(sql, prepared);
    return prepared;
  }
}

/** Sends what reads to the reading connection, and everything of a transaction, and whatever writes, to the writing one. */
export class SqliteFileDriver implements Driver {
  readonly #connections: SqliteConnections;
  readonly #isDurable: boolean;
  readonly #close: () => void;
  readonly #free: FileConnection[] = [];

  /** `isDurable`: whether the commit of a transaction waits for the disk. */
  constructor(connections: SqliteConnections, isDurable: boolean, close: () => void) {
    this.#connections = connections;
    this.#isDurable = isDurable;
    this.#close = close;
  }

  async init(): Promise<void> {
    // The file is open already.
  }

  async acquireConnection(): Promise<FileConnection> {
    return this.#free.pop() ?? new FileConnection(this.#connections);
  }

  beginTransaction(connection: FileConnection): Promise<void> {
    return connection.begin(this.#isDurable);
  }

  commitTransaction(connection: FileConnection): Promise<void> {
    return connection.commit();
  }

  rollbackTransaction(connection: FileConnection): Promise<void> {
    return connection.rollback();
  }

  async releaseConnection(connection: FileConnection): Promise<void> {
    // Its turn ended with its transaction.
    this.#free.push(connection);
  }

  async destroy(): Promise<void> {
    this.#close();
  }
}

/** What one statement or one transaction goes through. */
export class FileConnection implements DatabaseConnection {
  readonly #to: SqliteConnections;
  /** Set for as long as a transaction is open. */
  #giveBack: (() => void) | undefined;

  constructor(to: SqliteConnections) {
    this.#to = to;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.#giveBack !== undefined) return this.#to.writer.execute<R>(query);
    if (SelectQueryNode.is(query.query)) return this.#to.reader.execute<R>(query);
    return this.#inTurn(async (until) => {
      this.#to.verifyFile();
      const result = await this.#to.writer.execute<R>(query, until);
      this.#to.verifyFile();
      return result;
    });
  }

  async *streamQuery<R>(query: CompiledQuery): AsyncGenerator<QueryResult<R>> {
    // A view that stays open would keep the reading connection in the past, so this is done where one at a time works.
    const giveBack = this.#giveBack === undefined ? await this.#to.takeTurn() : () => undefined;
    try {
      for (const row of this.#to.writer.rows<R>(query)) yield { rows: [row] };
    } finally {
      giveBack();
    }
  }

  /** Takes the write lock at once: a read that turns into a write later could not wait for it. */
  async begin(isDurable: boolean): Promise<void> {
    const until = performance.now() + busyTimeoutMs;
    const giveBack = await this.#to.takeTurn();
    try {
      this.#to.verifyFile();
      if (!isDurable) this.#to.writer.exec('PRAGMA synchronous = NORMAL');
      await this.#to.writer.execute(CompiledQuery.raw('begin immediate'), until);
    } catch (error) {
      this.#end(isDurable, giveBack);
      throw error;
    }
    this.#giveBack = () => this.#end(isDurable, giveBack);
  }

  async commit(): Promise<void> {
    await this.#to.writer.execute(CompiledQuery.raw('commit'));
    this.#finish();
    // Before anybody is told that it was written.
    this.#to.verifyFile();
  }

  async rollback(): Promise<void> {
    if (this.#giveBack === undefined) return;
    try {
      await this.#to.writer.execute(CompiledQuery.raw('rollback'));
    } finally {
      this.#finish();
    }
  }

  #finish(): void {
    this.#giveBack?.();
    this.#giveBack = undefined;
  }

  #end(isDurable: boolean, giveBack: () => void): void {
    try {
      if (!isDurable) this.#to.writer.exec('PRAGMA synchronous = FULL');
    } finally {
      giveBack();
    }
  }

  async #inTurn<R>(act: (until: number) => Promise<R>): Promise<R> {
    const until = performance.now() + busyTimeoutMs;
    const giveBack = await this.#to.takeTurn();
    try {
      return await act(until);
    } finally {
      giveBack();
    }
  }
}

/** Only statements that begin something can meet another's lock: inside a transaction the lock is ours. */
function isBusy(error: unknown): boolean {
  const { errcode } = error as { errcode?: number };
  return errcode !== undefined && (errcode & 0xff) === sqliteBusy;
}

/** SQLite has no booleans; everything else we store is text, a number, a blob or null. */
export function bindable(values: readonly unknown[]): readonly SQLInputValue[] {
  if (!values.some((value) => typeof value === 'boolean')) return values as readonly SQLInputValue[];
  return values.map((value) => (typeof value === 'boolean' ? Number(value) : (value as SQLInputValue)));
}
