import { randomBytes, timingSafeEqual } from 'node:crypto';
import * as oauth from 'oauth4webapi';
import type { Clock } from '../../base/clock.ts';
import { sha256Hex } from '../../base/id.ts';
import { Problem, type ProblemKind } from '../../base/problem.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import type { Vault } from '../../vault/vault.ts';
import type { AuthorizationServers } from '../authorization-servers/authorization-servers.ts';
import type { SessionRow, SessionStatus } from '../connection-rows.ts';
import type { ConsentOutcome, ConsentPage } from '../connections-model.ts';
import { callbackName, isOfKey, parseServerId, splitScopes } from '../grant-target.ts';
import type { Account } from '../providers/account.ts';
import { ownerOf } from '../tokens/grant-store.ts';
import { type TokenEndpoint, TokenEndpointFailure } from '../tokens/token-endpoint.ts';
import type { AppSettingsStore } from './app-settings-store.ts';
import { sessionLifeMs } from './authorization-sessions.ts';
import {
  authorizationUrl,
  type ConsentFlowState,
  ConsentRefusal,
  checkAuthorizationResponse,
  formSources,
} from './authorization-url.ts';
import type { Confirmations } from './confirmation.ts';
import type { ConnectionWriter, Consent } from './connection-writer.ts';
import type { KeyValues, OwnKeys } from './own-keys.ts';
import type { SessionStore } from './session-store.ts';

const browserPattern = /^[A-Za-z0-9_-]{43}$/;
const userDenied = 'User denied access';
/** Nobody finds out here which keys a server takes. */
const maxKeyTries = 10;
const tooManyKeys = 'Too many keys that the server did not take';
const mendable: ReadonlySet<ProblemKind> = new Set(['invalid_request', 'upstream_error']);
const strayCallback =
  'This answer belongs to no authorisation that this browser has open. It may have expired, or been used already.';

type Deps = {
  readonly store: SessionStore;
  readonly appSettings: AppSettingsStore;
  readonly writer: ConnectionWriter;
  readonly confirmations: Confirmations;
  readonly ownKeys: OwnKeys;
  readonly servers: AuthorizationServers;
  readonly endpoint: TokenEndpoint;
  readonly vault: Pick<Vault, 'seal' | 'open'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly publicUrl: () => string;
};

/** A form of our page, with the browser's cookie. */
type FormInput = { readonly link: string; readonly browser: string | null; readonly csrf: string };

/** What comes back from the provider, at whose callback, and the browser's cookie. */
type Callback = {
  readonly provider: string;
  readonly params: URLSearchParams;
  readonly browser: string | null;
};

