import type { Clock } from '../../base/clock.ts';
import { newId } from '../../base/id.ts';
import { Problem } from '../../base/problem.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import type { FreshToken, Owner, TokenRequest } from '../model.ts';
import { createProver, type ProofKey } from '../servers/proof.ts';
import type { GrantRow, RevocationRow } from '../tables.ts';
import type { GrantStore } from './grant-store.ts';
import { expired, notConnected, type Refresher } from './refresh.ts';
import type { Revocations } from './revocations.ts';
import { endOf, type Sealing, scopesOf } from './sealing.ts';
import { cacheKey, createTokenCache, type Held } from './token-cache.ts';
import type { Account, Issued } from './tokens.ts';

/** A consent that came through, to be kept. */
export type Consent = {
  readonly owner: Owner;
  readonly provider: string;
  readonly account: Account;
  readonly issued: Issued;
  /** When the token request began. */
  readonly at: number;
  readonly asked: readonly string[];
  /** With an MCP server: who issued, and for what. */
  readonly issuer: string | null;
  readonly resource: string | null;
};

/** What a consent becomes: the row, and the version whose place it takes (null: none). */
export type Prepared = { readonly row: GrantRow; readonly over: number | null };

export type Grants = {
  readonly store: GrantStore;
  freshToken(request: TokenRequest): Promise<FreshToken>;
  /** Everything that takes time, before the transaction that stores it. */
  prepare(consent: Consent): Promise<Prepared>;
  /** Its tokens are of no use here any more: the user has to connect again. */
  expire(connectionId: string): Promise<void>;
  /** The row's tokens as rows of the revocation queue. */
  revocationsOf(row: GrantRow): Promise<readonly RevocationRow[]>;
  /** Something happened to this connection, here or elsewhere. */
  heard(connectionId: string): void;
  /** Waits for refreshes in the background. */
  settle(): Promise<void>;
};

/** A provider that refuses good tokens must not be able to make us ask for new ones with every call (threats J9). */
const forcedEveryMs = 30_000;
const maxForcedKept = 10_000;

export function createGrants(deps: {
  readonly store: GrantStore;
  readonly sealing: Sealing;
  readonly refresher: Refresher;
  readonly revocations: Revocations;
  readonly clock: Clock;
  readonly log: Log;
}): Grants {
  const { store, sealing, refresher, revocations, clock, log } = deps;
  const cache = createTokenCache(clock.now);
  const background = new Set<Promise<unknown>>();
  const forced = new Map<string, { readonly version: number; readonly at: number }>();

  /** Calls that were refused together share one renewal; a token fresh from one is not renewed again at once. */
  const mayForce = ({ id, version }: GrantRow): boolean => {
    const last = forced.get(id);
    if (last?.version === version) return true;
    if (last !== undefined && clock.now() - last.at < forcedEveryMs) return false;
    if (forced.size >= maxForcedKept) forced.clear();
    forced.set(id, { version, at: clock.now() });
    return true;
  };

  /** The request goes on with the token that is still good (threats J7). */
  const renewBehind = (id: string, than: number) => {
    const work = refresher
      .renew(id, than)
      .catch((error: unknown) => log.debug('a token was not renewed ahead of time', { error }))
      .finally(() => background.delete(work));
    background.add(work);
  };

  const load = async ({ owner, provider, account }: TokenRequest): Promise<GrantRow> => {
    const row = await store.find(owner, provider, account);
    if (row === undefined)
      throw account === undefined ? notConnected(provider) : new Problem('not_found', 'No such account');
    if (row.status === 'needs_reauth') throw expired(provider);
    return row;
  };

  const isStale = (row: GrantRow, refused: number | undefined): boolean =>
    clock.now() >= endOf(row) || (refused !== undefined && row.version <= refused && mayForce(row));

  const open = async (row: GrantRow, key: string, mark: number): Promise<Held> => {
    const accessToken = (await sealing.open(row, 'access')) ?? '';
    const proofKey = await sealing.open(row, 'proof_key');
    const held: Held = {
      connectionId: row.id,
      accessToken,
      prover:
        proofKey === null ? null : createProver(JSON.parse(proofKey) as ProofKey, accessToken, clock.now),
      resource: row.resource,
      scopes: scopesOf(row),
      version: row.version,
      endsAt: endOf(row),
      refreshAt: row.refresh_sealed === null ? Number.POSITIVE_INFINITY : (row.refresh_at ?? endOf(row)),
    };
    cache.set(key, held, mark);
    return held;
  };

  const hand = (held: Held): FreshToken => {
    if (clock.now() >= held.refreshAt) renewBehind(held.connectionId, held.version);
    const { connectionId, accessToken, scopes, version, prover, resource } = held;
    const token = { connectionId, accessToken, scopes, version };
    return resource == null ? token : { ...token, resource, prover: prover ?? null };
  };

  return {
    store,

    async freshToken(request) {
      const { owner, provider, account, refused, actor = 'system' } = request;
      const key = cacheKey(owner, provider, account);
      const held = cache.get(key);
      if (held !== undefined && clock.now() < held.endsAt && (refused ?? 0) < held.version) return hand(held);
      let mark = cache.mark();
      let row = await load(request);
      if (isStale(row, refused)) {
        await refresher.renew(row.id, row.version);
        mark = cache.mark();
        row = await load(request);
      }
      await store.markUsed(row, actor);
      return hand(await open(row, key, mark));
    },

    async prepare({ owner, provider, account, issued, at, asked, issuer, resource }) {
      const previous = (await store.find(owner, provider, account.id)) ?? null;
      // A refresh token that is held stays good, if it is the same person's for sure (threats F12, F13).
      const kept = account.id === '' ? null : previous;
      const place = {
        id: previous?.id ?? newId('con'),
        developer_id: owner.developerId,
        user_id: owner.userId,
        provider,
        account: account.id,
        issuer,
        resource,
      };
      const version = (previous?.version ?? 0) + 1;
      const columns = await sealing.issue(place, { issued, version, at, asked }, kept);
      const row: GrantRow = {
        ...place,
        ...columns,
        // Granted anew: what the reply does not say is as asked now, not as it was before (RFC 6749 section 5.1).
        scopes: (issued.scopes ?? asked).join(' '),
        label: account.label,
        status: 'active',
        asked: issuer === null ? null : asked.join(' '),
        wanted: null,
        used_version: previous?.used_version ?? 0,
        holder: null,
        lease_until: 0,
        failures: 0,
        retry_at: 0,
        created_at: previous?.created_at ?? clock.now(),
        updated_at: clock.now(),
      };
      return { row, over: previous?.version ?? null };
    },

    async expire(connectionId) {
      const row = await store.byId(connectionId);
      if (row !== undefined) await store.saveDead(row, null);
    },

    async revocationsOf(row) {
      try {
        // Whoever revokes a refresh token ends its access tokens too (RFC 7009 section 2.1).
        const token = (await sealing.open(row, 'refresh')) ?? (await sealing.open(row, 'access')) ?? '';
        const queued = await revocations.prepare(row.developer_id, row, token);
        return queued === null ? [] : [queued];
      } catch (error) {
        // What cannot be opened is forgotten here all the same (threats K8).
        log.error('a token could not be opened to revoke it', { connection: row.id, error });
        return [];
      }
    },

    heard: cache.drop,
    settle: async () => void (await Promise.all(background)),
  };
}
