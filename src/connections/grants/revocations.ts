import type { Clock } from '../../base/clock.ts';
import { newId } from '../../base/id.ts';
import { backoffMs } from '../../base/retry.ts';
import type { Storage } from '../../storage/storage.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import type { Vault } from '../../vault/vault.ts';
import type { Parties } from '../servers/parties.ts';
import type { Place } from '../servers/resource.ts';
import type { ConnectionTables, RevocationRow } from '../tables.ts';
import { createRevocationStore } from './revocation-store.ts';
import type { TokenCalls } from './tokens.ts';

export type Revocations = {
  /** A row for the transaction that forgets the token here; null where the provider cannot be told. */
  prepare(developerId: string, place: Place, token: string): Promise<RevocationRow | null>;
  readonly add: ReturnType<typeof createRevocationStore>['add'];
  /** Prepares and stores in one: for a token that no row of ours holds. */
  queue(developerId: string, place: Place, token: string): Promise<void>;
  /** Tells providers what is due (RFC 7009); what fails stays queued. */
  drain(signal?: AbortSignal): Promise<void>;
};

const batch = 50;
/** 15 s, 30 s, 1 min … 1 h: a day or so in all. */
const backoff = { firstMs: 15_000, maxMs: 3_600_000 };
const maxAttempts = 30;

export function createRevocations(deps: {
  readonly storage: Storage;
  readonly vault: Pick<Vault, 'seal' | 'open'>;
  readonly parties: Parties;
  readonly calls: TokenCalls;
  readonly clock: Clock;
  readonly log: Log;
}): Revocations {
  const { storage, vault, parties, calls, clock, log } = deps;
  const store = createRevocationStore(storage, clock);
  const binding = (row: Pick<RevocationRow, 'id' | 'developer_id' | 'provider'>) => [
    'revocation',
    row.developer_id,
    row.provider,
    row.id,
  ];

  const prepare: Revocations['prepare'] = async (developerId, place, token) => {
    if (!parties.isKnown(place)) return null;
    const { provider, issuer, resource } = place;
    const row = {
      id: newId('rvk'),
      developer_id: developerId,
      provider,
      issuer,
      resource,
      attempts: 0,
      next_at: clock.now(),
    };
    return { ...row, token_sealed: await vault.seal(token, binding(row)) };
  };

  const attempt = async (row: RevocationRow) => {
    const waitMs = backoffMs(backoff, row.attempts + 1);
    if (!(await store.claim(row, clock.now() + waitMs))) return;
    try {
      const authority = await parties.of(row);
      await calls.revoke(authority, await vault.open(row.token_sealed, binding(row)));
      await store.finish(row, 'token.revoke');
    } catch (error) {
      log.warn('a provider could not be told to revoke a token', { provider: row.provider, error });
      if (row.attempts + 1 >= maxAttempts) await store.finish(row, 'token.revoke_failed');
    }
  };

  return {
    prepare,
    add: store.add,
    async queue(developerId, place, token) {
      const row = await prepare(developerId, place, token);
      if (row !== null) await storage.write<ConnectionTables, void>((trx) => store.add(trx, [row]));
    },
    async drain(signal) {
      for (;;) {
        const rows = await store.due(batch);
        for (const row of rows) {
          if (signal?.aborted) return;
          await attempt(row);
        }
        if (rows.length < batch) return;
      }
    },
  };
}
