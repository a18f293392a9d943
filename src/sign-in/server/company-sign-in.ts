import { generateRandomCodeVerifier, generateRandomNonce } from 'oauth4webapi';
import { Problem } from '../../base/problem.ts';
import type { Vault } from '../../vault/vault.ts';
import type { CompanyAccounts } from '../company/company-accounts.ts';
import type { Errand, IdentityProvider } from '../company/identity-provider.ts';
import { cookieValue, type OAuthCall } from '../oauth-request.ts';
import { digestOf } from '../sign-in-store.ts';
import type { Consent } from './consent.ts';

const cookieName = 'mcprank-sign-in-company';
const companyCallback = '/sign-in/callback';
const errandMs = 600_000;
const purpose = 'sign-in company';

/** Sealed in `state`; `browser` is the digest of the cookie that was set when the errand began. */
type Sealed = Omit<Errand, 'redirectUri' | 'state'> & { readonly uid: string; readonly browser: string };

/** From our page to the company's provider and back: one browser, one sign-in, one answer. */
export function createCompanySignIn(deps: {
  readonly provider: IdentityProvider;
  readonly accounts: CompanyAccounts;
  readonly consent: Consent;
  readonly tickets: Vault['sealedTokens'];
  readonly publicUrl: () => string;
}) {
  const { provider, accounts, consent, tickets, publicUrl } = deps;
  const redirectUri = () => `${publicUrl()}${companyCallback}`;
  const cookie = (value: string, seconds: number) => {
    const secure = publicUrl().startsWith('https:') ? '; Secure' : '';
    return `${cookieName}=${value}; Path=${companyCallback}; HttpOnly; SameSite=Lax; Max-Age=${seconds}${secure}`;
  };
  return {
    /** Where the browser goes, with the cookie by which it is known again. Throws `not_found`, `upstream_error`. */
    async begin(uid: string, headers: OAuthCall['headers']) {
      await consent.show(uid, headers);
      const browser = generateRandomNonce();
      const errand = { uid, nonce: generateRandomNonce(), verifier: generateRandomCodeVerifier() };
      const sealed: Sealed = { ...errand, browser: digestOf(browser) };
      const state = tickets.seal(JSON.stringify(sealed), purpose, errandMs);
      const location = await provider.authorizationUrl({ ...errand, redirectUri: redirectUri(), state });
      return { location, cookie: cookie(browser, errandMs / 1_000) };
    },

    /** Where it goes on from the way back. Throws `invalid_request`, `denied`, `not_found`, `upstream_error`. */
    async finish(query: URLSearchParams, headers: OAuthCall['headers']) {
      const state = query.get('state') ?? '';
      const opened = tickets.open(state, purpose);
      const errand = opened === null ? null : (JSON.parse(opened) as Sealed);
      const browser = cookieValue(headers, cookieName);
      if (errand === null || browser === null || digestOf(browser) !== errand.browser)
        throw new Problem(
          'invalid_request',
          'This sign-in is over, or was begun in another browser: start again in your app',
        );
      const back = { ...errand, redirectUri: redirectUri(), state };
      const { person, tokens } = await provider.finish(query, back);
      const account = await accounts.accountFor(person, tokens);
      return { location: await consent.agreeAs(errand.uid, account), cookie: cookie('', 0) };
    },
  };
}
