import type { Clock } from '../../base/clock.ts';
import { Problem } from '../../base/problem.ts';
import type { Identity } from '../../identity/identity.ts';
import { accountIdOf, digestOf, type SignInStore } from '../sign-in-store.ts';
import type { CompanyDeps } from './company-accounts.ts';
import { type CompanyConfig, describePerson, type Person, PersonGone } from './person.ts';

const assertionType = 'oauth-id-jag+jwt';
/** Longer than clocks are apart. */
const keepJtiMs = 60_000;
/** Of a logout token that does not say. */
const logoutLifeMs = 120_000;
/** As when somebody signs in: a provider whose clock is minutes behind is to be heard when it signs somebody out. */
const logoutSkewSeconds = 300;
const logoutEvent = 'http://schemas.openid.net/event/backchannel-logout';

type Deps = Pick<CompanyDeps, 'config' | 'provider' | 'store' | 'clock' | 'access'> & {
  readonly identity: Pick<Identity, 'ensureUser' | 'verifyAssertion'>;
};

/** What the company's provider says by itself, signed. */
export function createCompanyAssertions({ config, provider, store, clock, access, identity }: Deps) {
  /**
   * The session that is named (section 2.7), else the person. By the last one of theirs the provider is asked about them: with it all of
   * theirs is over. An earlier one ends what was signed in by it; one that is not known is an earlier one of theirs perhaps.
   */
  const end = async (sub: unknown, sid: unknown): Promise<void> => {
    const { issuer } = config;
    const session = sid === undefined ? null : { issuer, sid: String(sid) };
    const last = session === null ? [] : await store.accountsAt(issuer, { sid: session.sid });
    if (last.length > 0) return store.endAccounts(last, { wholly: false });
    if (session !== null && (await store.endSession(session))) return;
    if (sub !== undefined)
      await store.endAccounts(await store.accountsAt(issuer, { subject: String(sub) }), { wholly: false });
  };
  return {
    /**
     * The account of whom the provider's assertion names, for this client and the resource that `check` lets pass. Each assertion
     * counts once; one that is refused makes nothing and is not used up. Throws `invalid_request`, `denied`.
     */
    async redeem(
      assertion: string,
      {
        clientId,
        audience,
        check,
      }: {
        readonly clientId: string;
        readonly audience: string;
        readonly check: (resource: string) => void;
      },
    ): Promise<string> {
      const claims = await identity.verifyAssertion(assertion, {
        issuer: config.issuer,
        audience,
        jwksUri: await provider.jwksUri(),
        requiredClaims: ['sub', 'exp', 'iat', 'jti', 'client_id', 'resource'],
        type: assertionType,
        field: 'assertion',
      });
      if (claims.client_id !== clientId)
        throw new Problem('invalid_request', 'assertion: made for another client');
      check(String(claims.resource));
      const said = readPerson(config, claims);
      const used = {
        kind: 'Assertion' as const,
        jti: String(claims.jti),
        expiresAt: Number(claims.exp) * 1_000,
      };
      if (!(await useOnce(store, clock, used)))
        throw new Problem('invalid_request', 'assertion: used before');
      const id = accountIdOf('assertion', config.issuer, said.subject);
      const developerId = await access.developerId(config.developer);
      await identity.ensureUser({ developerId, userId: said.subject });
      // Where it says nothing of groups, those of their own sign-in hold.
      const known = await store.account(accountIdOf('company', config.issuer, said.subject));
      await store.putAccount({
        id,
        developer_id: developerId,
        user_id: said.subject,
        key_id: null,
        issuer: config.issuer,
        subject: said.subject,
        sid: null,
        name: said.name,
        groups: said.groups === null ? (known?.groups ?? '[]') : JSON.stringify(said.groups),
        sealed: null,
      });
      return id;
    },

    /** The provider signs somebody out (OpenID Connect Back-Channel Logout 1.0). Throws `invalid_request`. */
    async logOut(logoutToken: string): Promise<void> {
      const { sub, sid, events, nonce, jti, exp, iat } = await identity.verifyAssertion(logoutToken, {
        issuer: config.issuer,
        audience: config.clientId,
        jwksUri: await provider.jwksUri(),
        requiredClaims: ['iat', 'jti', 'events'],
        skewSeconds: logoutSkewSeconds,
        field: 'logout_token',
      });
      const isLogout = typeof events === 'object' && events !== null && logoutEvent in events;
      // A nonce makes it an ID token (section 2.6).
      if (!isLogout || nonce !== undefined || (sub === undefined && sid === undefined))
        throw new Problem('invalid_request', 'logout_token: no logout token');
      // Some providers leave its end out (section 2.4 wants it): it is a short one then. A second time it signs nobody out again.
      const saidEnd = exp === undefined ? Number(iat) * 1_000 + logoutLifeMs : Number(exp) * 1_000;
      const endsAt = saidEnd + logoutSkewSeconds * 1_000;
      if (endsAt <= clock.now()) throw new Problem('invalid_request', 'logout_token: over');
      if (!(await useOnce(store, clock, { kind: 'Logout', jti: String(jti), expiresAt: endsAt })))
        throw new Problem('invalid_request', 'logout_token: used before');
      await end(sub, sid);
    },
  };
}

/** Each is good once, whichever replica it comes to. */
function useOnce(
  store: SignInStore,
  clock: Clock,
  {
    kind,
    jti,
    expiresAt,
  }: { readonly kind: 'Assertion' | 'Logout'; readonly jti: string; readonly expiresAt: number },
): Promise<boolean> {
  const row = { model: kind, id: digestOf(jti), grant_id: null, account_id: null, payload: '{}' };
  return store.addRecord({ ...row, expires_at: Math.max(expiresAt, clock.now()) + keepJtiMs });
}

function readPerson(config: CompanyConfig, claims: Readonly<Record<string, unknown>>): Person {
  try {
    return describePerson(config, claims);
  } catch (error) {
    if (error instanceof PersonGone) throw new Problem('denied', error.message);
    throw error;
  }
}
