import { createBoundedCache } from '../../base/bounded-cache.ts';
import type { Clock } from '../../base/clock.ts';
import { type AuthorizationServers, NoOAuth } from '../authorization-servers/authorization-servers.ts';
import type { KnownServer, OpenedSession, Owner } from '../connections-model.ts';
import { splitScopes } from '../grant-target.ts';
import type { GrantStore } from '../tokens/grant-store.ts';
import { grantNamed, type UserGrants } from '../tokens/user-grants.ts';
import type { AuthorizationSessions } from './authorization-sessions.ts';

/** A call that an MCP server refused, and the user in whose name it was made. */
export type AuthorizationRequest = {
  readonly owner: Owner;
  readonly keyId: string;
  readonly appName: string;
  readonly serverId: string;
  /** The account that the caller named. */
  readonly account?: string | undefined;
  /** The server's own WWW-Authenticate; without it the server is asked. */
  readonly challenge?: string | undefined;
};

export type ScopeRequest = AuthorizationRequest & {
  /** What was called: asked for again and again, it is worth two sessions. */
  readonly operation: string;
  readonly scopes: readonly string[];
};

export type ScopeStepUp =
  | { readonly kind: 'session'; readonly session: OpenedSession }
  /** More consent would not help, or was asked for often enough. */
  | { readonly kind: 'useless' };

/** A session is handed out again while at least this much of its five minutes is left. */
const reuseMs = 60_000;
/** A server that does no OAuth is not looked into again with every call that it refuses. */
const withoutOAuthMs = 60_000;
/** Threats N6. */
const maxStepUps = 2;
const stepUpsMs = 600_000;
/** Throttles and sessions remembered; the least recently used go first, so that nobody's flood resets everybody's. */
const maxRemembered = 10_000;

type Deps = {
  readonly findServer: (serverId: string) => Promise<KnownServer>;
  readonly servers: AuthorizationServers;
  readonly sessions: AuthorizationSessions;
  readonly grants: GrantStore;
  readonly userGrants: UserGrants;
  readonly clock: Clock;
};

/** Sessions for calls that an MCP server refused. */
export class AuthorizationRequests {
  readonly #deps: Deps;
  readonly #sessions = createBoundedCache<Promise<OpenedSession>>(maxRemembered);
  /** Servers by id and URL, and until when they are not looked into again. */
  readonly #withoutOAuth = createBoundedCache<number>(maxRemembered);
  readonly #stepUps = createBoundedCache<{ readonly at: number; readonly asked: Set<string> }>(maxRemembered);

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** The same session for those that come soon after. null: the server does not do OAuth. */
  async requestAuthorization(request: AuthorizationRequest): Promise<OpenedSession | null> {
    const { findServer, clock } = this.#deps;
    const { serverId } = request;
    const { url } = await findServer(serverId);
    const key = `${serverId}\n${url}`;
    if ((this.#withoutOAuth.get(key) ?? 0) > clock.now()) return null;
    try {
      return await this.#openSession(request);
    } catch (error) {
      if (!(error instanceof NoOAuth)) throw error;
      this.#withoutOAuth.set(key, clock.now() + withoutOAuthMs);
      return null;
    }
  }

  /** The same for a server that wants more than was consented to: for all of it together (threats N6). */
  async requestScopes({ operation, scopes, ...request }: ScopeRequest): Promise<ScopeStepUp> {
    const { grants, userGrants } = this.#deps;
    const { owner, serverId, account } = request;
    const grant = grantNamed(await userGrants.byServer(owner), serverId, account);
    const asked = splitScopes(grant?.asked);
    // All of it was asked for already: the server will never be content.
    if (scopes.every((scope) => asked.includes(scope))) return { kind: 'useless' };
    const wanted = [...new Set([...asked, ...splitScopes(grant?.scopes), ...scopes])].sort();
    const text = wanted.join(' ');
    const about = [owner.developerId, owner.userId, serverId, account ?? null, operation];
    const lately = this.#askedLately(JSON.stringify(about));
    if (!lately.has(text) && lately.size >= maxStepUps) return { kind: 'useless' };
    const session = await this.#openSession(request, wanted);
    lately.add(text);
    if (grant !== undefined && grant.wanted !== text) await grants.saveWantedScopes(owner, grant.id, text);
    return { kind: 'session', session };
  }

  async #openSession(request: AuthorizationRequest, scopes?: readonly string[]): Promise<OpenedSession> {
    const { owner, keyId, appName, serverId, account, challenge } = request;
    const whose = [owner.developerId, owner.userId, serverId, account ?? null];
    const about = [...whose, challenge ?? null, scopes ?? null];
    const key = JSON.stringify(about);
    const known = await this.#sessions.get(key)?.catch(() => undefined);
    if (known !== undefined && (await this.#isReusable(owner, known))) return known;
    const target = { serverId, ...(challenge === undefined ? {} : { challenge }) };
    const more = { ...(scopes !== undefined && { scopes }), ...(account !== undefined && { account }) };
    const opened = this.#deps.sessions.open({ owner, keyId, appName, target, ...more });
    this.#sessions.set(key, opened);
    opened.catch(() => this.#sessions.delete(key));
    return opened;
  }

  async #isReusable({ developerId }: Owner, { sessionId, expiresAt }: OpenedSession): Promise<boolean> {
    if (expiresAt - this.#deps.clock.now() <= reuseMs) return false;
    return (await this.#deps.sessions.get(developerId, sessionId)).status === 'pending';
  }

  /** What was asked for on behalf of one operation lately. */
  #askedLately(key: string): Set<string> {
    const now = this.#deps.clock.now();
    const known = this.#stepUps.get(key);
    if (known !== undefined && now - known.at < stepUpsMs) return known.asked;
    const asked = new Set<string>();
    this.#stepUps.set(key, { at: now, asked });
    return asked;
  }
}
