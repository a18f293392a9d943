import { Problem } from '../base/problem.ts';
import type { Storage } from '../storage/storage.ts';
import type { Grants } from './grants/grants.ts';
import type { Revocations } from './grants/revocations.ts';
import type { Owner } from './model.ts';
import { ownerTag } from './servers/holdings.ts';
import type { Keeper } from './sessions/keeper.ts';
import type { SessionStore } from './sessions/session-store.ts';
import type { ConnectionTables, GrantRow } from './tables.ts';

export type Disconnect = {
  /** Every grant and unfinished session of a user; false when there was nothing. */
  user(owner: Owner, actor: string): Promise<boolean>;
  /** One connection; throws not_found. */
  one(id: string, actor: string): Promise<void>;
};

/** Tokens that are being renewed at this moment have a newer version: look again. */
const tries = 20;

/** Here at once and for good; the provider is told as soon as it can be reached (threats K8). */
export function createDisconnect(deps: {
  readonly storage: Storage;
  readonly store: SessionStore;
  readonly grants: Grants;
  readonly keeper: Keeper;
  readonly revocations: Revocations;
}): Disconnect {
  const { storage, store, grants, keeper, revocations } = deps;

  const forget = async (row: GrantRow, actor: string): Promise<boolean> => {
    const queued = await grants.revocationsOf(row);
    return storage.write<ConnectionTables, boolean>(async (trx, notify, audit) => {
      if (!(await grants.store.remove(trx, row))) return false;
      await revocations.add(trx, queued);
      await notify('connections', row.id);
      await notify('connections', ownerTag({ developerId: row.developer_id, userId: row.user_id }));
      await audit({
        developerId: row.developer_id,
        actor,
        action: 'connection.revoke',
        userId: row.user_id,
        subject: row.id,
        facts: { provider: row.provider },
      });
      return true;
    });
  };

  const forgetAll = async (read: () => Promise<readonly GrantRow[]>, actor: string): Promise<boolean> => {
    for (let n = 0; n < tries; n++) {
      const rows = await read();
      if (rows.length === 0) return n > 0;
      for (const row of rows) await forget(row, actor);
    }
    throw new Problem('unavailable', 'The connection is being renewed', { retryAfterMs: 1_000 });
  };

  return {
    async user(owner, actor) {
      // Sessions first: a consent that is just coming in finds its session over, and stores nothing.
      const open = await store.unfinishedOf(owner);
      if (open.length > 0)
        await storage.write<ConnectionTables, void>(async (trx, notify) => {
          await store.failAll(trx, owner, 'Access was revoked');
          for (const { id } of open) await notify('connections', id);
        });
      for (const row of open) await keeper.discardHeld(row);
      return (await forgetAll(() => grants.store.ofUser(owner), actor)) || open.length > 0;
    },

    async one(id, actor) {
      const row = await grants.store.byId(id);
      if (row === undefined) throw new Problem('not_found', 'Connection not found');
      await forgetAll(async () => [(await grants.store.byId(id)) ?? []].flat(), actor);
    },
  };
}
