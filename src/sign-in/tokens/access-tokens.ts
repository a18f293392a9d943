import type { Principal } from '../../access/access.ts';
import type { Clock } from '../../base/clock.ts';
import { Problem } from '../../base/problem.ts';
import { RevalidatingCache } from '../../base/revalidating-cache.ts';
import type { User } from '../../identity/identity.ts';
import { canonicalPath } from '../resources.ts';
import { type AccountRow, digestOf, type SignInStore } from '../sign-in-store.ts';

/** Who stands behind an access token, and for whom. */
export type SignedIn = { readonly caller: Principal; readonly user: User | null };

type Known = SignedIn & {
  /** The resource it was made for. */
  readonly audience: string;
  /** Milliseconds since 1970: its own end, or that of the key behind it. */
  readonly expiresAt: number;
  /** Whoever stands behind it has to be asked about again by then. */
  readonly askAgainAt: number;
  readonly tags: readonly string[];
};

/** What the library writes of an access token. */
type TokenRecord = {
  readonly accountId?: string;
  readonly clientId?: string;
  readonly aud?: string;
  readonly grantId?: string;
};

/** A token is looked up again this often even without a notice: the safety net under revocation. */
const rereadMs = 60_000;
const maxCached = 50_000;

/** Whom an account stands for, in which groups, and for how long that holds (milliseconds since 1970). */
export type Holder = {
  readonly principal: Principal;
  readonly groups: readonly string[];
  readonly expiresAt: number;
  readonly askAgainAt: number;
};
export type HolderOf = (account: AccountRow) => Promise<Holder>;

/** Access tokens to principals: one look into the store at first sight, memory after that. */
export function createAccessTokens(deps: {
  readonly store: SignInStore;
  readonly clock: Clock;
  /** Throws a Problem where the account may nothing any more. */
  readonly holderOf: HolderOf;
}) {
  const { store, clock, holderOf } = deps;
  const cache = new RevalidatingCache<Known>({
    max: maxCached,
    maxAgeMs: rereadMs,
    now: clock.monotonic,
    tagsOf: ({ tags }) => tags,
  });

  const read = async (digest: string): Promise<Known> => {
    const row = await store.record('AccessToken', digest);
    if (row === undefined || row.expires_at <= clock.now()) throw badToken();
    const { accountId = '', clientId = '', aud = '', grantId = '' } = JSON.parse(row.payload) as TokenRecord;
    const account = await store.account(accountId);
    if (account === undefined || account.ended_at !== null) throw badToken();
    const { principal, groups, expiresAt, askAgainAt } = await holderOf(account).catch(asBadToken);
    const { developerId, keyId } = principal;
    const userId = account.user_id;
    return {
      caller: { ...principal, client: clientId, ...(groups.length > 0 && { groups }) },
      user: userId === null ? null : { userId, developerId, tokenId: digest, sessionId: grantId, keyId },
      audience: aud,
      expiresAt: Math.min(row.expires_at, expiresAt),
      askAgainAt,
      tags: [digest, grantId, accountId, keyId],
    };
  };

  return {
    /** Throws `unauthorized_token`: unknown, over, revoked, or made for another resource (threats P1). */
    async verify(token: string, path: string, issuer: string): Promise<SignedIn> {
      const digest = digestOf(token);
      const cached = cache.get(digest);
      const isFresh = cached !== undefined && cached.askAgainAt > clock.now();
      const known = isFresh ? cached : await cache.load(digest, () => read(digest));
      if (known.expiresAt <= clock.now()) throw badToken();
      if (known.audience !== `${issuer}${canonicalPath(path)}`)
        throw new Problem('unauthorized_token', 'The access token was made for another resource');
      return known;
    },
    invalidate: (tag: string) => cache.invalidate(tag),
  };
}

function badToken(): Problem {
  return new Problem('unauthorized_token', 'The access token is unknown, over or revoked');
}

/** Of whoever is behind it no word is said. */
function asBadToken(error: unknown): never {
  if (error instanceof Problem && error.kind === 'invalid_api_key') throw badToken();
  throw error;
}
