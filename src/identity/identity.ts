/**
 * Who an app acts for: issues, refreshes, revokes and checks MITs (MCP Identity Tokens), and turns their keys over.
 *
 * Promises: a MIT says exactly one user of one developer and is checked from memory; what is revoked is dead here at once
 * and elsewhere within a second, also after a restart; a refresh token works once, its lost reply can be asked for
 * again for thirty seconds, and a stolen one ends its family; keys change without one refused token.
 * When the store is down, tokens checked within the last minute go on working, everything else is `unavailable`. When a key
 * service is down, what was opened stays usable. When an app's own identity provider is down, its last keys go on
 * being used, and without any the exchange is `upstream_error`.
 */
import type { Clock } from '../base/clock.ts';
import { newId, sha256Hex } from '../base/id.ts';
import { Problem } from '../base/problem.ts';
import type { Secret } from '../base/secret.ts';
import type { Storage } from '../storage/storage.ts';
import type { Vault } from '../vault/vault.ts';
import type { Get } from './exchange/issuer-keys.ts';
import { createIssuerStore, type Issuer, type NewIssuer } from './exchange/issuer-store.ts';
import { createSubjectTokens } from './exchange/subject-token.ts';
import {
  createIdentityStore,
  type ListedUser,
  type Owner,
  type Revocation,
  type UserQuery,
} from './identity-store.ts';
import { decide, isAlive, newLife } from './refresh.ts';
import { newSalt, parseRefreshToken, refreshTokenText } from './refresh-token.ts';
import { keysChanged } from './signing-key-store.ts';
import { createSigningKeys, type Jwks } from './signing-keys.ts';
import { createTokens, lifeSeconds, type User } from './token.ts';
import { createTokenVerifier } from './token-verifier.ts';

export { sealedColumns } from './signing-key-store.ts';
export { jwksMaxAgeSeconds } from './signing-keys.ts';
export type { User } from './token.ts';

/** Who asks, for the audit trail and for what the MIT says of its key. */
export type Asking = { readonly developerId: string; readonly keyId: string };

/** What the API answers, name by name. */
export type TokenSet = {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly expires_in: number;
  readonly token_type: 'Bearer';
};
/** RFC 7662. */
export type Introspection = Readonly<Record<string, unknown>> & { readonly active: boolean };

export type Identity = {
  /** A MIT for a user, who is made when unknown. */
  issue(asking: Asking, userId: string): Promise<TokenSet>;
  /** The same for whoever the app's own identity provider vouches for (RFC 8693). */
  exchange(asking: Asking, subjectToken: string): Promise<TokenSet>;
  /** Throws `invalid_grant`. */
  refresh(asking: Asking, refreshToken: string): Promise<TokenSet>;
  /** Everything of the user dies; revoking an unknown user is no error. */
  revoke(asking: Asking, userId: string): Promise<void>;
  /** Removes what is stored about the user; false when there was nothing. */
  deleteUser(asking: Asking, userId: string): Promise<boolean>;
  /** Users of one developer or of all, for the operator. */
  users(query: UserQuery): Promise<readonly ListedUser[]>;
  /** The user behind a MIT presented with this developer's key. Throws `invalid_token`. */
  verify(token: string, developerId: string): Promise<User>;
  introspect(asking: Asking, token: string): Promise<Introspection>;
  jwks(): Promise<Jwks>;
  readonly issuers: {
    list(developerId: string): Promise<Issuer[]>;
    /** Throws `conflict`. */
    add(asking: Asking, issuer: NewIssuer): Promise<Issuer>;
    /** Throws `not_found`. */
    remove(asking: Asking, id: string): Promise<void>;
  };
  /** Loads the keys, or makes the first ones. */
  start(): Promise<void>;
  /** Turns the keys over and drops what is over; a job. */
  tend(): Promise<void>;
};

export type IdentityDeps = {
  readonly storage: Storage;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly get: Get;
  readonly config: {
    /** What stands in `iss`; known once the server listens. */
    readonly issuer: () => string;
    readonly signingKeys: Secret | null;
  };
  /** Providers the user has connected: told in the MIT. */
  readonly connectedServices: (owner: Owner) => Promise<readonly string[]>;
  /** Deletes the user's provider tokens, and with `wholly` every word of the user besides; true when there were any. */
  readonly forgetConnections: (owner: Owner, actor: string, wholly: boolean) => Promise<boolean>;
};

