import type { Kysely, Transaction } from 'kysely';
import { sql } from 'kysely';
import type { Clock } from '../../base/clock.ts';
import { newId } from '../../base/id.ts';
import type { SharedNow } from './shared-now.ts';

/** What a notice may be about; the payload is an id or empty. */
export type Topic =
  | 'keys'
  | 'catalog'
  | 'identity'
  | 'connections'
  | 'vault'
  | 'policy'
  | 'approvals'
  | 'providers'
  | 'sign_in';
/**
 * The channel of PostgreSQL's NOTIFY, as an expression; the payload is one notice row as JSON. Channels are the whole
 * database's, so a schema of its own has one of its own. A name has at most 63 bytes.
 */
export const noticeChannelSql =
  "left('mcprank_notices' || case current_schema() when 'public' then '' else '_' || current_schema() end, 63)";

export type NoticeRow = { readonly id: string; readonly topic: Topic; readonly payload: string };
export type NoticeTables = { notices: { id: string; topic: Topic; payload: string; at: number } };

/** Rows may become visible out of order of their times (another process commits later, its clock is behind), so this much is re-read. */
const overlapMs = 10_000;
const keepMs = 3_600_000;
const pollMs = 500;

export type Notices = {
  /** Adds a notice to the caller's transaction: it is heard if and only if the change is there. */
  publish(trx: Transaction<NoticeTables>, topic: Topic, payload: string): Promise<void>;
  /** Calls back for each notice, from this process or another, at most about half a second after its commit. */
  subscribe(topic: Topic, listener: (payload: string) => void): void;
  /** Reads what is new at once; called after a local commit so that this process need not wait for the poll. */
  poll(): Promise<void>;
  deliver(row: NoticeRow): void;
  start(): Promise<void>;
  stop(): void;
};

export function createNotices(deps: {
  readonly db: Kysely<NoticeTables>;
  readonly clock: Clock;
  readonly sharedNow: SharedNow;
  readonly dialect: 'sqlite' | 'postgres';
  readonly onError: (error: unknown) => void;
}): Notices {
  const { db, clock, sharedNow, dialect, onError } = deps;
  const listeners: { topic: Topic; listener: (payload: string) => void }[] = [];
  const seen = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;
  let polling: Promise<void> | undefined;

  const deliver = (row: NoticeRow) => {
    if (seen.has(row.id)) return;
    seen.set(row.id, clock.monotonic());
    for (const each of listeners) if (each.topic === row.topic) each.listener(row.payload);
  };

  const read = async () => {
    const rows = await db
      .selectFrom('notices')
      .select(['id', 'topic', 'payload'])
      .where('at', '>', sharedNow(-overlapMs))
      .orderBy('at')
      .execute();
    for (const row of rows) deliver(row);
    for (const [id, at] of seen) {
      if (at > clock.monotonic() - 2 * overlapMs) break;
      seen.delete(id);
    }
  };

  const poll = () => {
    polling ??= read()
      .catch(onError)
      .finally(() => {
        polling = undefined;
      });
    return polling;
  };

  return {
    async publish(trx, topic, payload) {
      const row = { id: newId('ntc'), topic, payload };
      await trx
        .insertInto('notices')
        .values({ ...row, at: sharedNow() })
        .execute();
      if (dialect === 'postgres') {
        await sql`select pg_notify(${sql.raw(noticeChannelSql)}, ${JSON.stringify(row)})`.execute(trx);
      }
    },
    subscribe: (topic, listener) => void listeners.push({ topic, listener }),
    poll,
    deliver,
    async start() {
      // What was noticed before the start is already in what the rooms load.
      const rows = await db
        .selectFrom('notices')
        .select('id')
        .where('at', '>', sharedNow(-overlapMs))
        .execute();
      for (const row of rows) seen.set(row.id, clock.monotonic());
      await db.deleteFrom('notices').where('at', '<', sharedNow(-keepMs)).execute();
      timer = setInterval(poll, pollMs);
      timer.unref();
    },
    stop: () => clearInterval(timer),
  };
}
