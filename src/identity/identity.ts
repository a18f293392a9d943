/**
 * Who an app acts for: issues, refreshes, revokes and checks user tokens (the contract's MIT), and rotates their keys.
 *
 * Promises: a user token says exactly one user of one developer and is checked from memory; what is revoked is dead here at once
 * and elsewhere within a second, also after a restart; a refresh token works once, its lost reply can be asked for
 * again for thirty seconds, and a stolen one ends its family; keys change without one refused token.
 * When the store is down, tokens checked within the last minute go on working, everything else is `unavailable`. When a key
 * service is down, what was opened stays usable. When an app's own identity provider is down, its last keys go on
 * being used, and without any the exchange is `upstream_error`.
 */
import { keyActor } from '../base/actor.ts';
import type { Clock } from '../base/clock.ts';
import { Problem } from '../base/problem.ts';
import type { Secret } from '../base/secret.ts';
import type { Storage } from '../storage/storage.ts';
import type { Vault } from '../vault/vault.ts';
import type { Get } from './exchange/issuer-keys.ts';
import { createIssuerStore, type Issuer, type NewIssuer } from './exchange/issuer-store.ts';
import {
  createAssertionVerifier,
  createSubjectTokens,
  type VerifyAssertion,
} from './exchange/subject-token.ts';
import type { Actor, Owner, Revocation } from './identity-model.ts';
import { type Introspection, introspect } from './introspection.ts';
import { keysChanged } from './keys/signing-key-store.ts';
import { createSigningKeys, type Jwks } from './keys/signing-keys.ts';
import { FamilyStore } from './refresh/family-store.ts';
import { checkUserId, issueTokens, refreshTokens, type TokenSet } from './token-issue.ts';
import { createTokenVerifier } from './token-verifier.ts';
import { type ListedUser, type UserQuery, UserStore } from './user-store.ts';
import { createUserTokens, type User } from './user-token.ts';

export type { Introspection } from './introspection.ts';
export { sealedColumns } from './keys/signing-key-store.ts';
export { jwksMaxAgeSeconds } from './keys/signing-keys.ts';
export type { TokenSet } from './token-issue.ts';
export type { User } from './user-token.ts';

export type Identity = {
  /** Tokens for a user, who is made when unknown. */
  issue(actor: Actor, userId: string): Promise<TokenSet>;
  /** The same for whoever the app's own identity provider vouches for (RFC 8693). */
  exchange(actor: Actor, subjectToken: string): Promise<TokenSet>;
  /** Throws `invalid_grant`. */
  refresh(actor: Actor, refreshToken: string): Promise<TokenSet>;
  /** Makes a user known before there are tokens. Throws `invalid_request`. */
  ensureUser(owner: Owner): Promise<void>;
  /** Everything of the user dies; revoking an unknown user is no error. */
  revoke(actor: Actor, userId: string): Promise<void>;
  /** Removes what is stored about the user; false when there was nothing. */
  deleteUser(actor: Actor, userId: string): Promise<boolean>;
  /** Users of one developer or of all, for the operator. */
  listUsers(query: UserQuery): Promise<readonly ListedUser[]>;
  /** The user behind a user token presented with this developer's key. Throws `invalid_token`. */
  verify(token: string, developerId: string): Promise<User>;
  readonly verifyAssertion: VerifyAssertion;
  introspect(actor: Actor, token: string): Promise<Introspection>;
  jwks(): Promise<Jwks>;
  readonly issuers: IdentityIssuers;
  /** Loads the keys, or makes the first ones. */
  start(): Promise<void>;
  /** The background work, for one process at a time: rotates the signing keys and drops families that are over. */
  runMaintenance(): Promise<void>;
};

export type IdentityIssuers = {
  list(developerId: string): Promise<Issuer[]>;
  /** Throws `conflict`. */
  add(actor: Actor, issuer: NewIssuer): Promise<Issuer>;
  /** Throws `not_found`. */
  remove(actor: Actor, id: string): Promise<void>;
};

export type IdentityDeps = {
  readonly storage: Storage;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly get: Get;
  /** To the company's provider, whose host is trusted. */
  readonly getOfCompany: Get;
  readonly config: {
    /** What stands in `iss`; known once the server listens. */
    readonly issuer: () => string;
    readonly signingKeys: Secret | null;
  };
  /** Providers the user has connected: told in the user token. */
  readonly connectedServices: (owner: Owner) => Promise<readonly string[]>;
  /** Deletes the user's provider tokens, and with `wholly` every word of the user besides; true when there were any. */
  readonly forgetConnections: (owner: Owner, actor: string, wholly: boolean) => Promise<boolean>;
};

export function createIdentity(deps: IdentityDeps): Identity {
  const { storage, vault, clock, config, connectedServices, forgetConnections } = deps;
  const { issuer } = config;
  const families = new FamilyStore(storage, clock);
  const users = new UserStore(storage, clock);
  const issuers = createIssuerStore(storage, clock);
  const keys = createSigningKeys({ storage, vault, clock, configured: config.signingKeys });
  const tokens = createUserTokens({ keys, issuer, clock });
  const verifier = createTokenVerifier({ tokens, findFamily: (id) => families.find(id), clock });
  const verify = createAssertionVerifier(deps.get, clock);
  const subjects = createSubjectTokens({ find: issuers.find, verify });
  const issuing = { families, keys, tokens, clock, connectedServices };
  storage.subscribe('identity', (payload) => {
    if (payload !== keysChanged) verifier.invalidate(JSON.parse(payload) as Revocation);
  });

  return {
    issue: (actor, userId) => issueTokens(issuing, actor, { userId, how: 'user_id' }),
    async exchange(actor, subjectToken) {
      const userId = await subjects.resolveUser(actor.developerId, subjectToken);
      return issueTokens(issuing, actor, { userId, how: 'token-exchange' });
    },
    refresh: (actor, refreshToken) => refreshTokens(issuing, actor, refreshToken),

    async ensureUser(owner) {
      checkUserId(owner.userId);
      await users.ensure(owner);
    },
    async revoke(actor, userId) {
      checkUserId(userId);
      const owner = { developerId: actor.developerId, userId };
      await users.revoke(owner, keyActor(actor));
      await forgetConnections(owner, keyActor(actor), false);
    },
    async deleteUser(actor, userId) {
      const owner = { developerId: actor.developerId, userId };
      // First: it writes to the audit trail about the user, whose name is cut out of it afterwards.
      const wasConnected = await forgetConnections(owner, keyActor(actor), true);
      return (await users.delete(owner, keyActor(actor))) || wasConnected;
    },
    listUsers: (query) => users.list(query),

    verify: verifier.verify,
    verifyAssertion: createAssertionVerifier(deps.getOfCompany, clock),
    introspect: (actor, token) => introspect({ verifier, families, issuer, clock }, actor, token),
    jwks: keys.published,
    issuers: createIssuers(issuers),

    async start() {
      await Promise.all([keys.current(), keys.refreshRoot()]);
    },
    async runMaintenance() {
      await keys.rotate();
      await families.deleteExpired();
    },
  };
}

function createIssuers(store: ReturnType<typeof createIssuerStore>): IdentityIssuers {
  return {
    list: store.list,
    async add(actor, issuer) {
      const added = await store.add(actor.developerId, keyActor(actor), issuer);
      if (added !== undefined) return added;
      throw new Problem(
        'conflict',
        'issuer: registered already, or another one has the same user_prefix (users of two issuers must not share names)',
      );
    },
    async remove(actor, id) {
      if (!(await store.remove(actor.developerId, keyActor(actor), id)))
        throw new Problem('not_found', 'Issuer not found');
    },
  };
}