export function createIdentity(deps: IdentityDeps): Identity {
  const { storage, vault, clock, config, connectedServices, forgetConnections } = deps;
  const store = createIdentityStore(storage, clock);
  const issuerStore = createIssuerStore(storage, clock);
  const keys = createSigningKeys({ storage, vault, clock, configured: config.signingKeys });
  const tokens = createTokens({ keys, issuer: config.issuer, clock });
  const verifier = createTokenVerifier({ tokens, family: store.family, clock });
  const subjects = createSubjectTokens({ find: issuerStore.find, get: deps.get, clock });
  storage.subscribe('identity', (payload) => {
    if (payload !== keysChanged) verifier.invalidate(JSON.parse(payload) as Revocation);
  });

  const tokenSet = async (asking: Asking, userId: string, sessionId: string, refresh_token: string) => {
    const owner = { developerId: asking.developerId, userId };
    const access_token = await tokens.mint({
      ...asking,
      userId,
      sessionId,
      connectedServices: await connectedServices(owner),
    });
    return { access_token, refresh_token, expires_in: lifeSeconds, token_type: 'Bearer' as const };
  };

  const issue = async (asking: Asking, userId: string, how: string): Promise<TokenSet> => {
    checkUserId(userId);
    const root = await keys.refreshRoot();
    const [id, salt, now] = [newId('fam'), newSalt(), clock.now()];
    const text = refreshTokenText(root, salt, id, 1);
    const family = { id, salt, digest: sha256Hex(text), ...newLife(now) };
    const owner = { developerId: asking.developerId, userId };
    await store.addFamily({ owner, actor: actorOf(asking), family, how });
    return tokenSet(asking, userId, id, text);
  };

  const introspectMit = async (asking: Asking, token: string): Promise<Introspection> => {
    const claims = await verifier.verify(token, asking.developerId);
    return {
      active: true,
      token_type: 'Bearer',
      iss: config.issuer(),
      aud: 'mcp-servers',
      sub: claims.userId,
      username: claims.userId,
      client_id: claims.keyId,
      jti: claims.tokenId,
      sid: claims.sessionId,
      iat: claims.issuedAt,
      exp: claims.expiresAt,
      developer_id: claims.developerId,
    };
  };

  return {
    issue: (asking, userId) => issue(asking, userId, 'user_id'),

    async exchange(asking, subjectToken) {
      return issue(asking, await subjects.userOf(asking.developerId, subjectToken), 'token-exchange');
    },

    async refresh(asking, refreshToken) {
      const token = parseRefreshToken(refreshToken);
      if (token === null) throw deadToken();
      const root = await keys.refreshRoot();
      const { userId, successor } = await store.changeFamily({
        id: token.family,
        actor: actorOf(asking),
        decide: (family) =>
          decide({
            family,
            token,
            text: refreshToken,
            root,
            developerId: asking.developerId,
            now: clock.now(),
          }),
      });
      if (successor === null) throw deadToken();
      return tokenSet(asking, userId, token.family, successor);
    },

    async revoke(asking, userId) {
      checkUserId(userId);
      const owner = { developerId: asking.developerId, userId };
      await store.revokeUser(owner, actorOf(asking));
      await forgetConnections(owner, actorOf(asking), false);
    },

    async deleteUser(asking, userId) {
      const owner = { developerId: asking.developerId, userId };
      // First: it writes to the audit trail about the user, whose name is cut out of it afterwards.
      const connected = await forgetConnections(owner, actorOf(asking), true);
      return (await store.deleteUser(owner, actorOf(asking))) || connected;
    },

    verify: verifier.verify,

    users: store.users,
    async introspect(asking, token) {
      try {
        if (!token.startsWith('rt_')) return await introspectMit(asking, token);
        const parsed = parseRefreshToken(token);
        const family = parsed === null ? undefined : await store.family(parsed.family);
        const alive =
          family !== undefined &&
          isAlive(family, asking.developerId, clock.now()) &&
          family.digest === sha256Hex(token);
        if (!alive) return { active: false };
        return {
          active: true,
          token_type: 'refresh_token',
          sub: family.user_id,
          sid: family.id,
          exp: Math.floor(family.idle_until / 1000),
          developer_id: family.developer_id,
        };
      } catch (error) {
        // RFC 7662 section 2.2: why a token is no good is not told.
        if (error instanceof Problem && error.kind === 'invalid_token') return { active: false };
        throw error;
      }
    },

    jwks: keys.published,

    issuers: {
      list: issuerStore.list,
      async add(asking, issuer) {
        const added = await issuerStore.add(asking.developerId, actorOf(asking), issuer);
        if (added !== undefined) return added;
        throw new Problem(
          'conflict',
          'issuer: registered already, or another one has the same user_prefix (users of two issuers must not share names)',
        );
      },
      async remove(asking, id) {
        if (!(await issuerStore.remove(asking.developerId, actorOf(asking), id)))
          throw new Problem('not_found', 'Issuer not found');
      },
    },

    async start() {
      await Promise.all([keys.current(), keys.refreshRoot()]);
    },
    async tend() {
      await keys.turn();
      await store.prune();
    },
  };
}

function actorOf({ keyId }: Asking): string {
  return `key:${keyId}`;
}

function deadToken(): Problem {
  return new Problem('invalid_grant', 'Invalid or expired refresh token');
}

/** Opaque, but nothing that could hide in a log or a page: no control or format characters, no lone surrogates. */
function checkUserId(userId: string): void {
  const count = [...userId].length;
  if (count >= 1 && count <= 256 && !/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(userId)) return;
  throw new Problem('invalid_request', 'user_id: expected 1 to 256 printable characters');
}
