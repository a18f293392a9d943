import { createBoundedCache } from '../../base/bounded-cache.ts';
import type { Clock } from '../../base/clock.ts';
import { Problem } from '../../base/problem.ts';
import type { IsRefusedByFailing } from '../authorization-servers/server-discovery.ts';
import type { GrantRow } from '../connection-rows.ts';
import type { FreshToken, Owner, ProviderStatus, TokenRequest } from '../connections-model.ts';
import { covers, isOfKey, parseServerId, serverProviderName } from '../grant-target.ts';
import type { ProviderTable } from '../providers/provider-table.ts';
import type { FreshTokens } from './fresh-token.ts';
import type { GrantStore } from './grant-store.ts';
import { endsAt } from './token-encryption.ts';
import { grantNamed, type ServerGrant, type UserGrants } from './user-grants.ts';

/** What a user has for one MCP server. */
export type ServerToken =
  | { readonly kind: 'none' }
  /** There was something, and it is no good any more: the user has to connect again. */
  | { readonly kind: 'expired' }
  | { readonly kind: 'token'; readonly token: FreshToken };

/** How a user stands with a server, as far as is known without asking it. */
export type ServerConnectionState = 'ready' | 'needs_auth' | 'needs_scope';

/** `url`: where the token would be sent. */
export type ServerTokenRequest = Pick<TokenRequest, 'owner' | 'account' | 'refused' | 'actor'> & {
  readonly serverId: string;
  readonly url: string;
};

type Deps = {
  readonly providers: ProviderTable;
  readonly grants: GrantStore;
  readonly freshTokens: FreshTokens;
  readonly userGrants: UserGrants;
  readonly isRefusedByFailing: IsRefusedByFailing;
  readonly clock: Clock;
};

const maxChecked = 10_000;
const checkedForMs = 10_000;

/** What users have: tokens that are good now, and how they stand with providers and MCP servers. */
export class UserTokens {
  readonly #deps: Deps;

