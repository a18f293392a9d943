import type { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  CompiledQuery,
  type DatabaseConnection,
  type Driver,
  type QueryResult,
  SelectQueryNode,
} from 'kysely';
import { busyTimeoutMs, StatementRunner } from './statement-runner.ts';

/** Statements in a row take no more of the event loop than this before everything else has its turn. */
const turnMs = 10;
/**
 * Rows between two checkpoints: about 16 MB of calls. Whoever writes first after one waits for the disk, the thread or not: so
 * they are rare.
 */
export const checkpointRows = 40_000;

/** The two connections to one file. Who writes waits for whoever writes; who reads waits for nobody. */
export class SqliteConnections {
  readonly reader: StatementRunner;
  readonly writer: StatementRunner;
  /** Throws where what is written would be lost. */
  readonly verifyFile: () => void;
  #lastTurn: Promise<void> = Promise.resolve();
  /** When the first statement of this turn of the event loop began. */
  #busySince: number | undefined;
  readonly #checkpoint: () => void;
  #checkpointAt = checkpointRows;

  constructor(
    writer: DatabaseSync,
    reader: DatabaseSync,
    hooks: { readonly verifyFile: () => void; readonly checkpoint: () => void },
  ) {
    this.writer = new StatementRunner(writer);
    this.reader = new StatementRunner(reader);
    this.verifyFile = hooks.verifyFile;
    this.#checkpoint = hooks.checkpoint;
  }

  /** Something was written: from time to time it goes into the file itself. */
  noteWritten(): void {
    if (this.writer.changedRows < this.#checkpointAt) return;
    this.#checkpointAt = this.writer.changedRows + checkpointRows;
    this.#checkpoint();
  }

  /**
   * SQLite answers at once, so a loop over pages of rows would go from one to the next without anything else in between:
   * undefined, or after a while the next turn of the event loop.
   */
  pause(): Promise<void> | undefined {
    const now = performance.now();
    if (this.#busySince === undefined) {
      this.#busySince = now;
      setImmediate(() => {
        this.#busySince = undefined;
      });
    }
    return now - this.#busySince < turnMs ? undefined : nextTurn();
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
    const pause = this.#to.pause();
    if (pause !== undefined) await pause;
    if (this.#giveBack !== undefined) return this.#to.writer.execute<R>(query);
    if (SelectQueryNode.is(query.query)) return this.#to.reader.execute<R>(query);
    return this.#inTurn(async (until) => {
      this.#to.verifyFile();
      const result = await this.#to.writer.execute<R>(query, until);
      this.#to.verifyFile();
      this.#to.noteWritten();
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
    this.#to.noteWritten();
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
