import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import type { CompiledQuery, QueryResult } from 'kysely';

/** How long a statement waits for another process's lock before it gives up, and how often it looks meanwhile. */
export const busyTimeoutMs = 5_000;
const lookAgainMs = 5;
/** https://www.sqlite.org/rescode.html#busy */
const sqliteBusy = 5;
/** Prepared statements kept per connection; Kysely compiles a few hundred distinct texts at most. */
const statementCacheSize = 500;

type Prepared = { readonly statement: StatementSync; readonly returnsRows: boolean };

/** The statements of one connection, prepared once. */
export class StatementRunner {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, Prepared>();
  #changedRows = 0;

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

  /** Rows written since it was opened. */
  get changedRows(): number {
    return this.#changedRows;
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
    this.#changedRows += Number(changes);
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
