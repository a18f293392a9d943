import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../base/clock.ts';
import { newId } from '../../base/id.ts';
import { Problem } from '../../base/problem.ts';
import { backoffMs } from '../../base/retry.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import type { Bell } from '../bell.ts';
import type { Parties } from '../servers/parties.ts';
import type { ProofKey } from '../servers/proof.ts';
import type { GrantRow } from '../tables.ts';
import { type Authority, AuthorityFailure } from './authority.ts';
import type { GrantStore } from './grant-store.ts';
import type { Sealing } from './sealing.ts';
import type { Issued, TokenCalls } from './tokens.ts';

export type RefreshLimits = {
  /** How long a process that died in mid-refresh keeps the others waiting. */
  readonly leaseMs: number;
  /** How long a call waits for tokens that another process is fetching. */
  readonly waitMs: number;
};

export const defaultRefreshLimits: RefreshLimits = { leaseMs: 10_000, waitMs: 45_000 };

export type Refresher = {
  /** The row once its tokens are newer than version `than`; throws the Problem to show when they cannot be had. */
  renew(id: string, than: number): Promise<GrantRow>;
  /** Providers that refuse us as a client, for the operator's alarm. */
  misconfigured(): number;
};

/** The notice of another process's commit wakes a waiter; this is for the one that gets lost. */
const lookMs = 250;
const backoff = { firstMs: 1_000, maxMs: 300_000, jitter: 0.25 };
const alarmMs = 30_000;
/** Tokens that the provider has rotated exist only here until they are stored: a busy store is asked again and again. */
const saveTries = 10;
const saveRetryMs = 500;

