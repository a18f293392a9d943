import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../base/clock.ts';
import { newId } from '../../base/id.ts';
import { Problem } from '../../base/problem.ts';
import { backoffMs } from '../../base/retry.ts';
import { inSpan, noTracing, type Tracing } from '../../base/tracing.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import type {
  AuthorizationServer,
  AuthorizationServers,
} from '../authorization-servers/authorization-servers.ts';
import type { ChangeSignal } from '../change-signal.ts';
import type { GrantRow } from '../connection-rows.ts';
import { Refusals } from '../refusals.ts';
import type { GrantStore } from './grant-store.ts';
import type { TokenEncryption } from './token-encryption.ts';
import { type IssuedTokens, type TokenEndpoint, TokenEndpointFailure } from './token-endpoint.ts';

export type RefreshLimits = {
  /** How long a process that died in mid-refresh keeps the others waiting. */
  readonly leaseMs: number;
  /** How long a call waits for tokens that another process is fetching. */
  readonly waitMs: number;
};

export const defaultRefreshLimits: RefreshLimits = { leaseMs: 10_000, waitMs: 45_000 };

/** The notice of another process's commit wakes a waiter; this is for the one that gets lost. */
const pollMs = 250;
const backoff = { firstMs: 1_000, maxMs: 300_000, jitter: 0.25 };
const misconfiguredMs = 30_000;
/** A grant that is refused so often in a row, in whatever words, is over: only the user can try something else. */
const maxRefusals = 3;
/** So many grants refused alike, and none renewed in between: it is the provider, or how it is set up here. */
const severalGrants = 3;
/** Tokens that the provider has rotated exist only here until they are stored: a busy store is asked again and again. */
const saveTries = 10;
const saveRetryMs = 500;

type Deps = {
  readonly store: GrantStore;
  readonly encryption: TokenEncryption;
  readonly endpoint: TokenEndpoint;
  readonly servers: AuthorizationServers;
  readonly clock: Clock;
  readonly signal: ChangeSignal;
  readonly log: Log;
  readonly tracing?: Tracing;
  readonly limits: RefreshLimits;
  readonly random: () => number;
  /** Tokens that came for a connection that is gone by now. */
  readonly discard: (row: GrantRow, token: string) => Promise<void>;
};

/** Renews tokens: of all processes one at a time, under a lease in the row; the others wait and find its result. */
export class TokenRefresher {
  readonly #deps: Deps;
  readonly #flights = new Map<string, Promise<GrantRow>>();
  readonly #refusals = new Refusals();
  /** Providers that refused us as a client, and until when they are not asked again: one for each, not for each grant. */
  readonly #misconfiguredUntil = new Map<string, number>();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** The row once its tokens are newer than version `than`; throws the Problem to show when they cannot be had. */
  async renew(id: string, than: number): Promise<GrantRow> {
    for (;;) {
      // Single flight: calls in this process share one reading of the store and one request.
      let flight = this.#flights.get(id);
      if (flight === undefined) {
        flight = this.#obtain(id, than).finally(() => this.#flights.delete(id));
        this.#flights.set(id, flight);
      }
      const row = await flight;
      if (row.version > than) return row;
    }
  }

  /** Providers that refuse us as a client, for the operator's alarm. */
  countMisconfigured(): number {
    const now = this.#deps.clock.now();
    return [...this.#misconfiguredUntil.values()].filter((until) => until > now).length;
  }

  /** Of all processes one at a time is past `takeLease`; the others wait here and find its tokens. */
  async #obtain(id: string, than: number): Promise<GrantRow> {
    const { store, clock, limits, signal } = this.#deps;
    const until = clock.monotonic() + limits.waitMs;
    for (;;) {
      const row = await store.findById(id);
      if (row === undefined) throw notConnected();
      if (row.status === 'needs_reauth') throw expired(row.provider);
      if (row.version > than) return row;
      this.#refuseEarly(row);
      const holder = newId('own');
      if (row.refresh_sealed === null) await store.markExpired(row, null);
      else if (await store.takeLease(row, holder, limits.leaseMs)) await this.#refreshTraced(row, holder);
      else {
        if (clock.monotonic() > until)
          throw new Problem('unavailable', 'The tokens are being renewed', { retryAfterMs: 1_000 });
        await signal.wait(id, pollMs);
      }
    }
  }

  #refuseEarly({ provider, retry_at }: GrantRow): void {
    const until = Math.max(retry_at, this.#misconfiguredUntil.get(provider) ?? 0);
    const restMs = until - this.#deps.clock.now();
    if (restMs > 0) throw noNewTokens(provider, restMs);
  }

