import { generateRandomCodeVerifier, generateRandomNonce } from 'oauth4webapi';
import { newId } from '../../base/id.ts';
import { Problem } from '../../base/problem.ts';
import type { Vault } from '../../vault/vault.ts';
import type { CompanyAccounts } from '../company/company-accounts.ts';
import type { Errand, IdentityProvider } from '../company/identity-provider.ts';
import { cookieValue, type OAuthCall } from '../oauth-request.ts';
import { digestOf, type SignInStore } from '../sign-in-store.ts';
import type { Consent } from './consent.ts';

const companyCallback = '/sign-in/callback';
const errandMs = 600_000;
/** As long as the longest cookie of our pages. */
const sessionMs = 12 * 3_600_000;
const purpose = 'sign-in company';

/** Where somebody signs in to: for a client, to the console, to their own page. */
type Purpose = { readonly client: string } | { readonly to: 'console' | 'me' };

/** Sealed in `state`; `browser` is the digest of the cookie that was set when the errand began. */
type Sealed = Omit<Errand, 'redirectUri' | 'state'> & {
  readonly for: Purpose;
  readonly browser: string;
};

/** From our page to the company's provider and back: one browser, one sign-in, one answer. */
export function createCompanySignIn(deps: {
  readonly provider: IdentityProvider;
  readonly accounts: CompanyAccounts;
  readonly consent: Consent;
  readonly store: SignInStore;
  /** Throws `invalid_api_key` for who has no role in the console. */
  readonly person: (accountId: string) => Promise<unknown>;
  readonly tickets: Vault['sealedTokens'];
  readonly publicUrl: () => string;
}) {
  const { provider, accounts, consent, store, person: requirePerson, tickets, publicUrl } = deps;
  const redirectUri = () => `${publicUrl()}${companyCallback}`;
  // `__Host-`: not to be planted by a neighbour; so its path is the root.
  const cookieName = () => `${publicUrl().startsWith('https:') ? '__Host-' : ''}mcprank-sign-in-company`;
  const cookie = (value: string, seconds: number) => {
    const [path, secure] = publicUrl().startsWith('https:') ? ['/', '; Secure'] : [companyCallback, ''];
    return `${cookieName()}=${value}; Path=${path}; HttpOnly; SameSite=Lax; Max-Age=${seconds}${secure}`;
  };
  const depart = async (purposeOf: Purpose) => {
    const browser = generateRandomNonce();
    const errand = { for: purposeOf, nonce: generateRandomNonce(), verifier: generateRandomCodeVerifier() };
    const sealed: Sealed = { ...errand, browser: digestOf(browser) };
    const state = tickets.seal(JSON.stringify(sealed), purpose, errandMs);
    const location = await provider.authorizationUrl({ ...errand, redirectUri: redirectUri(), state });
    return { location, cookie: cookie(browser, errandMs / 1_000) };
  };
  return {
    /** Where the browser goes, with the cookie by which it is known again. Throws `not_found`, `upstream_error`. */
    async begin(uid: string, headers: OAuthCall['headers']) {
      await consent.show(uid, headers);
      return depart({ client: uid });
    },

    /** The same for somebody at a page of ours. */
    beginAt: (to: 'console' | 'me') => depart({ to }),

    /** Where it goes on from the way back, and at a page of ours who it is. Throws `invalid_request`, `denied`, `not_found`, `upstream_error`. */
    async finish(query: URLSearchParams, headers: OAuthCall['headers']) {
      const state = query.get('state') ?? '';
      const opened = tickets.open(state, purpose);
      const errand = opened === null ? null : (JSON.parse(opened) as Sealed);
      const browser = cookieValue(headers, cookieName());
      if (errand === null || browser === null || digestOf(browser) !== errand.browser)
        throw new Problem(
          'invalid_request',
          'This sign-in is over, or was begun in another browser: start again in your app',
        );
      const back = { ...errand, redirectUri: redirectUri(), state };
      const { person, tokens } = await provider.finish(query, back);
      const account = await accounts.accountFor(person, tokens);
      const over = cookie('', 0);
      if ('client' in errand.for)
        return { cookie: over, location: await consent.agreeAs(errand.for.client, account), at: null };
      await store.putAccount(account);
      const { to } = errand.for;
      if (to === 'console') await requirePerson(account.id).catch(asNoRole);
      const { id: accountId, developer_id: developerId, user_id: userId } = account;
      const id = newId('sess');
      await store.putSignIn({ id, account, lifeMs: sessionMs });
      const session = `${accountId}@${id}`;
      return { cookie: over, location: '/', at: { to, accountId, session, developerId, userId } };
    },
  };
}

function asNoRole(error: unknown): never {
  if (!(error instanceof Problem) || error.kind !== 'invalid_api_key') throw error;
  throw new Problem('missing_role', 'None of your groups has a role in the console: ask whoever runs it');
}
