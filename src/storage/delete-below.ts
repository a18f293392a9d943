import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Kysely, type RawBuilder, sql } from 'kysely';

/** Rows of one statement, which with SQLite nothing else of the process goes on beside. */
const rowsAtOnce = 2_000;

export type OldRows = {
  readonly table: string;
  /** What the rows are ordered by, with an index. */
  readonly column: string;
  /** Less than any value there is. */
  readonly from: string | number;
  /** More than that of any row which goes. */
  readonly below: string | number;
  /** Which of them go; all unless given. */
  readonly where?: RawBuilder<boolean>;
};

/** Deletes the oldest rows of a log, some at a time, with a turn for everything else between. Answers how many. */
export async function deleteBelow(
  db: Kysely<never>,
  { table, column, from, below, where = sql<boolean>`1 = 1` }: OldRows,
): Promise<number> {
  const [rows, order] = [sql.table(table), sql.ref(column)];
  let deleted = 0;
  for (let after = from; ; ) {
    const { rows: found } = await sql<{ edge: string | number }>`
      select ${order} as edge from ${rows} where ${order} > ${after} and ${order} < ${below}
      order by ${order} limit 1 offset ${sql.lit(rowsAtOnce - 1)}`.execute(db);
    const edge = found[0]?.edge;
    const through = edge === undefined ? sql`${order} < ${below}` : sql`${order} <= ${edge}`;
    const { numAffectedRows = 0n } = await sql`
      delete from ${rows} where ${order} > ${after} and ${through} and ${where}`.execute(db);
    deleted += Number(numAffectedRows);
    if (edge === undefined) return deleted;
    after = edge;
    await nextTurn();
  }
}

/** Of these many rows SQLite finds the last one in less time than a thread takes to begin. */
const fewRows = 10_000;

/** The first row beyond the newest `kept` ones, by the column they are ordered by; undefined where there are not so many. */
export async function edgeBeyond(
  { tables, reports }: { tables(): Kysely<never>; reports(): Kysely<never> },
  { table, column, kept }: { readonly table: string; readonly column: string; readonly kept: number },
): Promise<string | number | undefined> {
  const edgeOf = async (db: Kysely<never>, offset: number) => {
    const { rows } = await sql<{ edge: string | number }>`
      select ${sql.ref(column)} as edge from ${sql.table(table)}
      order by ${sql.ref(column)} desc limit 1 offset ${sql.lit(offset)}`.execute(db);
    return rows[0]?.edge;
  };
  const isFew = (await edgeOf(tables(), Math.min(kept, fewRows))) === undefined;
  return isFew ? undefined : edgeOf(reports(), kept);
}
