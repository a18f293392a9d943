import type { CompiledQuery, Transaction } from 'kysely';

const rowsPerStatement = 64;

type AnyTables = Record<string, Record<string, unknown>>;

/**
 * Inserts rows of one table, a statement for every 64. To put a statement together takes longer than to run it, so the
 * one for each number of rows is kept, for one kind of store. `columns`: all that a row has.
 */
export function createInsert<T, Name extends keyof T & string>(
  table: Name,
  columns: readonly (keyof T[Name] & string)[],
): (trx: Transaction<T>, rows: readonly T[Name][]) => Promise<void> {
  const statements = new Map<number, CompiledQuery>();
  const inOrder = (row: T[Name]) => Object.fromEntries(columns.map((column) => [column, row[column]]));

  function statementFor(trx: Transaction<T>, rows: readonly T[Name][]): CompiledQuery {
    const known = statements.get(rows.length);
    if (known !== undefined) return known;
    const into = (trx as unknown as Transaction<AnyTables>).insertInto(table);
    const made = into.values(rows.map(inOrder)).compile();
    statements.set(rows.length, made);
    return made;
  }

  return async (trx, rows) => {
    for (let from = 0; from < rows.length; from += rowsPerStatement) {
      const some = rows.slice(from, from + rowsPerStatement);
      const parameters: unknown[] = [];
      for (const row of some) for (const column of columns) parameters.push(row[column]);
      await trx.executeQuery({ ...statementFor(trx, some), parameters });
    }
  };
}
