import type { Transaction } from 'kysely';
import type { Clock } from '../../base/clock.ts';
import { newLogId } from '../../base/id.ts';
import { Problem } from '../../base/problem.ts';
import type { SealedColumn, Storage } from '../../storage/storage.ts';
import type { By } from '../policy-store.ts';

/**
 * pending    nobody has decided
 * approved   it may run, once
 * denied     it may not
 * started    it was begun; where the process ended in the middle, nobody knows whether it ran
 * done       it ended, well or not
 */
export const approvalStates = ['pending', 'approved', 'denied', 'started', 'done'] as const;
export type ApprovalState = (typeof approvalStates)[number];

export type ApprovalRow = {
  readonly id: string;
  readonly created_at: number;
  readonly expires_at: number;
  readonly state: ApprovalState;
  readonly developer_id: string;
  readonly key_id: string;
  readonly user_id: string | null;
  readonly server_id: string;
  readonly method: string;
  /** The tool, or what else is asked for. */
  readonly tool: string;
  readonly definition: string | null;
  readonly arguments_digest: string;
  readonly arguments_sealed: string | null;
  /** Whose rule asks, and which version of it. */
  readonly toolset: string;
  readonly version: number;
  /** 1: whoever calls may approve. */
  readonly self: number;
  /** SHA-256 of all that it is bound to. */
  readonly binding: string;
  /** The same while it is open; there is one at a time. */
  readonly slot: string | null;
  readonly decided_by: string | null;
  readonly decided_at: number | null;
  readonly note: string | null;
  readonly used_at: number | null;
  /** How often it was sent on: once, and once more for every answer to a question of the server's. */
  readonly rounds: number;
};
type Tables = { approvals: ApprovalRow };

export const approvalSeals: readonly SealedColumn[] = [
  { table: 'approvals', id: 'id', sealed: 'arguments_sealed' },
];

export type NewApproval = Omit<
  ApprovalRow,
  'id' | 'created_at' | 'state' | 'slot' | 'decided_by' | 'decided_at' | 'note' | 'used_at' | 'rounds'
>;
export type ApprovalQuery = {
  readonly state?: ApprovalState | 'expired' | undefined;
  /** Those before this one; the newest come first. */
  readonly before?: string | undefined;
  readonly limit: number;
};

export function createApprovalStore(storage: Storage, clock: Clock) {
  return {
    ...createReads(storage, clock),
    ...createTransitions(storage, clock),
    ...createUpkeep(storage, clock),
    /** False: somebody else was first. */
    add: (approval: NewApproval, told: Told): Promise<boolean> => add(storage, clock.now(), approval, told),
  };
}

/** Who asks, and who hears of it. */
type Told = { readonly actor: string; readonly url: (id: string) => string; readonly to: readonly string[] };

function find(from: Pick<Transaction<Tables>, 'selectFrom'>, id: string): Promise<ApprovalRow | undefined> {
  return from.selectFrom('approvals').selectAll().where('id', '=', id).executeTakeFirst();
}

function createReads(storage: Storage, clock: Clock) {
  const db = storage.tables<Tables>();
  return {
    find: (id: string) => find(db, id),

    findOpen: (binding: string): Promise<ApprovalRow | undefined> =>
      db
        .selectFrom('approvals')
        .selectAll()
        .where('slot', '=', binding)
        .where('expires_at', '>', clock.now())
        .executeTakeFirst(),

    async countPending(developerId: string): Promise<number> {
      const { count } = await db
        .selectFrom('approvals')
        .select((is) => is.fn.countAll().as('count'))
        .where('developer_id', '=', developerId)
        .where('state', '=', 'pending')
        .where('expires_at', '>', clock.now())
        .executeTakeFirstOrThrow();
      return Number(count);
    },

    list({ state, before, limit }: ApprovalQuery): Promise<ApprovalRow[]> {
      const now = clock.now();
      let rows = db.selectFrom('approvals').selectAll();
      if (state === 'expired')
        rows = rows.where('state', 'in', ['pending', 'approved']).where('expires_at', '<=', now);
      else if (state !== undefined) rows = rows.where('state', '=', state);
      if (state === 'pending' || state === 'approved') rows = rows.where('expires_at', '>', now);
      if (before !== undefined) rows = rows.where('id', '<', before);
      return rows.orderBy('id', 'desc').limit(limit).execute();
    },
  };
}