/** The browser's way: our page -> the provider -> back to us. Nobody holds an API key here. */
export class ConsentFlow {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** `browser` is the cookie, if there is one. Throws not_found, or conflict when the session is over. */
  async show(link: string, browser: string | null): Promise<ConsentPage> {
    const row = await this.#openSession(link);
    const own = browser !== null && browserPattern.test(browser) ? browser : newSecret();
    if (row.browser_digest !== null && row.browser_digest !== sha256Hex(own)) throw otherBrowser();
    const { logo } = await this.#deps.appSettings.read(row.developer_id);
    const asked = { app: row.app_name, logo, user: row.user_id, csrf: csrfOf(link, own), browser: own };
    return { ...asked, ...(await this.#whatIsAsked(row)) };
  }

  async #whatIsAsked(row: SessionRow): Promise<Pick<ConsentPage, 'provider' | 'scopes' | 'asks' | 'formTo'>> {
    const { servers, ownKeys } = this.#deps;
    if (isOfKey(row)) {
      const asks = await ownKeys.asksOf(parseServerId(row.provider) ?? '');
      return { provider: servers.titleOf(row, row.title), scopes: [], asks, formTo: keyFormSources(row) };
    }
    const server = await servers.open(row, row.title);
    const provider = server.provider.title;
    return { provider, scopes: splitScopes(row.scopes), asks: null, formTo: formSources(server) };
  }

  /**
   * Agreed: where the browser goes now. A key is tried at once: how that ended, or why it was not taken, which may be mended
   * (`invalid_request`, `upstream_error`).
   */
  async agree(
    input: FormInput & { readonly values: KeyValues },
    signal: AbortSignal,
  ): Promise<
    { readonly to: string } | ConsentOutcome | { readonly fault: Problem; readonly page: ConsentPage }
  > {
    const { link, browser } = input;
    const row = await this.#openSession(link);
    requireOwnForm(input, browser);
    if (!isOfKey(row)) return { to: await this.#start(row, browser) };
    const fault = await this.#tryKey(row, browser, { values: input.values, signal });
    return fault instanceof Problem ? { fault, page: await this.show(link, browser) } : fault;
  }

  async #tryKey(
    row: SessionRow,
    browser: string,
    { values, signal }: { readonly values: KeyValues; readonly signal: AbortSignal },
  ): Promise<ConsentOutcome | Problem> {
    const { store, ownKeys } = this.#deps;
    if (row.tries >= maxKeyTries) {
      await store.fail(row, tooManyKeys, 'user');
      return this.#outcome(row, { status: 'error', error: tooManyKeys });
    }
    if (!(await store.beginTry(row, sha256Hex(browser), maxKeyTries))) throw otherBrowser();
    try {
      const serverId = parseServerId(row.provider) ?? '';
      const brought = { owner: ownerOf(row), serverId, account: row.account, values };
      return await this.#keep(row, await ownKeys.tryOut(brought, signal), 'sent');
    } catch (error) {
      if (!(error instanceof Problem) || !mendable.has(error.kind)) throw error;
      return error;
    }
  }

  async #start(row: SessionRow, browser: string): Promise<string> {
    const { store, servers, vault, publicUrl } = this.#deps;
    const server = await servers.open(row, row.title, row.status === 'sent');
    const state = newSecret();
    const flow: ConsentFlowState = {
      verifier: oauth.generateRandomCodeVerifier(),
      nonce: newSecret(),
      redirectUri: `${publicUrl()}/v1/identity/callback/${callbackName(row.provider)}`,
    };
    const url = await authorizationUrl(server, row, { state, flow });
    const isSent = await store.markSent(row, {
      browser_digest: sha256Hex(browser),
      state_digest: sha256Hex(state),
      flow_sealed: await vault.seal(JSON.stringify(flow), flowBinding(row)),
      issuer: server.metadata.issuer,
    });
    if (!isSent) throw otherBrowser();
    return url;
  }

  /** Not agreed to: nothing was sent anywhere. */
  async decline(input: FormInput): Promise<ConsentOutcome> {
    const row = await this.#openSession(input.link);
    requireOwnForm(input, input.browser);
    await this.#deps.store.fail(row, userDenied, 'user');
    return this.#outcome(row, { status: 'error', error: userDenied });
  }

  /** Throws invalid_request when the callback belongs to no session of this browser; nothing is sent then. */
  async finish(callback: Callback): Promise<ConsentOutcome> {
    const { store, vault, log } = this.#deps;
    const row = await this.#findSession(callback);
    if (row === undefined || !(await store.consumeState(row)))
      throw new Problem('invalid_request', strayCallback);
    try {
      const text = await vault.open(row.flow_sealed ?? '', flowBinding(row));
      const consent = await this.#exchange(row, callback.params, JSON.parse(text) as ConsentFlowState);
      return await this.#keep(row, consent, 'exchanging');
    } catch (error) {
      if (!(error instanceof ConsentRefusal))
        log.warn('connections.consent.failed', { session_id: row.id, provider: row.provider, error });
      const reason = toReason(error);
      await store.fail(row, reason, 'user');
      return this.#outcome(row, { status: 'error', error: reason });
    }
  }

