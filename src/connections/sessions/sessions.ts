import { randomBytes } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { newId, sha256Hex } from '../../base/id.ts';
import { Problem } from '../../base/problem.ts';
import type { Bell } from '../bell.ts';
import type { OpenedSession, SessionRequest, SessionView } from '../model.ts';
import { isScope } from '../providers/parse.ts';
import { configured, type Provider } from '../providers/provider.ts';
import type { Providers } from '../providers/providers.ts';
import type { Place } from '../servers/resource.ts';
import type { SessionRow } from '../tables.ts';
import type { Apps } from './apps.ts';
import type { SessionStore } from './session-store.ts';

export type Sessions = {
  open(request: SessionRequest): Promise<OpenedSession>;
  view(developerId: string, id: string): Promise<SessionView>;
  wait(developerId: string, id: string, waitMs: number, signal: AbortSignal): Promise<SessionView>;
};

/** What a session is about. */
export type SessionTarget = Place & {
  readonly title: string | null;
  readonly scopes: readonly string[];
  /** The tokens are to be bound to a key. */
  readonly proof: boolean;
};

export type ServerTargets = {
  /** Finds out how an MCP server lets users in. Throws not_found, server_gone, invalid_request, upstream_error. */
  target(
    party: { readonly serverId: string; readonly challenge?: string },
    scopes: readonly string[] | undefined,
  ): Promise<SessionTarget>;
};

export const sessionLifeMs = 300_000;
export const sessionExpired = 'Session expired';
const maxScopes = 100;
/** Long polls of one developer at once; each is a socket and a timer (threats G6). */
const maxWaiting = 200;
const maxWaitMs = 60_000;
/** For the notice that gets lost. */
const lookMs = 1_000;

export function createSessions(deps: {
  readonly store: SessionStore;
  readonly apps: Apps;
  readonly providers: Providers;
  readonly servers: ServerTargets;
  readonly bell: Bell;
  readonly clock: Clock;
  readonly publicUrl: () => string;
}): Sessions {
  const { store, apps, providers, servers, bell, clock, publicUrl } = deps;
  const waiting = new Map<string, number>();

  const view: Sessions['view'] = async (developerId, id) => {
    // Another developer's session and one that never was are the same to the asker (threats G1).
    const row = await store.ofDeveloper(developerId, id);
    if (row === undefined) throw new Problem('not_found', 'Session not found');
    return viewOf(row, clock.now());
  };

  const untilSettled = async (developerId: string, id: string, waitMs: number, signal: AbortSignal) => {
    const until = clock.monotonic() + Math.min(waitMs, maxWaitMs);
    for (;;) {
      const seen = await view(developerId, id);
      const restMs = until - clock.monotonic();
      if (seen.status !== 'pending' || restMs <= 0 || signal.aborted) return seen;
      await bell.wait(id, Math.min(restMs, lookMs), signal);
    }
  };

  const providerTarget = (name: string, scopes: readonly string[] | undefined): SessionTarget => {
    const provider = configured(providers.get(name));
    const wanted = wantedScopes(provider, scopes);
    return { provider: name, title: null, scopes: wanted, issuer: null, resource: null, proof: false };
  };

  return {
    async open(request) {
      checkScopes(request.scopes);
      const app = await apps.get(request.owner.developerId);
      if (request.returnUrl !== undefined && !app.returnUrls.includes(request.returnUrl))
        throw new Problem(
          'invalid_request',
          'return_url: expected one of the URLs registered for this developer, exactly (PUT /v1/admin/apps/{developer_id})',
        );
      const { party } = request;
      const target =
        'serverId' in party
          ? await servers.target(party, request.scopes)
          : providerTarget(party.provider, request.scopes);
      const link = randomBytes(32).toString('base64url');
      const expiresAt = clock.now() + sessionLifeMs;
      const id = newId('sess');
      await store.insert({
        id,
        developer_id: request.owner.developerId,
        user_id: request.owner.userId,
        key_id: request.keyId,
        app_name: request.appName,
        provider: target.provider,
        scopes: target.scopes.join(' '),
        return_url: request.returnUrl ?? null,
        require_confirmation: (request.requireConfirmation ?? app.requireConfirmation) ? 1 : 0,
        expected_account: request.expectedAccount ?? null,
        status: 'open',
        error: null,
        link_digest: sha256Hex(link),
        browser_digest: null,
        state_digest: null,
        flow_sealed: null,
        issuer: target.issuer,
        resource: target.resource,
        title: target.title,
        proof: target.proof ? 1 : 0,
        grant_sealed: null,
        tries: 0,
        result: null,
        created_at: clock.now(),
        expires_at: expiresAt,
      });
      return {
        session_id: id,
        auth_url: `${publicUrl()}/v1/identity/connect/${link}`,
        expires_at: new Date(expiresAt).toISOString(),
      };
    },

    view,

    async wait(developerId, id, waitMs, signal) {
      const others = waiting.get(developerId) ?? 0;
      if (others >= maxWaiting)
        throw new Problem('rate_limited', `More than ${maxWaiting} waiting polls at once`, {
          retryAfterMs: 1_000,
        });
      waiting.set(developerId, others + 1);
      try {
        return await untilSettled(developerId, id, waitMs, signal);
      } finally {
        const left = (waiting.get(developerId) ?? 1) - 1;
        if (left === 0) waiting.delete(developerId);
        else waiting.set(developerId, left);
      }
    },
  };
}

/** Throws invalid_request. */
function checkScopes(asked: readonly string[] | undefined): void {
  const wrong = asked?.findIndex((scope) => !isScope(scope)) ?? -1;
  if (wrong !== -1) throw new Problem('invalid_request', `scopes[${wrong}]: expected a scope without spaces`);
  if (asked !== undefined && asked.length > maxScopes)
    throw new Problem('invalid_request', `scopes: expected at most ${maxScopes}`);
}

/** What was asked for, and always what tells us whose account it is. */
function wantedScopes(provider: Provider, asked: readonly string[] | undefined): string[] {
  if (asked === undefined || asked.length === 0) return [...provider.scopes];
  const identifying = provider.scopes.filter((scope) =>
    ['openid', 'email', 'offline_access'].includes(scope),
  );
  return [...new Set([...identifying, ...asked])];
}

/** What a finished session tells besides its status. */
export type SessionResult = Pick<
  SessionView,
  'connection_id' | 'account' | 'is_default' | 'granted_scopes' | 'missing_scopes'
>;

function viewOf(row: SessionRow, now: number): SessionView {
  const session_id = row.id;
  if (row.status === 'complete')
    return { session_id, status: 'complete', ...(JSON.parse(row.result ?? '{}') as SessionResult) };
  if (row.status === 'error') return { session_id, status: 'error', error: row.error ?? 'Failed' };
  if (row.expires_at <= now) return { session_id, status: 'error', error: sessionExpired };
  return {
    session_id,
    status: 'pending',
    ...(row.status === 'awaiting' ? { awaiting: 'confirmation' } : {}),
  };
}
