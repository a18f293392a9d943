import type { Clock } from '../../base/clock.ts';
import { newId } from '../../base/id.ts';
import { backoffMs } from '../../base/retry.ts';
import type { Storage } from '../../storage/storage.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import type { Vault } from '../../vault/vault.ts';
import type { AuthorizationServers } from '../authorization-servers/authorization-servers.ts';
import type { ConnectionTables, GrantRow, RevocationRow } from '../connection-rows.ts';
import type { GrantTarget } from '../grant-target.ts';
import { createRevocationStore } from './revocation-store.ts';
import type { TokenEncryption } from './token-encryption.ts';
import type { TokenEndpoint } from './token-endpoint.ts';

export type RevocationQueue = {
  /** The rows for the transaction that forgets a grant; none where the provider cannot be told. */
  prepareGrant(row: GrantRow): Promise<readonly RevocationRow[]>;
  readonly add: ReturnType<typeof createRevocationStore>['add'];
  /** Prepares and stores in one: for a token that no row of ours holds. */
  enqueue(developerId: string, target: GrantTarget, token: string): Promise<void>;
  /** Tells providers what is due (RFC 7009); what fails stays queued. */
  drain(signal?: AbortSignal): Promise<void>;
  /** The same for a caller that need not wait for the provider, and need not come again if it is down. */
  drainBehind(): void;
  /** Waits for what goes on behind. */
  settle(): Promise<void>;
};

const batchSize = 50;
/** 15 s, 30 s, 1 min … 1 h: a day or so in all. */
const backoff = { firstMs: 15_000, maxMs: 3_600_000 };
const maxAttempts = 30;

type Deps = {
  readonly storage: Storage;
  readonly vault: Pick<Vault, 'seal' | 'open'>;
  readonly encryption: TokenEncryption;
  readonly servers: AuthorizationServers;
  readonly endpoint: TokenEndpoint;
  readonly clock: Clock;
  readonly log: Log;
};

export function createRevocationQueue(deps: Deps): RevocationQueue {
  const { storage, encryption, clock, log } = deps;
  const store = createRevocationStore(storage, clock);
  const background = new Set<Promise<void>>();

  const drain: RevocationQueue['drain'] = async (signal) => {
    for (;;) {
      const rows = await store.due(batchSize);
      for (const row of rows) {
        if (signal?.aborted) return;
        await revoke(deps, store, row);
      }
      if (rows.length < batchSize) return;
    }
  };

  return {
    async prepareGrant(row) {
      try {
        // Whoever revokes a refresh token ends its access tokens too (RFC 7009 section 2.1).
        const token = (await encryption.open(row, 'refresh')) ?? (await encryption.open(row, 'access')) ?? '';
        const queued = await prepare(deps, row.developer_id, { target: row, token });
        return queued === null ? [] : [queued];
      } catch (error) {
        // What cannot be opened is forgotten here all the same (threats K8).
        log.error('connections.revocation.decrypt_failed', { connection_id: row.id, error });
        return [];
      }
    },
    add: store.add,
    async enqueue(developerId, target, token) {
      const row = await prepare(deps, developerId, { target, token });
      if (row !== null) await storage.write<ConnectionTables, void>((trx) => store.add(trx, [row]));
    },
    drain,
    drainBehind() {
      const work = drain()
        .catch((error: unknown) => log.warn('connections.revocations.postponed', { error }))
        .finally(() => background.delete(work));
      background.add(work);
    },
    settle: async () => void (await Promise.all(background)),
  };
}

/** null where the provider cannot be told. */
async function prepare(
  { servers, vault, clock }: Deps,
  developerId: string,
  { target, token }: { readonly target: GrantTarget; readonly token: string },
): Promise<RevocationRow | null> {
  if (!servers.isKnown(target)) return null;
  const { provider, issuer, resource } = target;
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
}

async function revoke(
  { servers, endpoint, vault, clock, log }: Deps,
  store: ReturnType<typeof createRevocationStore>,
  row: RevocationRow,
): Promise<void> {
  const nextAt = clock.now() + backoffMs(backoff, row.attempts + 1);
  if (!(await store.claim(row, nextAt))) return;
  try {
    const server = await servers.open(row);
    await endpoint.revoke(server, await vault.open(row.token_sealed, binding(row)));
    await store.finish(row, 'token.revoke');
  } catch (error) {
    log.warn('connections.token.revoke_failed', { provider: row.provider, error });
    if (row.attempts + 1 >= maxAttempts) await store.finish(row, 'token.revoke_failed');
  }
}

function binding(row: Pick<RevocationRow, 'id' | 'developer_id' | 'provider'>): string[] {
  return ['revocation', row.developer_id, row.provider, row.id];
}