  /** Tokens that a server failed at, by connection and version, and whether it is for them: a broken server is not asked with every call. */
  readonly #refusals = createBoundedCache<{ readonly at: number; readonly isRefused: Promise<boolean> }>(
    maxChecked,
  );

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Throws provider_not_connected | token_expired, or upstream_error | unavailable when the provider is down and the token dead. */
  fresh(request: TokenRequest): Promise<FreshToken> {
    return this.#deps.freshTokens.get(request);
  }

  /** A user's own token for an MCP server: sent to the resource that it was issued for, and nowhere else (threats N4). */
  async forServer({ serverId, url, ...request }: ServerTokenRequest): Promise<ServerToken> {
    const { grants, userGrants } = this.#deps;
    const all = await userGrants.byServer(request.owner);
    const grant = grantNamed(all, serverId, request.account);
    // Of several accounts none stands in for another (threats F13, G5).
    if (grant === undefined) return { kind: all.has(serverId) ? 'expired' : 'none' };
    if (grant.status === 'needs_reauth') return { kind: 'expired' };
    // The catalog names another place now: these tokens are for the old one, and stay away from the new.
    if (!isFor(grant, url)) {
      const row = await grants.findById(grant.id);
      if (row !== undefined) await grants.markExpired(row, null);
      return { kind: 'expired' };
    }
    try {
      const { account } = grant;
      const token = await this.fresh({ ...request, account, provider: serverProviderName(serverId) });
      // Consented to anew in this very moment, for another place.
      if (token.key === undefined && (token.resource == null || !covers(token.resource, url)))
        return { kind: 'expired' };
      return { kind: 'token', token };
    } catch (error) {
      if (!isExpiry(error)) throw error;
      return { kind: 'expired' };
    }
  }

  /** The server failed at this token: is it for the token? Asked with something that changes nothing. */
  isRefusedByFailing(
    { connectionId, version, accessToken, signDPoPProof, key: brought }: FreshToken,
    url: string,
  ): Promise<boolean> {
    // It was tried before it was kept.
    if (brought !== undefined) return Promise.resolve(false);
    const now = this.#deps.clock.monotonic();
    const key = `${connectionId} ${version}`;
    const known = this.#refusals.get(key);
    if (known !== undefined && now - known.at < checkedForMs) return known.isRefused;
    const fields =
      signDPoPProof == null
        ? { authorization: `Bearer ${accessToken}` }
        : { authorization: `DPoP ${accessToken}`, dpop: signDPoPProof({ method: 'POST', url, nonce: null }) };
    const isRefused = this.#deps.isRefusedByFailing(url, fields);
    this.#refusals.set(key, { at: now, isRefused });
    return isRefused;
  }

  /** By one of the user's accounts, or the default; undefined for servers that the user never connected. */
  async serverStates(
    owner: Owner,
    account: string | undefined,
  ): Promise<(serverId: string) => ServerConnectionState | undefined> {
    const { userGrants, clock } = this.#deps;
    const grants = await userGrants.byServer(owner);
    return (serverId) => {
      const grant = grantNamed(grants, serverId, account);
      // Of several accounts none stands in for another, and nobody else's credentials do.
      if (grant === undefined) return grants.has(serverId) ? 'needs_auth' : undefined;
      return toState(grant, clock.now());
    };
  }

  /** Servers with which the user has a consent, by that account, that can be used now. */
  async connectedServers(owner: Owner, account: string | undefined): Promise<string[]> {
    const stateOf = await this.serverStates(owner, account);
    const grants = await this.#deps.userGrants.byServer(owner);
    return [...grants.keys()].filter((id) => stateOf(id) === 'ready').sort();
  }

  /** Another number after each consent, key and disconnection of the user's, wherever it came in. */
  generationOf(owner: Owner): number {
    return this.#deps.userGrants.generationOf(owner);
  }

  /** Calls `listener` after each of these, until what is answered is called. */
  onChange(owner: Owner, listener: () => void): () => void {
    return this.#deps.userGrants.onChange(owner, listener);
  }

  /** Throws not_found for a provider that nobody knows. */
  async providerStatus(owner: Owner, name: string): Promise<ProviderStatus> {
    const { providers, grants, clock } = this.#deps;
    const { name: provider } = providers.get(name);
    const row = await grants.find(owner, provider);
    const canAccess = row !== undefined && isUsable(row, clock.now());
    const isOnce = row !== undefined && row.refresh_sealed === null;
    return {
      provider,
      isConnected: row !== undefined,
      status: row?.status ?? null,
      canAccess,
      ...(isOnce ? { isRenewable: false as const } : {}),
    };
  }

  /** Names of the providers whose tokens the user can use now. */
  async connectedServices(owner: Owner): Promise<string[]> {
    const now = this.#deps.clock.now();
    const rows = await this.#deps.grants.ofUser(owner);
    const usable = rows.filter((row) => parseServerId(row.provider) === null && isUsable(row, now));
    return [...new Set(usable.map(({ provider }) => provider))].sort();
  }
}

/** What a user brought is for the URL as it stands in the catalogue, gaps and all. */
function isFor(grant: ServerGrant, url: string): boolean {
  if (grant.resource === null) return false;
  return isOfKey(grant) ? grant.resource === url : covers(grant.resource, url);
}

function isUsable(row: GrantRow, now: number): boolean {
  return row.status === 'active' && (row.refresh_sealed !== null || now < endsAt(row));
}

function isExpiry(error: unknown): boolean {
  return (
    error instanceof Problem && ['token_expired', 'provider_not_connected', 'not_found'].includes(error.kind)
  );
}

function toState(grant: ServerGrant, now: number): ServerConnectionState {
  if (grant.status === 'needs_reauth' || now >= grant.endsAt) return 'needs_auth';
  return grant.wanted === null ? 'ready' : 'needs_scope';
}
