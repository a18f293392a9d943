import { createBoundedCache } from '../../base/bounded-cache.ts';
import type { Clock } from '../../base/clock.ts';
import { Problem } from '../../base/problem.ts';
import { RevalidatingCache } from '../../base/revalidating-cache.ts';
import type { FilledIn } from '../../base/user-credentials.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import type { GrantRow } from '../connection-rows.ts';
import type { FreshToken, TokenRequest } from '../connections-model.ts';
import { isOfKey, splitScopes } from '../grant-target.ts';
import { createDPoPSigner } from './dpop.ts';
import type { GrantStore } from './grant-store.ts';
import { endsAt, type TokenEncryption } from './token-encryption.ts';
import { expired, notConnected, type TokenRefresher } from './token-refresh.ts';

/** An opened token in memory. */
type OpenToken = FreshToken & {
  /** When it stops being good. */
  readonly endsAt: number;
  /** When it should be renewed, although still good. */
  readonly refreshAt: number;
};

/** Opened tokens are worth a few hundred bytes each. */
const maxCached = 20_000;
/** A notice that was missed (the machine slept) does no harm for longer than this. */
const maxAgeMs = 60_000;
/** A provider that refuses good tokens must not be able to make us ask for new ones with every call (threats J9). */
const forcedEveryMs = 30_000;
const maxForced = 10_000;

type Deps = {
  readonly store: GrantStore;
  readonly encryption: TokenEncryption;
  readonly refresher: TokenRefresher;
  readonly clock: Clock;
  readonly log: Log;
};

/** A token that is good now: from memory, else from the store, else from the provider. */
export class FreshTokens {
  readonly #deps: Deps;
  readonly #cache: RevalidatingCache<OpenToken>;
  /** Renewals of good tokens that a provider refused, by connection. */
  readonly #forced = createBoundedCache<{ readonly version: number; readonly at: number }>(maxForced);
  readonly #background = new Set<Promise<unknown>>();

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#cache = new RevalidatingCache({
      max: maxCached,
      maxAgeMs,
      now: deps.clock.now,
      tagsOf: ({ connectionId }) => [connectionId],
    });
  }

  async get(request: TokenRequest): Promise<FreshToken> {
    const { refused, actor = 'system' } = request;
    const { refresher, store, clock } = this.#deps;
    const key = cacheKey(request);
    const cached = this.#cache.get(key);
    if (cached !== undefined && clock.now() < cached.endsAt && (refused ?? 0) < cached.version)
      return this.#hand(cached);
    let mark = this.#cache.mark();
    let row = await this.#find(request);
    if (this.#isStale(row, refused)) {
      await refresher.renew(row.id, row.version);
      mark = this.#cache.mark();
      row = await this.#find(request);
    }
    await store.markUsed(row, actor);
    const token = await this.#open(row);
    this.#cache.keep(key, token, mark);
    return this.#hand(token);
  }

  /** Something happened to this connection, here or elsewhere. */
  invalidate(connectionId: string): void {
    this.#cache.invalidate(connectionId);
  }

  /** Waits for renewals in the background. */
  async settle(): Promise<void> {
    await Promise.all(this.#background);
  }

  async #find({ owner, provider, account }: TokenRequest): Promise<GrantRow> {
    const { store } = this.#deps;
    const row = await (account === undefined
      ? store.find(owner, provider)
      : store.findNamed(owner, provider, account));
    if (row === undefined)
      throw account === undefined ? notConnected(provider) : new Problem('not_found', 'No such account');
    if (row.status === 'needs_reauth') throw expired(provider);
    return row;
  }

  #isStale(row: GrantRow, refused: number | undefined): boolean {
    if (this.#deps.clock.now() >= endsAt(row)) return true;
    return refused !== undefined && row.version <= refused && this.#mayForce(row);
  }

  /** Calls that were refused together share one renewal; a token fresh from one is not renewed again at once. */
  #mayForce({ id, version }: GrantRow): boolean {
    const now = this.#deps.clock.now();
    const last = this.#forced.get(id);
    if (last?.version === version) return true;
    if (last !== undefined && now - last.at < forcedEveryMs) return false;
    this.#forced.set(id, { version, at: now });
    return true;
  }

  async #open(row: GrantRow): Promise<OpenToken> {
    const { encryption, clock } = this.#deps;
    const text = (await encryption.open(row, 'access')) ?? '';
    const [accessToken, key] = isOfKey(row) ? ['', JSON.parse(text) as FilledIn] : [text, undefined];
    const dpopKey = await encryption.openDPoPKey(row);
    const endOfLife = endsAt(row);
    return {
      connectionId: row.id,
      accessToken,
      signDPoPProof: dpopKey === null ? null : createDPoPSigner(dpopKey, accessToken, clock.now),
      resource: row.resource,
      ...(key !== undefined && { key }),
      scopes: splitScopes(row.scopes),
      version: row.version,
      endsAt: endOfLife,
      refreshAt: row.refresh_sealed === null ? Number.POSITIVE_INFINITY : (row.refresh_at ?? endOfLife),
    };
  }

  #hand(open: OpenToken): FreshToken {
    if (this.#deps.clock.now() >= open.refreshAt) this.#renewBehind(open);
    const { connectionId, accessToken, scopes, version, signDPoPProof = null, resource, key } = open;
    const token = { connectionId, accessToken, scopes, version };
    if (key !== undefined) return { ...token, key };
    return resource == null ? token : { ...token, resource, signDPoPProof };
  }

  /** The request goes on with the token that is still good (threats J7). */
  #renewBehind({ connectionId, version }: OpenToken): void {
    const { refresher, log } = this.#deps;
    const work = refresher
      .renew(connectionId, version)
      .catch((error: unknown) => log.debug('connections.token.early_refresh_failed', { error }))
      .finally(() => this.#background.delete(work));
    this.#background.add(work);
  }
}

/** The principal is in the key, so one user's token cannot be found under another's name (threats G4). */
function cacheKey({ owner, provider, account }: TokenRequest): string {
  return JSON.stringify([owner.developerId, owner.userId, provider, account ?? null]);
}
