import { randomBytes } from 'node:crypto';
import { accountNameForm, isAccountName } from '../../base/account-name.ts';
import type { Clock } from '../../base/clock.ts';
import { newId, sha256Hex } from '../../base/id.ts';
import { Problem } from '../../base/problem.ts';
import type {
  AuthorizationServers,
  AuthorizationTarget,
} from '../authorization-servers/authorization-servers.ts';
import type { ChangeSignal } from '../change-signal.ts';
import type { SessionRow } from '../connection-rows.ts';
import type {
  OpenedSession,
  ServerTarget,
  SessionRequest,
  SessionResult,
  SessionState,
} from '../connections-model.ts';
import { isOfKey } from '../grant-target.ts';
import { isScope } from '../providers/oauth-provider.ts';
import { grantNamed, type UserGrants } from '../tokens/user-grants.ts';
import type { AppSettings, AppSettingsStore } from './app-settings-store.ts';
import type { SessionStore } from './session-store.ts';

export const sessionLifeMs = 300_000;
/** To find a key in another tab takes longer than to agree. */
const keySessionLifeMs = 900_000;
export const sessionExpired = 'Session expired';
const maxScopes = 100;
/** Long polls of one developer at once; each is a socket and a timer (threats G6). */
const maxWaiting = 200;
const maxWaitMs = 60_000;
/** For the notice that gets lost. */
const pollMs = 1_000;

type Deps = {
  readonly store: SessionStore;
  readonly appSettings: AppSettingsStore;
  readonly servers: AuthorizationServers;
  readonly userGrants: UserGrants;
  readonly signal: ChangeSignal;
  readonly clock: Clock;
  readonly publicUrl: () => string;
};

