import { Problem } from '../../base/problem.ts';
import type { Storage } from '../../storage/storage.ts';
import type { ConnectionTables, GrantRow } from '../connection-rows.ts';
import type { Owner } from '../connections-model.ts';
import { type GrantStore, notifyGrant, ownerOf } from '../tokens/grant-store.ts';
import type { RevocationQueue } from '../tokens/revocation-queue.ts';
import type { Confirmations } from './confirmation.ts';
import type { SessionStore } from './session-store.ts';

/** Tokens that are being renewed at this moment have a newer version: look again. */
const maxLooks = 20;

type Deps = {
  readonly storage: Storage;
  readonly sessions: SessionStore;
  readonly grants: GrantStore;
  readonly confirmations: Confirmations;
  readonly revocations: RevocationQueue;
};

/**
 * Every grant and unfinished session of a user; false when there was nothing. Here at once and for good; the provider is
 * told as soon as it can be reached (threats K8).
 */
export async function disconnectUser(deps: Deps, owner: Owner, actor: string): Promise<boolean> {
  const { sessions, grants, confirmations } = deps;
  // Sessions first: a consent that is just coming in finds its session over, and stores nothing.
  const open = await sessions.unfinishedOf(owner);
  await sessions.failAll(owner, open, 'Access was revoked');
  for (const row of open) await confirmations.discardHeld(row);
  const hadGrants = await removeAll(deps, () => grants.ofUser(owner), actor);
  return hadGrants || open.length > 0;
}

/** One connection; throws not_found. */
export async function disconnectOne(deps: Deps, id: string, actor: string): Promise<void> {
  const find = async () => [(await deps.grants.findById(id)) ?? []].flat();
  if (!(await removeAll(deps, find, actor))) throw new Problem('not_found', 'Connection not found');
}

/** False: there were none. */
async function removeAll(
  deps: Deps,
  read: () => Promise<readonly GrantRow[]>,
  actor: string,
): Promise<boolean> {
  for (let looks = 0; looks < maxLooks; looks++) {
    const rows = await read();
    if (rows.length === 0) return looks > 0;
    for (const row of rows) await removeGrant(deps, row, actor);
  }
  throw new Problem('unavailable', 'The connection is being renewed', { retryAfterMs: 1_000 });
}

async function removeGrant(
  { storage, grants, revocations }: Deps,
  row: GrantRow,
  actor: string,
): Promise<void> {
  const queued = await revocations.prepareGrant(row);
  await storage.write<ConnectionTables, void>(async (trx, notify, audit) => {
    if (!(await grants.remove(trx, row))) return;
    await revocations.add(trx, queued);
    await notifyGrant(notify, row);
    const facts = { provider: row.provider };
    await audit({ ...ownerOf(row), actor, action: 'connection.revoke', subject: row.id, facts });
  });
}
