import { Problem } from '../../base/problem.ts';
import type { Authorities, Authority } from '../grants/authority.ts';
import { blankProvider, type Provider } from '../providers/provider.ts';
import type { Providers } from '../providers/providers.ts';
import type { Clients } from './clients.ts';
import { type Discovery, DiscoveryRefusal } from './discovery.ts';
import { type Place, serverOf } from './resource.ts';

/** Who is on the other side of a session, a grant or a token to be revoked: a provider, or an MCP server's authorization server. */
export type Parties = {
  /** Throws the Problem to show when it cannot be spoken to. */
  of(place: Place, title?: string | null): Promise<Authority>;
  /** Known at all; without asking anybody. */
  isKnown(place: Place): boolean;
  titleOf(place: Place, title: string | null): string;
  /** It refuses us as the client we are. True: we had registered by ourselves, and the next session will anew. */
  disown(authority: Authority): Promise<boolean>;
};

export function createParties(deps: {
  readonly providers: Providers;
  readonly authorities: Authorities;
  readonly discovery: Discovery;
  readonly clients: Clients;
}): Parties {
  const { providers, authorities, discovery, clients } = deps;

  const ofServer = async (serverId: string, place: Place, title: string): Promise<Authority> => {
    const { issuer, resource } = place;
    if (issuer === null) throw new Problem('internal', 'A session with an MCP server has no issuer');
    try {
      const server = await discovery.metadata(issuer);
      const ours = await clients.of(server, serverId);
      const provider = rowOf(place.provider, title, server.issuer, ours.client.client_id);
      return { provider, server, ...ours, resource };
    } catch (error) {
      if (error instanceof Problem && error.kind === 'internal') throw error;
      const why = error instanceof DiscoveryRefusal ? `: ${error.message}` : '';
      throw new Problem('upstream_error', `${title} cannot be connected just now${why}`, { cause: error });
    }
  };
  const titleOf: Parties['titleOf'] = ({ provider }, title) =>
    title ?? providers.find(provider)?.title ?? serverOf(provider) ?? provider;

  return {
    of(place, title = null) {
      const serverId = serverOf(place.provider);
      if (serverId === null) return authorities.of(providers.get(place.provider));
      return ofServer(serverId, place, titleOf(place, title));
    },
    isKnown: ({ provider, issuer }) =>
      serverOf(provider) === null ? providers.find(provider) !== undefined : issuer !== null,
    titleOf,
    async disown({ dynamicId }) {
      if (dynamicId === null) return false;
      await clients.forget(dynamicId);
      return true;
    },
  };
}

function rowOf(name: string, title: string, issuer: string, clientId: string): Provider {
  return { ...blankProvider, name, title, issuer, clientId };
}