  async #openSession(link: string): Promise<SessionRow> {
    const { store, clock } = this.#deps;
    const row = await store.byLink(sha256Hex(link));
    if (row === undefined)
      throw new Problem('not_found', 'This link is not known. Ask the app for a new one.');
    if (row.expires_at <= clock.now())
      throw new Problem('conflict', 'This link has expired. Ask the app for a new one.');
    if (row.status !== 'open' && row.status !== 'sent')
      throw new Problem('conflict', 'This link has been used. Ask the app for a new one.');
    return row;
  }

  /** One callback for each provider: an answer at another's is a mix-up (RFC 9700 section 4.4, threats F4). */
  async #findSession({ provider, params, browser }: Callback): Promise<SessionRow | undefined> {
    const state = params.get('state') ?? '';
    if (browser === null || !browserPattern.test(state)) return undefined;
    const row = await this.#deps.store.byState(sha256Hex(state));
    if (row === undefined || callbackName(row.provider) !== provider) return undefined;
    return isSame(sha256Hex(browser), row.browser_digest ?? '') ? row : undefined;
  }

  /** Everything between the callback and a stored grant; what it throws becomes the session's error. */
  async #exchange(row: SessionRow, params: URLSearchParams, flow: ConsentFlowState): Promise<Consent> {
    const { servers, endpoint, writer, clock } = this.#deps;
    const server = await servers.open(row, row.title);
    const checked = checkAuthorizationResponse(server, row, params);
    const at = clock.now();
    const asked = splitScopes(row.scopes);
    const { issued, account: told } = await endpoint.exchangeCode(server, {
      params: checked,
      redirectUri: flow.redirectUri,
      verifier: flow.verifier,
      nonce: asked.includes('openid') ? flow.nonce : null,
      wantsDPoP: row.proof === 1,
    });
    const account = row.account === null ? told : { ...told, id: row.account };
    const { provider, resource } = row;
    // A provider's issuer stands in its row of settings; a server's is part of what was consented to.
    const issuer = resource === null ? null : row.issuer;
    const consent = { owner: ownerOf(row), provider, account, issued, at, asked, issuer, resource };
    if (row.expected_account !== null && !isAccount(account, row.expected_account)) {
      await writer.discard(consent);
      throw new ConsentRefusal('Another account was connected than the app expects');
    }
    return consent;
  }

  async #keep(row: SessionRow, consent: Consent, from: SessionStatus): Promise<ConsentOutcome> {
    const { writer, confirmations } = this.#deps;
    const account = consent.account.label;
    if (row.require_confirmation === 0) {
      await writer.keep(consent, { session: row, from, actor: 'user' });
      return this.#outcome(row, { status: 'complete', account });
    }
    const completionCode = await confirmations.hold(row, consent, { from, forMs: sessionLifeMs });
    return this.#outcome(row, { status: 'awaiting_confirmation', account, completionCode });
  }

  #outcome(
    row: SessionRow,
    how: Pick<ConsentOutcome, 'status' | 'account' | 'error' | 'completionCode'>,
  ): ConsentOutcome {
    return {
      sessionId: row.id,
      app: row.app_name,
      provider: this.#deps.servers.titleOf(row, row.title),
      returnUrl: row.return_url,
      ...how,
    };
  }
}

function toReason(error: unknown): string {
  if (error instanceof ConsentRefusal) return error.message;
  if (error instanceof TokenEndpointFailure) return toTokenReason(error);
  if (error instanceof Problem && error.kind === 'conflict') return error.detail;
  return 'The provider did not give access: try again';
}

/** "Try again" stands only where trying again can help. */
function toTokenReason({ reason, words }: TokenEndpointFailure): string {
  switch (reason) {
    case 'misconfigured':
      return 'The provider does not accept this service as its client';
    case 'refused':
      return `The provider refused: ${words}`;
    case 'unusable':
      return `The provider's answer cannot be used: ${words}`;
    case 'invalid_grant':
    case 'transient':
      return 'The provider did not give access: try again';
  }
}

function isAccount({ id, email, domain }: Account, expected: string): boolean {
  const wanted = expected.toLowerCase();
  return id === expected || email?.toLowerCase() === wanted || domain?.toLowerCase() === wanted;
}

/** The form of our page, in the browser that was shown it; a page elsewhere knows neither (threats F8). */
function requireOwnForm(
  input: { readonly link: string; readonly csrf: string },
  browser: string | null,
): asserts browser is string {
  const { link, csrf } = input;
  if (browser === null || !browserPattern.test(browser) || !isSame(csrf, csrfOf(link, browser)))
    throw new Problem('invalid_request', 'Cookies are needed here: allow them and open the link again.');
}

/** The form stays here; the redirect behind it goes to the app. */
function keyFormSources({ return_url }: SessionRow): string {
  return return_url === null ? "'self'" : `'self' ${new URL(return_url).origin}`;
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

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function otherBrowser(): Problem {
  return new Problem(
    'conflict',
    'This link is open in another browser. Go on there, or ask the app for a new one.',
  );
}