function add(storage: Storage, now: number, approval: NewApproval, told: Told): Promise<boolean> {
  const { binding } = approval;
  return storage.write<Tables, boolean>(async (trx, _notify, audit) => {
    await trx
      .updateTable('approvals')
      .set({ slot: null })
      .where('slot', '=', binding)
      .where('expires_at', '<=', now)
      .execute();
    const id = newLogId('apr', now);
    const added = await trx
      .insertInto('approvals')
      .values({
        ...approval,
        id,
        created_at: now,
        state: 'pending',
        slot: binding,
        decided_by: null,
        decided_at: null,
        note: null,
        used_at: null,
        rounds: 0,
      })
      .onConflict((clash) => clash.column('slot').doNothing())
      .executeTakeFirst();
    if ((added.numInsertedOrUpdatedRows ?? 0n) === 0n) return false;
    await audit({
      developerId: approval.developer_id,
      actor: told.actor,
      action: 'approval.request',
      subject: id,
      ...(approval.user_id !== null && { userId: approval.user_id }),
      facts: {
        server_id: approval.server_id,
        tool: approval.tool,
        expires_at: new Date(approval.expires_at).toISOString(),
        url: told.url(id),
      },
      announceTo: told.to,
    });
    return true;
  });
}

function createTransitions(storage: Storage, clock: Clock) {
  const db = storage.tables<Tables>();
  const change = <R>(act: Parameters<typeof storage.write<Tables, R>>[0]) => storage.write<Tables, R>(act);
  return {
    /** Throws `not_found`, and `conflict` where it is not to be decided any more. */
    decide: (
      id: string,
      decision: { readonly state: 'approved' | 'denied'; readonly note: string | null },
      by: By,
    ): Promise<ApprovalRow> =>
      change(async (trx, notify, audit) => {
        const now = clock.now();
        const { state, note } = decision;
        const decided = await trx
          .updateTable('approvals')
          .set({ state, note, decided_by: by.actor, decided_at: now })
          .where('id', '=', id)
          .where('state', '=', 'pending')
          .where('expires_at', '>', now)
          .executeTakeFirst();
        const row = await find(trx, id);
        if (row === undefined) throw new Problem('not_found', 'Approval not found');
        if (decided.numUpdatedRows === 0n)
          throw new Problem('conflict', `It is ${row.state === 'pending' ? 'expired' : row.state} already`);
        const action = state === 'approved' ? 'approval.approve' : 'approval.deny';
        await audit({ ...by, action, subject: id, facts: { server_id: row.server_id, tool: row.tool } });
        await notify('approvals', id);
        return row;
      }),

    /** Takes it for the one execution, or for its next round: false where it is not to be had. The audit trail says so with it. */
    start: (id: string, round: number, actor: string): Promise<boolean> =>
      change(async (trx, _notify, audit) => {
        const now = clock.now();
        const open = trx
          .updateTable('approvals')
          .set({ state: 'started', used_at: now, slot: null, rounds: round + 1 })
          .where('id', '=', id)
          .where('rounds', '=', round);
        const taken =
          round === 0
            ? open.where('state', '=', 'approved').where('expires_at', '>', now)
            : open.where('state', '=', 'started');
        if ((await taken.executeTakeFirst()).numUpdatedRows === 0n) return false;
        const row = await find(trx, id);
        const facts = { server_id: row?.server_id ?? '', tool: row?.tool ?? '' };
        await audit({
          developerId: row?.developer_id ?? '',
          actor,
          action: 'approval.start',
          subject: id,
          facts,
        });
        return true;
      }),

    async finish(id: string): Promise<void> {
      await db
        .updateTable('approvals')
        .set({ state: 'done', arguments_sealed: null })
        .where('id', '=', id)
        .where('state', '=', 'started')
        .execute();
    },
  };
}

function createUpkeep(storage: Storage, clock: Clock) {
  const db = storage.tables<Tables>();
  return {
    /** What was asked is not kept beyond the time in which it could be decided, nor the rest for ever. */
    async prune(before: number): Promise<void> {
      await db
        .updateTable('approvals')
        .set({ arguments_sealed: null, slot: null })
        .where('expires_at', '<=', clock.now())
        .where((is) => is.or([is('arguments_sealed', 'is not', null), is('slot', 'is not', null)]))
        .execute();
      await db.deleteFrom('approvals').where('created_at', '<', before).execute();
    },

    async forgetUser(developerId: string, userId: string): Promise<void> {
      await db
        .updateTable('approvals')
        .set({ user_id: null, arguments_sealed: null, slot: null })
        .where('developer_id', '=', developerId)
        .where('user_id', '=', userId)
        .execute();
    },
  };
}
