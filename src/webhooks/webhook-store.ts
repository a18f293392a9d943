import type { Clock } from '../base/clock.ts';
import type { SealedColumn, Storage } from '../storage/storage.ts';

export type WebhookRow = {
  developer_id: string;
  url: string;
  secret_sealed: string;
  earlier_sealed: string | null;
  earlier_until: number | null;
  updated_at: number;
};
export type OutboxRow = { id: string; developer_id: string; body: string; attempts: number; next_at: number };
type Tables = { webhooks: WebhookRow; webhook_outbox: OutboxRow };

export const sealedColumns: readonly SealedColumn[] = [
  { table: 'webhooks', id: 'developer_id', sealed: 'secret_sealed' },
  { table: 'webhooks', id: 'developer_id', sealed: 'earlier_sealed' },
];

export function createWebhookStore(storage: Storage, clock: Clock) {
  const db = storage.tables<Tables>();
  return {
    find: (developerId: string): Promise<WebhookRow | undefined> =>
      db.selectFrom('webhooks').selectAll().where('developer_id', '=', developerId).executeTakeFirst(),
    put(
      hook: { developerId: string; url: string; sealed: string; earlierUntil: number },
      actor: string,
    ): Promise<void> {
      return storage.write<Tables, void>(async (trx, _notify, audit) => {
        const developer_id = hook.developerId;
        const fresh = { url: hook.url, secret_sealed: hook.sealed, updated_at: clock.now() };
        const changed = await trx
          .updateTable('webhooks')
          .set((is) => ({
            ...fresh,
            earlier_sealed: is.ref('secret_sealed'),
            earlier_until: hook.earlierUntil,
          }))
          .where('developer_id', '=', developer_id)
          .executeTakeFirst();
        if (changed.numUpdatedRows === 0n)
          await trx
            .insertInto('webhooks')
            .values({ developer_id, ...fresh, earlier_sealed: null, earlier_until: null })
            .execute();
        await audit({ developerId: developer_id, actor, action: 'webhook.set', facts: { url: hook.url } });
      });
    },
    remove(developerId: string, actor: string): Promise<boolean> {
      return storage.write<Tables, boolean>(async (trx, _notify, audit) => {
        const gone = await trx
          .deleteFrom('webhooks')
          .where('developer_id', '=', developerId)
          .executeTakeFirst();
        if (gone.numDeletedRows === 0n) return false;
        await trx.deleteFrom('webhook_outbox').where('developer_id', '=', developerId).execute();
        await audit({ developerId, actor, action: 'webhook.remove' });
        return true;
      });
    },
    /** `except`: developers who have enough under way. */
    due(limit: number, except: readonly string[]): Promise<OutboxRow[]> {
      let due = db.selectFrom('webhook_outbox').selectAll().where('next_at', '<=', clock.now());
      if (except.length > 0) due = due.where('developer_id', 'not in', except);
      return due.orderBy('next_at').limit(limit).execute();
    },
    async countWaiting(developerId: string): Promise<number> {
      const { count } = await db
        .selectFrom('webhook_outbox')
        .select((is) => is.fn.countAll().as('count'))
        .where('developer_id', '=', developerId)
        .executeTakeFirstOrThrow();
      return Number(count);
    },
    async drop(id: string): Promise<void> {
      await db.deleteFrom('webhook_outbox').where('id', '=', id).execute();
    },
    async postpone(id: string, attempts: number, next_at: number): Promise<void> {
      await db.updateTable('webhook_outbox').set({ attempts, next_at }).where('id', '=', id).execute();
    },
  };
}

export type WebhookStore = ReturnType<typeof createWebhookStore>;