/** Sessions as apps see them: opened, polled, waited for. */
export class AuthorizationSessions {
  readonly #deps: Deps;
  /** Long polls under way, by developer. */
  readonly #waiting = new Map<string, number>();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Throws invalid_request, and what `providerTarget` and `serverTarget` throw. */
  async open(request: SessionRequest): Promise<OpenedSession> {
    const { store, appSettings, servers, clock, publicUrl } = this.#deps;
    checkScopes(request.scopes);
    checkAccount(request);
    const settings = await appSettings.read(request.owner.developerId);
    checkReturnUrl(request.returnUrl, settings);
    const target =
      'serverId' in request.target
        ? await servers.serverTarget(await this.#doubted(request, request.target), request.scopes)
        : servers.providerTarget(request.target.provider, request.scopes);
    const link = randomBytes(32).toString('base64url');
    const row = newSessionRow(request, { target, settings, link, now: clock.now() });
    await store.insert(row);
    const authUrl = `${publicUrl()}/v1/identity/connect/${link}`;
    return { sessionId: row.id, authUrl, expiresAt: row.expires_at };
  }

  async #doubted({ owner, account }: SessionRequest, target: ServerTarget): Promise<ServerTarget> {
    const grant = grantNamed(await this.#deps.userGrants.byServer(owner), target.serverId, account);
    return grant?.status === 'needs_reauth' ? { ...target, isDoubtful: true } : target;
  }

  /** Throws not_found. */
  async get(developerId: string, id: string): Promise<SessionState> {
    const { store, clock } = this.#deps;
    // Another developer's session and one that never was are the same to the asker (threats G1).
    const row = await store.ofDeveloper(developerId, id);
    if (row === undefined) throw new Problem('not_found', 'Session not found');
    return toState(row, clock.now());
  }

  /** The same once it is over, or after `waitMs`, or when the caller goes away. Throws rate_limited. */
  async wait(
    developerId: string,
    id: string,
    { waitMs, signal }: { readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<SessionState> {
    const others = this.#waiting.get(developerId) ?? 0;
    if (others >= maxWaiting)
      throw new Problem('rate_limited', `More than ${maxWaiting} waiting polls at once`, {
        retryAfterMs: 1_000,
      });
    this.#waiting.set(developerId, others + 1);
    try {
      return await this.#untilSettled(developerId, id, { waitMs, signal });
    } finally {
      const left = (this.#waiting.get(developerId) ?? 1) - 1;
      if (left === 0) this.#waiting.delete(developerId);
      else this.#waiting.set(developerId, left);
    }
  }

  async #untilSettled(
    developerId: string,
    id: string,
    { waitMs, signal }: { readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<SessionState> {
    const { clock, signal: changes } = this.#deps;
    const until = clock.monotonic() + Math.min(waitMs, maxWaitMs);
    for (;;) {
      const state = await this.get(developerId, id);
      const restMs = until - clock.monotonic();
      if (state.status !== 'pending' || restMs <= 0 || signal.aborted) return state;
      await changes.wait(id, Math.min(restMs, pollMs), signal);
    }
  }
}

function newSessionRow(
  request: SessionRequest,
  {
    target,
    settings,
    link,
    now,
  }: {
    readonly target: AuthorizationTarget;
    readonly settings: AppSettings;
    readonly link: string;
    readonly now: number;
  },
): SessionRow {
  return {
    id: newId('sess'),
    developer_id: request.owner.developerId,
    user_id: request.owner.userId,
    key_id: request.keyId,
    app_name: settings.displayName ?? request.appName,
    provider: target.provider,
    scopes: target.scopes.join(' '),
    return_url: request.returnUrl ?? null,
    require_confirmation: (request.requireConfirmation ?? settings.requireConfirmation) ? 1 : 0,
    expected_account: request.expectedAccount ?? null,
    status: 'open',
    error: null,
    link_digest: sha256Hex(link),
    browser_digest: null,
    state_digest: null,
    flow_sealed: null,
    issuer: target.issuer,
    resource: target.resource,
    title: request.account === undefined ? target.title : `${target.title} as ${request.account}`,
    account: request.account ?? null,
    proof: target.wantsDPoP ? 1 : 0,
    grant_sealed: null,
    tries: 0,
    result: null,
    created_at: now,
    expires_at: now + (isOfKey(target) ? keySessionLifeMs : sessionLifeMs),
  };
}

/** A provider says itself whose account it is; at an MCP server the user's word is all there is. */
function checkAccount({ account, target }: SessionRequest): void {
  if (account === undefined) return;
  if ('provider' in target)
    throw new Problem('invalid_request', 'account: only with server_id; a provider says itself whose it is');
  if (!isAccountName(account)) throw new Problem('invalid_request', `account: ${accountNameForm}`);
}

function checkReturnUrl(returnUrl: string | undefined, settings: AppSettings): void {
  if (returnUrl !== undefined && !settings.returnUrls.includes(returnUrl))
    throw new Problem(
      'invalid_request',
      'return_url: expected one of the URLs registered for this developer, exactly (PUT /v1/admin/apps/{developer_id})',
    );
}

/** Throws `invalid_request` that names the one that is none. */
export function checkScopes(asked: readonly string[] | undefined): void {
  const wrong = asked?.findIndex((scope) => !isScope(scope)) ?? -1;
  if (wrong !== -1)
    throw new Problem('invalid_request', `scopes[${wrong}]: expected one scope, without spaces`);
  if (asked !== undefined && asked.length > maxScopes)
    throw new Problem('invalid_request', `scopes: expected at most ${maxScopes}`);
}

/** A finished session's result as it rests in its row. */
type StoredResult = {
  readonly connection_id: string;
  readonly account: string;
  readonly is_default: boolean;
  readonly granted_scopes: readonly string[];
  readonly missing_scopes: readonly string[];
  /** Not in those of earlier releases. */
  readonly renewable?: boolean;
};

export function serializeResult(result: SessionResult): string {
  return JSON.stringify({
    connection_id: result.connectionId,
    account: result.account,
    is_default: result.isDefault,
    granted_scopes: result.grantedScopes,
    missing_scopes: result.missingScopes,
    renewable: result.isRenewable,
  } satisfies StoredResult);
}

function parseResult(text: string): SessionResult {
  const stored = JSON.parse(text) as StoredResult;
  return {
    connectionId: stored.connection_id,
    account: stored.account,
    isDefault: stored.is_default,
    grantedScopes: stored.granted_scopes,
    missingScopes: stored.missing_scopes,
    isRenewable: stored.renewable ?? true,
  };
}

function toState(row: SessionRow, now: number): SessionState {
  const sessionId = row.id;
  if (row.status === 'complete')
    return { sessionId, status: 'complete', ...(row.result === null ? {} : parseResult(row.result)) };
  if (row.status === 'error') return { sessionId, status: 'error', error: row.error ?? 'Failed' };
  if (row.expires_at <= now) return { sessionId, status: 'error', error: sessionExpired };
  return {
    sessionId,
    status: 'pending',
    ...(row.status === 'awaiting' ? { awaiting: 'confirmation' } : {}),
  };
}
