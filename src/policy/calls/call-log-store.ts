import { logIdBefore } from '../../base/id.ts';
import { createInsert, deleteBelow, edgeBeyond, type Storage } from '../../storage/storage.ts';

/** How a call ended: `ok`, `denied` by a toolset, `waiting` for an approval, `refused` (its approval or its Idempotency-Key was used, or no more may wait), `rate_limit` by a budget or the server, or why it failed (as in `error_type` of an invocation; `other`: the tool said so). */
export const callOutcomes = [
  'ok',
  'denied',
  'waiting',
  'refused',
  'auth',
  'rate_limit',
  'timeout',
  'invalid_arguments',
  'server',
  'other',
  'cancelled',
] as const;
export type CallOutcome = (typeof callOutcomes)[number];

export type CallRow = {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly developer_id: string;
  readonly key_id: string;
  readonly user_id: string | null;
  readonly server_id: string;
  readonly tool: string;
  /** SHA-256 of the tool's definition as the catalogue had it; null where it had none. */
  readonly definition: string | null;
  /** Whose rule decided; null: none did. */
  readonly toolset: string | null;
  readonly outcome: CallOutcome;
  readonly latency_ms: number;
  readonly request_bytes: number;
  readonly reply_bytes: number;
  /** SHA-256 of the arguments as they came. */
  readonly arguments_digest: string | null;
  /** Their shape without their values, as JSON text; null where it is not kept. */
  readonly arguments_masked: string | null;
};
type Tables = { calls: CallRow };

export type CallQuery = {
  readonly developerId?: string | undefined;
  readonly userId?: string | undefined;
  readonly serverId?: string | undefined;
  readonly tool?: string | undefined;
  readonly outcome?: CallOutcome | undefined;
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** Calls before this one; the newest come first. */
  readonly before?: string | undefined;
  readonly limit: number;
};

/** Of what a killed process left behind. */
const rowsAtOnce = 500;
const columns = [
  'id',
  'at',
  'developer_id',
  'key_id',
  'user_id',
  'server_id',
  'tool',
  'definition',
  'toolset',
  'outcome',
  'latency_ms',
  'request_bytes',
  'reply_bytes',
  'arguments_digest',
  'arguments_masked',
] as const;

export function createCallLogStore(storage: Storage) {
  const db = storage.tables<Tables>();
  const insert = createInsert<Tables, 'calls'>('calls', columns);
  return {
    append: (rows: readonly CallRow[]): Promise<void> =>
      storage.writeBehind<Tables>((trx) => insert(trx, rows)),

    /** Those that are not there yet. */
    async restore(rows: readonly CallRow[]): Promise<void> {
      const complete = (row: CallRow) =>
        Object.fromEntries(columns.map((column) => [column, row[column] ?? null])) as CallRow;
      for (let from = 0; from < rows.length; from += rowsAtOnce)
        await db
          .insertInto('calls')
          .values(rows.slice(from, from + rowsAtOnce).map(complete))
          .onConflict((clash) => clash.column('id').doNothing())
          .execute();
    },

    async read(query: CallQuery): Promise<CallRow[]> {
      let rows = storage.reports<Tables>().selectFrom('calls').selectAll();
      const equal = {
        developer_id: query.developerId,
        user_id: query.userId,
        server_id: query.serverId,
        tool: query.tool,
        outcome: query.outcome,
      };
      for (const [column, value] of Object.entries(equal))
        if (value !== undefined) rows = rows.where(column as keyof typeof equal, '=', value);
      if (query.from !== undefined) rows = rows.where('at', '>=', query.from);
      if (query.to !== undefined) rows = rows.where('at', '<', query.to);
      if (query.before !== undefined) rows = rows.where('id', '<', query.before);
      const found = await rows.orderBy('id', 'desc').limit(query.limit).execute();
      return found.map((row) => ({
        ...row,
        at: Number(row.at),
        request_bytes: Number(row.request_bytes),
        reply_bytes: Number(row.reply_bytes),
      }));
    },

    /** The calls stay; who they were for, and with what, does not. */
    async forgetUser(developerId: string, userId: string): Promise<number> {
      const cut = await db
        .updateTable('calls')
        .set({ user_id: null, arguments_digest: null, arguments_masked: null })
        .where('developer_id', '=', developerId)
        .where('user_id', '=', userId)
        .executeTakeFirst();
      return Number(cut.numUpdatedRows);
    },

    async prune(before: number, maxRows: number): Promise<void> {
      const surplus = await edgeBeyond(storage, { table: 'calls', column: 'id', kept: maxRows });
      const tooOld = logIdBefore('call', Math.max(0, before));
      const tooMany = surplus === undefined ? '' : `${surplus}0`;
      const below = tooMany > tooOld ? tooMany : tooOld;
      await deleteBelow(storage.tables(), { table: 'calls', column: 'id', from: '', below });
    },
  };
}
