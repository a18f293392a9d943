import { randomBytes, timingSafeEqual } from 'node:crypto';
import * as oauth from 'oauth4webapi';
import type { Clock } from '../../base/clock.ts';
import { sha256Hex } from '../../base/id.ts';
import { Problem } from '../../base/problem.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import type { Vault } from '../../vault/vault.ts';
import { type Authority, AuthorityFailure } from '../grants/authority.ts';
import type { Consent } from '../grants/grants.ts';
import type { Account, TokenCalls } from '../grants/tokens.ts';
import type { LandingPage, Outcome } from '../model.ts';
import type { Parties } from '../servers/parties.ts';
import { callbackOf } from '../servers/resource.ts';
import type { SessionRow } from '../tables.ts';
import type { Keeper } from './keeper.ts';
import type { SessionStore } from './session-store.ts';
import { sessionLifeMs } from './sessions.ts';

/** The browser's way: our page -> the provider -> back to us. Nobody holds an API key here. */
export type ConsentPages = {
  /** `browser` is the cookie, if there is one. Throws not_found, or conflict when the session is over. */
  landing(link: string, browser: string | null): Promise<LandingPage>;
  /** Agreed: where the browser goes now. */
  start(input: { link: string; browser: string | null; csrf: string }): Promise<string>;
  /** Throws invalid_request when the callback belongs to no session of this browser; nothing is sent then. */
  callback(input: { provider: string; params: URLSearchParams; browser: string | null }): Promise<Outcome>;
};

/** What is kept between the redirect and the callback, sealed. */
type Flow = { readonly verifier: string; readonly nonce: string; readonly redirectUri: string };

const browserPattern = /^[A-Za-z0-9_-]{43}$/;
const strayCallback =
  'This answer belongs to no authorisation that this browser has open. It may have expired, or been used already.';

export function createConsentPages(deps: {
  readonly store: SessionStore;
  readonly keeper: Keeper;
  readonly parties: Parties;
  readonly calls: TokenCalls;
  readonly vault: Pick<Vault, 'seal' | 'open'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly publicUrl: () => string;
}): ConsentPages {
  const { store, keeper, parties, calls, vault, clock, log, publicUrl } = deps;

  const sessionOf = async (link: string): Promise<SessionRow> => {
    const row = await store.byLink(sha256Hex(link));
    if (row === undefined)
      throw new Problem('not_found', 'This link is not known. Ask the app for a new one.');
    if (row.expires_at <= clock.now())
      throw new Problem('conflict', 'This link has expired. Ask the app for a new one.');
    if (row.status !== 'open' && row.status !== 'sent')
      throw new Problem('conflict', 'This link has been used. Ask the app for a new one.');
    return row;
  };

  /** Everything between the callback and a stored grant; what it throws becomes the session's error. */
  const exchange = async (row: SessionRow, params: URLSearchParams, flow: Flow): Promise<Consent> => {
    const authority = await parties.of(row, row.title);
    const checked = checkReply(authority, row, params);
    const at = clock.now();
    const asked = row.scopes.split(' ').filter((scope) => scope !== '');
    const nonce = asked.includes('openid') ? flow.nonce : null;
    const { redirectUri, verifier } = flow;
    const { issued, account } = await calls.exchangeCode(authority, {
      params: checked,
      redirectUri,
      verifier,
      nonce,
      proof: row.proof === 1,
    });
    const owner = { developerId: row.developer_id, userId: row.user_id };
    const { provider, issuer, resource } = row;
    // A provider's issuer stands in its row of settings; a server's is part of what was consented to.
    const bound = resource === null ? { issuer: null, resource } : { issuer, resource };
    const consent = { owner, provider, account, issued, at, asked, ...bound };
    if (row.expected_account !== null && !isAccount(account, row.expected_account)) {
      await keeper.discard(consent);
      throw new Refusal('Another account was connected than the app expects');
    }
    return consent;
  };

  const outcomeOf = (row: SessionRow, status: Outcome['status'], more: Partial<Outcome> = {}): Outcome => ({
    sessionId: row.id,
    status,
    app: row.app_name,
    provider: parties.titleOf(row, row.title),
    ...(row.return_url === null ? {} : { returnTo: returnTo(row.return_url, row.id, status) }),
    ...more,
  });

  const fail = async (row: SessionRow, error: string): Promise<Outcome> => {
    await store.fail(row, error, 'user');
    return outcomeOf(row, 'error', { error });
  };

  return {
    async landing(link, known) {
      const row = await sessionOf(link);
      const browser = known !== null && browserPattern.test(known) ? known : newSecret();
      if (row.browser_digest !== null && row.browser_digest !== sha256Hex(browser)) throw otherBrowser();
      const authority = await parties.of(row, row.title);
      return {
        app: row.app_name,
        user: row.user_id,
        provider: authority.provider.title,
        scopes: row.scopes.split(' ').filter((scope) => scope !== ''),
        formTo: formSources(authority),
        csrf: csrfOf(link, browser),
        browser,
      };
    },

    async start({ link, browser, csrf }) {
      const row = await sessionOf(link);
      // The form of our page, in the browser that was shown it; a page elsewhere knows neither (threats F8).
      if (browser === null || !browserPattern.test(browser) || !same(csrf, csrfOf(link, browser)))
        throw new Problem('invalid_request', 'Cookies are needed here: allow them and open the link again.');
      const authority = await parties.of(row, row.title);
      const state = newSecret();
      const flow: Flow = {
        verifier: oauth.generateRandomCodeVerifier(),
        nonce: newSecret(),
        redirectUri: `${publicUrl()}/v1/identity/callback/${callbackOf(row.provider)}`,
      };
      const target = await authorizationUrl(authority, row, state, flow);
      const sent = await store.send(row, {
        browser_digest: sha256Hex(browser),
        state_digest: sha256Hex(state),
        flow_sealed: await vault.seal(JSON.stringify(flow), flowBinding(row)),
        issuer: authority.server.issuer,
      });
      if (!sent) throw otherBrowser();
      return target;
    },

    async callback({ provider, params, browser }) {
      const state = params.get('state') ?? '';
      const row = browserPattern.test(state) ? await store.byState(sha256Hex(state)) : undefined;
      // One callback for each provider: an answer at another's is a mix-up (RFC 9700 section 4.4, threats F4).
      const fits =
        row !== undefined &&
        callbackOf(row.provider) === provider &&
        browser !== null &&
        same(sha256Hex(browser), row.browser_digest ?? '');
      if (!fits || !(await store.consume(row))) throw new Problem('invalid_request', strayCallback);
      try {
        const flow = JSON.parse(await vault.open(row.flow_sealed ?? '', flowBinding(row))) as Flow;
        const consent = await exchange(row, params, flow);
        const account = consent.account.label;
        if (row.require_confirmation === 0) {
          await keeper.keep(row, 'exchanging', consent, 'user');
          return outcomeOf(row, 'complete', { account });
        }
        const completionCode = await keeper.hold(row, consent, sessionLifeMs);
        return outcomeOf(row, 'awaiting_confirmation', { account, completionCode });
      } catch (error) {
        if (!(error instanceof Refusal))
          log.warn('a consent could not be completed', { session: row.id, provider, error });
        return fail(row, reasonOf(error));
      }
    },
  };
}

