import { PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely';
import pg from 'pg';
import type { Secret } from '../base/secret.ts';
import { type NoticeRow, noticeChannelSql } from './coordination/notices.ts';

/** Enough for a busy replica; PostgreSQL's own default allows 100 connections in all. */
const poolSize = 10;
const connectTimeoutMs = 5_000;
/**
 * A network that swallows packets answers nothing, not even an error: no statement of ours takes this long, the wait for a
 * connection included.
 */
const answerMs = 15_000;
const int8 = 20;
const numeric = 1700;

export function openPostgres(url: Secret): { readonly pool: pg.Pool; readonly dialect: PostgresDialect } {
  const pool = new pg.Pool({
    connectionString: url.reveal(),
    max: poolSize,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: answerMs,
    keepAlive: true,
    application_name: 'mcprank',
    types: { getTypeParser: parserFor },
  });
  // A connection that dies is replaced at the next use. Without listeners its death would end the process, idle (the
  // pool's own event) or in use between two statements (the client's).
  pool.on('error', () => undefined);
  pool.on('connect', (client) => {
    client.on('error', () => undefined);
    // What was given up here is given up there, too: else each would hold a connection of the server's for as long as it likes.
    client.query(`set statement_timeout = ${answerMs + 1_000}`).catch(() => undefined);
  });
  return { pool, dialect: new PostgresDialect({ pool: withoutBusyConnections(pool) }) };
}

/**
 * The pool as Kysely sees it. A connection on which a statement was given up is still busy with it, so whoever got it next
 * would wait behind that: it is closed, and what else its holder asks of it (a rollback) fails at once.
 */
function withoutBusyConnections(pool: pg.Pool): PostgresPool {
  return {
    options: pool.options,
    end: () => pool.end(),
    async connect() {
      const askedAt = performance.now();
      const client = await pool.connect();
      const query_timeout = answerMs - (performance.now() - askedAt);
      let failure: Error | undefined;
      const query = async (text: string, values: readonly unknown[]) => {
        if (failure !== undefined) throw failure;
        try {
          // Known to the driver, not to its types.
          const statement = { text, values: [...values], query_timeout };
          return await client.query(statement);
        } catch (error) {
          // What PostgreSQL says itself leaves the connection as it was.
          if (!(error instanceof pg.DatabaseError)) failure = error as Error;
          throw error;
        }
      };
      // The other form of `query` is for cursors, which nobody uses here.
      return {
        query: query as unknown as PostgresPoolClient['query'],
        release: (destroy?: boolean) => client.release(failure ?? destroy),
      };
    },
  };
}

/** Our integers (milliseconds, counts) stay below 2^53, so int8 may be a number (pg gives text by default). */
function parserFor(oid: number, format?: 'text' | 'binary') {
  if (oid === int8 || oid === numeric) return Number;
  return pg.types.getTypeParser(oid, format as 'text');
}

/** Listens on a connection of its own and reconnects when it is lost; the poll covers the time between. */
export function listen(pool: pg.Pool, onNotice: (row: NoticeRow) => void): () => Promise<void> {
  let closed = false;
  let client: pg.PoolClient | undefined;
  let retry: NodeJS.Timeout | undefined;
  const connect = async () => {
    try {
      client = await pool.connect();
      client.on('notification', (message) => {
        if (message.payload !== undefined) onNotice(JSON.parse(message.payload) as NoticeRow);
      });
      client.on('error', () => again());
      const { rows } = await client.query<{ channel: string }>(`select ${noticeChannelSql} as channel`);
      await client.query(`LISTEN ${pg.escapeIdentifier(rows[0]?.channel ?? '')}`);
    } catch {
      again();
    }
  };
  const again = () => {
    client?.release(true);
    client = undefined;
    if (!closed) retry = setTimeout(connect, 1_000).unref();
  };
  const started = connect();
  return async () => {
    closed = true;
    clearTimeout(retry);
    await started;
    client?.release(true);
    client = undefined;
  };
}