  #refreshTraced(row: GrantRow, holder: string): Promise<void> {
    const attributes = { 'mcprank.provider': row.provider };
    return inSpan(this.#deps.tracing ?? noTracing, 'refresh token', { attributes }, () =>
      this.#refresh(row, holder),
    );
  }

  async #refresh(row: GrantRow, holder: string): Promise<void> {
    const { store, encryption, endpoint, servers, clock, limits, log } = this.#deps;
    // A provider slower than the lease must not look like a dead process (threats J2).
    const heartbeat = setInterval(() => {
      store
        .renewLease(row.id, holder, limits.leaseMs)
        .catch((error: unknown) => log.warn('connections.refresh_lease.renew_failed', { error }));
    }, limits.leaseMs / 3);
    const at = clock.now();
    try {
      const server = await servers.open(row);
      const token = (await encryption.open(row, 'refresh')) ?? '';
      const dpopKey = await encryption.openDPoPKey(row);
      const issued = await endpoint
        .refresh(server, token, dpopKey)
        .catch((error: unknown) => this.#reRegister(server, error));
      await this.#save(row, issued, { at, provider: server.provider.name });
    } catch (error) {
      await this.#handleFailure(row, holder, error);
    } finally {
      clearInterval(heartbeat);
    }
  }

  /** A client that we had registered by ourselves is over, and what was issued to it with it: nobody's configuration is at fault. */
  async #reRegister(server: AuthorizationServer, error: unknown): Promise<never> {
    const isRefused = error instanceof TokenEndpointFailure && error.reason === 'misconfigured';
    if (isRefused && (await this.#deps.servers.forgetClient(server)))
      throw new TokenEndpointFailure('invalid_grant', error);
    throw error;
  }

  /** The version is the fencing token (threats J4): whoever was overtaken stores only what was issued later than what is there. */
  async #save(
    row: GrantRow,
    issued: IssuedTokens,
    { at, provider }: { readonly at: number; readonly provider: string },
  ): Promise<void> {
    const { store, encryption, discard } = this.#deps;
    let latest = row;
    for (;;) {
      const columns = await encryption.seal(row, { issued, version: latest.version + 1, at }, latest);
      const { version } = latest;
      if (await retryWhileBusy(() => store.saveRefreshed(row, version, columns))) {
        this.#misconfiguredUntil.delete(provider);
        this.#refusals.clear(provider, row.id);
        return;
      }
      const current = await store.findById(row.id);
      if (current === undefined) return discard(row, issued.refreshToken ?? issued.accessToken);
      if (current.issued_at >= at) return;
      latest = current;
    }
  }

  async #handleFailure(row: GrantRow, holder: string, error: unknown): Promise<void> {
    const { store, clock, log, random } = this.#deps;
    const { provider } = row;
    const unchanged = { failures: row.failures, retryAt: row.retry_at };
    if (!(error instanceof TokenEndpointFailure)) {
      await store.releaseLease(row.id, holder, unchanged);
      throw error;
    }
    switch (this.#judge(row, error)) {
      case 'grant':
        // Only for the tokens we sent: somebody else may have newer ones, which the next reading finds (threats J5).
        await store.markExpired(row, holder);
        return;
      case 'provider':
        // The rows are innocent: every one of this provider would fail alike (threats J6).
        this.#misconfiguredUntil.set(provider, clock.now() + misconfiguredMs);
        log.error('connections.provider.misconfigured', { provider, reason: error.message });
        await store.releaseLease(row.id, holder, unchanged);
        throw noNewTokens(provider, misconfiguredMs, error);
      case 'time': {
        const failures = row.failures + 1;
        const waitMs = error.retryAfterMs ?? backoffMs(backoff, failures, random());
        log.warn('connections.token.refresh_failed', { provider, failures, error });
        await store.releaseLease(row.id, holder, { failures, retryAt: clock.now() + waitMs });
        throw noNewTokens(provider, waitMs, error);
      }
    }
  }

  /** Whose fault it is, and so what can help. */
  #judge({ provider, id }: GrantRow, { reason, words }: TokenEndpointFailure): 'grant' | 'provider' | 'time' {
    if (reason === 'invalid_grant') return 'grant';
    if (reason === 'misconfigured') return 'provider';
    if (reason !== 'refused') return 'time';
    const refused = this.#refusals.add({ provider, grantId: id, words: words ?? '' });
    if (refused.grants >= severalGrants) return 'provider';
    return refused.ofGrant >= maxRefusals ? 'grant' : 'time';
  }
}

async function retryWhileBusy<T>(act: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await act();
    } catch (error) {
      if (tries >= saveTries || !(error instanceof Problem && error.kind === 'unavailable')) throw error;
      await delay(saveRetryMs);
    }
  }
}

export function notConnected(provider?: string): Problem {
  const detail = 'The user has not connected this provider';
  return new Problem('provider_not_connected', detail, provider === undefined ? {} : { facts: { provider } });
}

export function expired(provider: string): Problem {
  const detail = 'The provider no longer honours the consent: the user has to connect again';
  return new Problem('token_expired', detail, { facts: { provider } });
}

function noNewTokens(provider: string, retryAfterMs: number, cause?: unknown): Problem {
  const words = cause instanceof TokenEndpointFailure && cause.words !== null ? `: ${cause.words}` : '';
  const detail = `${provider} gives no new tokens just now${words}`;
  return new Problem('unavailable', detail, { retryAfterMs, cause });
}
