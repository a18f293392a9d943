import type { Access, Principal } from '../../access/access.ts';
import type { Clock } from '../../base/clock.ts';
import { Problem } from '../../base/problem.ts';
import type { AssertFor, Owner } from '../../connections/connections.ts';
import type { Identity } from '../../identity/identity.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import type { Vault } from '../../vault/vault.ts';
import { type AccountRow, accountIdOf, type SignInStore } from '../sign-in-store.ts';
import type { CompanyTokens } from './company-tokens.ts';
import type { IdentityProvider } from './identity-provider.ts';
import { type CompanyConfig, type Person, PersonGone } from './person.ts';

/** Of somebody who is at work the provider is asked this often, so that who was removed is out within a minute. */
const askEveryMs = 30_000;
/** Longer than it may take: after that, whoever was asking is gone. */
const longestAskMs = 60_000;
/** What people may who have no key. */
const scopes = ['search', 'mcp'];
const tier = 'pro';

export type CompanyDeps = {
  readonly config: CompanyConfig;
  readonly provider: IdentityProvider;
  readonly store: SignInStore;
  readonly clock: Clock;
  readonly vault: Pick<Vault, 'seal' | 'open'>;
  readonly access: Pick<Access, 'developerId' | 'perMinute'>;
  readonly identity: Pick<Identity, 'ensureUser'>;
  readonly log: Log;
};

export type AccountHolder = {
  readonly principal: Principal;
  readonly groups: readonly string[];
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** It has to be asked for again by then. */
  readonly askAgainAt: number;
};

/** The people of the company's provider: made at their first sign-in, asked about while they are at work, out when it says so. */
export function createCompanyAccounts(deps: CompanyDeps) {
  const { config, provider, store, clock, vault, access, identity, log } = deps;
  const bindingOf = (id: string) => ['sign-in', 'account', id];
  const seal = async (id: string, tokens: CompanyTokens) => vault.seal(JSON.stringify(tokens), bindingOf(id));

  /** What it says of them now. A refresh token that turns is good once: they are asked about one at a time. Throws `invalid_api_key` for who is gone. */
  const ask = async (account: AccountRow): Promise<AccountRow> => {
    const { id, subject, sealed } = account;
    // Who came by an assertion has no token to ask with; what they hold is over in minutes.
    if (sealed === null || subject === null) return account;
    const at = clock.now();
    if (isBeingAsked(account, at) || !(await store.claimCheck(account, at))) return account;
    try {
      const tokens = JSON.parse(await vault.open(sealed, bindingOf(id))) as CompanyTokens;
      const said = await provider.again(subject, tokens);
      const renewed = { groups: groupsAfter(account, said.person), sealed: await seal(id, said.tokens) };
      await store.endCheck(id, at, renewed);
      return { ...account, ...renewed };
    } catch (error) {
      const isSame = await store.endCheck(id, at);
      if (!(error instanceof PersonGone)) throw error;
      if (isSame) await store.endAccounts([id], { wholly: false });
      log.info('sign_in.account.ended', { account_id: id, reason: error.message });
      throw gone();
    }
  };

  const principalOf = async (account: AccountRow): Promise<AccountHolder> => ({
    principal: {
      keyId: account.id,
      developerId: account.developer_id,
      developer: config.developer,
      scopes: new Set(scopes),
      tier,
      perMinute: access.perMinute(tier),
      addresses: null,
    },
    groups: JSON.parse(account.groups) as string[],
    expiresAt: Number.POSITIVE_INFINITY,
    askAgainAt: clock.now() + askEveryMs,
  });

  return {
    /** The account of a person who signed in; their first time makes them a user. */
    async accountFor(person: Person, tokens: CompanyTokens) {
      const developerId = await access.developerId(config.developer);
      const id = accountIdOf('company', config.issuer, person.subject);
      await identity.ensureUser({ developerId, userId: person.subject });
      return {
        id,
        developer_id: developerId,
        user_id: person.subject,
        key_id: null,
        issuer: config.issuer,
        subject: person.subject,
        sid: person.sid,
        name: person.name,
        groups: JSON.stringify(person.groups ?? []),
        sealed: await seal(id, tokens),
      };
    },

    /** The provider's word for one of its people, towards others; null: it is none of them, or it gives none. */
    async assertFor(
      { developerId, userId }: Owner,
      wanted: Parameters<AssertFor>[1],
    ): Promise<string | null> {
      const account = config.takesAssertions
        ? await store.account(accountIdOf('company', config.issuer, userId))
        : undefined;
      if (account === undefined || account.ended_at !== null || account.sealed === null) return null;
      if (account.developer_id !== developerId) return null;
      const tokens = JSON.parse(await vault.open(account.sealed, bindingOf(account.id))) as CompanyTokens;
      return provider.assertion(tokens, wanted);
    },

    /**
     * Whom an account stands for, if the provider still says so. While it is away, what it said last holds; with `strict` that is
     * `upstream_error`. Throws `invalid_api_key` for who is gone.
     */
    async holderOf(account: AccountRow, { strict = false } = {}): Promise<AccountHolder> {
      if (account.issuer !== config.issuer) throw gone();
      if (!strict && Math.abs(account.checked_at) + askEveryMs > clock.now()) return principalOf(account);
      try {
        return await principalOf(await ask(account));
      } catch (error) {
        if (!(error instanceof Problem) || error.kind !== 'upstream_error' || strict) throw error;
        log.warn('sign_in.company.unreachable', { account_id: account.id, error });
        return principalOf(account);
      }
    },
  };
}

/** Where it says nothing of groups, what it said last. */
function groupsAfter(account: AccountRow, { groups }: Person): string {
  return groups === null ? account.groups : JSON.stringify(groups);
}

function isBeingAsked({ checked_at: at }: AccountRow, now: number): boolean {
  return at < 0 && now + at < longestAskMs;
}

export type CompanyAccounts = ReturnType<typeof createCompanyAccounts>;

function gone(): Problem {
  return new Problem('invalid_api_key', 'This account may not sign in any more');
}