/** Words for the session and its page. */
class Refusal extends Error {}

/** `iss` is compared before any token call (RFC 9207, threats F3), for errors too. */
function checkReply(authority: Authority, row: SessionRow, params: URLSearchParams): URLSearchParams {
  const { server, client, provider } = authority;
  if (row.issuer !== server.issuer) throw new Refusal('The provider was changed while the user was away');
  const compared = new URLSearchParams(params);
  // Without an issuer in its row there is nothing to compare with.
  if (provider.issuer === null) compared.delete('iss');
  try {
    return oauth.validateAuthResponse(server, client, compared, oauth.skipStateCheck);
  } catch (error) {
    if (!(error instanceof oauth.AuthorizationResponseError)) throw error;
    if (error.error === 'access_denied') throw new Refusal('User denied access');
    // Whatever came in the URL is not to be trusted, least of all its description (threats F6).
    const code = /^[a-z_]{1,40}$/.test(error.error) ? error.error : 'an unknown error';
    throw new Refusal(`The provider refused: ${code}`);
  }
}

async function authorizationUrl(
  { server, client, provider, resource }: Authority,
  row: SessionRow,
  state: string,
  flow: Flow,
): Promise<string> {
  const url = URL.parse(server.authorization_endpoint ?? '');
  // From metadata of others: never `javascript:` or the like (threats F14).
  // A user name before the host is there to look like another host.
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '')
    throw new Problem('upstream_error', `The metadata of ${provider.title} has no usable authorization URL`);
  const params = {
    ...provider.authorizationParams,
    client_id: client.client_id,
    response_type: 'code',
    redirect_uri: flow.redirectUri,
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(flow.verifier),
    code_challenge_method: 'S256',
    ...(resource === null ? {} : { resource }),
    ...(row.scopes === '' ? {} : { [provider.scopeParameter]: row.scopes }),
    ...(row.scopes.split(' ').includes('openid') ? { nonce: flow.nonce } : {}),
  };
  for (const [name, value] of Object.entries(params)) url.searchParams.set(name, value);
  return url.href;
}

/** Providers send browsers on to hosts of their own and of their customers, so any https; http only where the operator has it. */
function formSources({ server }: Authority): string {
  const origin = new URL(server.authorization_endpoint ?? server.issuer).origin;
  return origin.startsWith('https:') ? "'self' https:" : `'self' https: ${origin}`;
}

function reasonOf(error: unknown): string {
  if (error instanceof Refusal) return error.message;
  if (error instanceof AuthorityFailure && error.reason === 'misconfigured')
    return 'The provider does not accept this service as its client';
  if (error instanceof Problem && error.kind === 'conflict') return error.detail;
  return 'The provider did not give access: try again';
}

function returnTo(url: string, sessionId: string, status: string): string {
  return `${url}?${new URLSearchParams({ session_id: sessionId, status })}`;
}

function isAccount({ id, email, domain }: Account, expected: string): boolean {
  const wanted = expected.toLowerCase();
  return id === expected || email?.toLowerCase() === wanted || domain?.toLowerCase() === wanted;
}

function flowBinding(row: SessionRow): string[] {
  return ['session', row.developer_id, row.user_id, row.provider, row.id, 'flow'];
}

function csrfOf(link: string, browser: string): string {
  return sha256Hex(`csrf\n${link}\n${browser}`);
}

function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

function same(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function otherBrowser(): Problem {
  return new Problem(
    'conflict',
    'This link is open in another browser. Go on there, or ask the app for a new one.',
  );
}