export function createRefresher(deps: {
  readonly store: GrantStore;
  readonly sealing: Sealing;
  readonly calls: TokenCalls;
  readonly parties: Parties;
  readonly clock: Clock;
  readonly bell: Bell;
  readonly log: Log;
  readonly limits: RefreshLimits;
  readonly random: () => number;
  /** Tokens that came for a connection that is gone by now. */
  readonly discard: (row: GrantRow, token: string) => Promise<void>;
}): Refresher {
  const { store, sealing, calls, parties, clock, bell, log, limits, random, discard } = deps;
  const flights = new Map<string, Promise<GrantRow>>();
  const alarms = new Map<string, number>();

  /** Of all processes one at a time is past `takeLease`; the others wait here and find its tokens. */
  const obtain = async (id: string, than: number): Promise<GrantRow> => {
    const until = clock.monotonic() + limits.waitMs;
    for (;;) {
      const row = await store.byId(id);
      if (row === undefined) throw notConnected();
      if (row.status === 'needs_reauth') throw expired(row.provider);
      if (row.version > than) return row;
      refuseEarly(row);
      const holder = newId('own');
      if (row.refresh_sealed === null) await store.saveDead(row, null);
      else if (await store.takeLease(row, holder, limits.leaseMs)) await refresh(row, holder);
      else {
        if (clock.monotonic() > until)
          throw new Problem('unavailable', 'The tokens are being renewed', { retryAfterMs: 1_000 });
        await bell.wait(id, lookMs);
      }
    }
  };

  const refuseEarly = ({ provider, retry_at }: GrantRow) => {
    const restMs = Math.max(retry_at, alarms.get(provider) ?? 0) - clock.now();
    if (restMs > 0) throw away(provider, restMs);
  };

  const refresh = async (row: GrantRow, holder: string): Promise<void> => {
    // A provider slower than the lease must not look like a dead process (threats J2).
    const heartbeat = setInterval(() => {
      store
        .renewLease(row.id, holder, limits.leaseMs)
        .catch((error: unknown) => log.warn('a refresh lease could not be renewed', { error }));
    }, limits.leaseMs / 3);
    const at = clock.now();
    try {
      const authority = await parties.of(row);
      const token = (await sealing.open(row, 'refresh')) ?? '';
      const key = await sealing.open(row, 'proof_key');
      const proofKey = key === null ? null : (JSON.parse(key) as ProofKey);
      const issued = await calls
        .refresh(authority, token, proofKey)
        .catch((error: unknown) => overAnew(authority, error));
      await save(row, issued, at, authority);
    } catch (error) {
      await settle(row, holder, error);
    } finally {
      clearInterval(heartbeat);
    }
  };

  /** A client that we had registered by ourselves is over, and what was issued to it with it: nobody's configuration is at fault. */
  const overAnew = async (authority: Authority, error: unknown): Promise<never> => {
    const refused = error instanceof AuthorityFailure && error.reason === 'misconfigured';
    if (refused && (await parties.disown(authority))) throw new AuthorityFailure('dead', error);
    throw error;
  };

  /** The version is the fence (threats J4): whoever was overtaken stores only what was issued later than what is there. */
  const save = async (row: GrantRow, issued: Issued, at: number, { provider }: Authority) => {
    let over = row;
    for (;;) {
      const next = { issued, version: over.version + 1, at };
      const columns = await sealing.issue(row, next, over);
      if (await persist(() => store.saveRefreshed(row, over.version, columns))) {
        alarms.delete(provider.name);
        return;
      }
      const current = await store.byId(row.id);
      if (current === undefined) return discard(row, issued.refreshToken ?? issued.accessToken);
      if (current.issued_at >= at) return;
      over = current;
    }
  };

  const persist = async <T>(act: () => Promise<T>): Promise<T> => {
    for (let tries = 1; ; tries++) {
      try {
        return await act();
      } catch (error) {
        if (tries >= saveTries || !(error instanceof Problem && error.kind === 'unavailable')) throw error;
        await delay(saveRetryMs);
      }
    }
  };

  const settle = async (row: GrantRow, holder: string, error: unknown): Promise<void> => {
    if (!(error instanceof AuthorityFailure)) {
      await store.release(row.id, holder, row.failures, row.retry_at);
      throw error;
    }
    switch (error.reason) {
      case 'dead':
        // Only for the tokens we sent: somebody else may have newer ones, which the next look finds (threats J5).
        await store.saveDead(row, holder);
        return;
      case 'misconfigured': {
        // The rows are innocent: every one of this provider would fail alike (threats J6).
        alarms.set(row.provider, clock.now() + alarmMs);
        log.error('a provider refuses our client id or secret', { provider: row.provider, error });
        await store.release(row.id, holder, row.failures, row.retry_at);
        throw away(row.provider, alarmMs, error);
      }
      case 'transient': {
        const failures = row.failures + 1;
        const waitMs = error.retryAfterMs ?? backoffMs(backoff, failures, random());
        log.warn('a token could not be refreshed', { provider: row.provider, failures, error });
        await store.release(row.id, holder, failures, clock.now() + waitMs);
        throw away(row.provider, waitMs, error);
      }
    }
  };

  return {
    misconfigured: () => [...alarms.values()].filter((until) => until > clock.now()).length,
    async renew(id, than) {
      for (;;) {
        // Calls in this process share one look at the store and one request.
        let flight = flights.get(id);
        if (flight === undefined) {
          flight = obtain(id, than).finally(() => flights.delete(id));
          flights.set(id, flight);
        }
        const row = await flight;
        if (row.version > than) return row;
      }
    },
  };
}

export function notConnected(provider?: string): Problem {
  const detail = 'The user has not connected this provider';
  return new Problem('provider_not_connected', detail, provider === undefined ? {} : { facts: { provider } });
}

export function expired(provider: string): Problem {
  const detail = 'The provider no longer honours the consent: the user has to connect again';
  return new Problem('token_expired', detail, { facts: { provider } });
}

function away(provider: string, retryAfterMs: number, cause?: unknown): Problem {
  return new Problem('unavailable', `${provider} gives no new tokens just now`, { retryAfterMs, cause });
}
