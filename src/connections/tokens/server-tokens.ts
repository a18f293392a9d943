import type { Clock } from '../../base/clock.ts';
import { Problem } from '../../base/problem.ts';
import type { FreshToken, Owner } from '../connections-model.ts';
import { covers, serverProviderName } from '../grant-target.ts';
import type { FreshTokens } from './fresh-token.ts';
import type { GrantStore } from './grant-store.ts';
import type { ServerGrant, UserGrants } from './user-grants.ts';

/** What a user has for one MCP server. */
export type ServerToken =
  | { readonly kind: 'none' }
  /** There was something, and it is no good any more: the user has to connect again. */
  | { readonly kind: 'expired' }
  | { readonly kind: 'token'; readonly token: FreshToken };

/** How a user stands with a server, as far as is known without asking it. */
export type ServerConnectionState = 'ready' | 'needs_auth' | 'needs_scope';

export type ServerTokenRequest = {
  readonly owner: Owner;
  readonly serverId: string;
  /** Where it would be sent. */
  readonly url: string;
  /** The server answered 401 to the token of this version. */
  readonly refused?: number;
  readonly actor: string;
};

type Deps = {
  readonly store: GrantStore;
  readonly freshTokens: FreshTokens;
  readonly userGrants: UserGrants;
  readonly clock: Clock;
};

/** A user's own token for an MCP server: sent to the resource that it was issued for, and nowhere else (threats N4). */
export async function getServerToken(deps: Deps, request: ServerTokenRequest): Promise<ServerToken> {
  const { owner, serverId, url, refused, actor } = request;
  const grant = (await deps.userGrants.byServer(owner)).get(serverId);
  if (grant === undefined) return { kind: 'none' };
  if (grant.status === 'needs_reauth') return { kind: 'expired' };
  // The catalog names another place now: these tokens are for the old one, and stay away from the new.
  if (grant.resource === null || !covers(grant.resource, url)) {
    await expireGrant(deps.store, grant.id);
    return { kind: 'expired' };
  }
  try {
    const token = await deps.freshTokens.get({
      owner,
      provider: serverProviderName(serverId),
      actor,
      ...(refused === undefined ? {} : { refused }),
    });
    // Consented to anew in this very moment, for another place.
    if (token.resource == null || !covers(token.resource, url)) return { kind: 'expired' };
    return { kind: 'token', token };
  } catch (error) {
    if (!isExpiry(error)) throw error;
    return { kind: 'expired' };
  }
}

export async function getServerStates(
  { userGrants, clock }: Pick<Deps, 'userGrants' | 'clock'>,
  owner: Owner,
): Promise<(serverId: string) => ServerConnectionState | undefined> {
  const grants = await userGrants.byServer(owner);
  return (serverId) => toState(grants.get(serverId), clock.now());
}

async function expireGrant(store: GrantStore, id: string): Promise<void> {
  const row = await store.findById(id);
  if (row !== undefined) await store.markExpired(row, null);
}

function isExpiry(error: unknown): boolean {
  return error instanceof Problem && ['token_expired', 'provider_not_connected'].includes(error.kind);
}

function toState(grant: ServerGrant | undefined, now: number): ServerConnectionState | undefined {
  if (grant === undefined) return undefined;
  if (grant.status === 'needs_reauth' || now >= grant.endsAt) return 'needs_auth';
  return grant.wanted === null ? 'ready' : 'needs_scope';
}
