import { type Kysely, sql } from 'kysely';
import { Problem } from '../base/problem.ts';
import { tableNames } from './schema/table-names.ts';

/** Any table of ours: names come from the database's own list. */
type Row = Record<string, unknown>;
type AnyTables = Record<string, Row>;
type Source = { readonly db: Kysely<unknown>; readonly dialect: 'sqlite' | 'postgres' };

/** What other tables refer to goes first. */
const first = ['developers', 'users'];
/** Of the processes that run on a store, and what they can make again. */
const passing = ['jobs', 'notices', 'shared_file_parts', 'shared_files'];
/** Rows held at once; far below the 32,766 parameters of one statement with our widest table. */
const rowsAtOnce = 500;
/** A store with any of these has somebody's data in it. */
const tellTale = ['developers', 'servers', 'users'];

/** Copies every row of one store into another, empty one, of either kind: all of it or nothing. Answers rows by table. */
export async function copyStore(
  from: Source,
  to: Kysely<unknown>,
): Promise<Readonly<Record<string, number>>> {
  const target = to as Kysely<AnyTables>;
  const tables = (await tablesOf(from.db)).filter((name) => !passing.includes(name));
  const known = new Set(await tablesOf(to));
  const strange = tables.filter((name) => !known.has(name));
  if (strange.length > 0)
    throw new Problem(
      'setup',
      `The copy has tables of another release (${strange.join(', ')}): use that release`,
    );
  for (const table of tellTale) {
    const row = await target.selectFrom(table).select(sql`1`.as('one')).limit(1).executeTakeFirst();
    if (row !== undefined)
      throw new Problem('conflict', `The store is not empty (it has ${table}): restore into a new one`);
  }
  const copied: Record<string, number> = {};
  await target.transaction().execute(async (trx) => {
    // What the start itself wrote gives way to what the copy says.
    for (const table of [...tables].reverse()) await trx.deleteFrom(table).execute();
    await reading(from, async (read) => {
      for (const table of tables) {
        copied[table] = 0;
        for await (const rows of read(table)) {
          for (const values of slices(rows)) await trx.insertInto(table).values(values).execute();
          copied[table] += rows.length;
        }
      }
    });
  });
  return copied;
}

async function tablesOf(db: Kysely<unknown>): Promise<string[]> {
  const names = (await tableNames(db)).sort();
  return [...first.filter((name) => names.includes(name)), ...names.filter((name) => !first.includes(name))];
}

/** One consistent view of the source for as long as `act` reads. */
async function reading(
  { db, dialect }: Source,
  act: (read: (table: string) => AsyncIterable<Row[]>) => Promise<void>,
): Promise<void> {
  const source = db as Kysely<AnyTables>;
  if (dialect === 'sqlite') {
    return act(async function* (table) {
      let rows: Row[] = [];
      for await (const row of source.selectFrom(table).selectAll().stream()) {
        if (rows.push(row) < rowsAtOnce) continue;
        yield rows;
        rows = [];
      }
      if (rows.length > 0) yield rows;
    });
  }
  await source
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute((trx) =>
      act(async function* (table) {
        await sql`declare rows no scroll cursor for select * from ${sql.table(table)}`.execute(trx);
        for (;;) {
          const { rows } = await sql<Row>`fetch ${sql.raw(String(rowsAtOnce))} from rows`.execute(trx);
          if (rows.length === 0) break;
          yield rows;
        }
        await sql`close rows`.execute(trx);
      }),
    );
}

/** So many rows that their parameters fit into one statement. */
function* slices(rows: Row[]): Generator<Row[]> {
  const size = Math.max(1, Math.floor(30_000 / Math.max(1, Object.keys(rows[0] ?? {}).length)));
  for (let at = 0; at < rows.length; at += size) yield rows.slice(at, at + size);
}
