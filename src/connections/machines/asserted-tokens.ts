import { createBoundedCache } from '../../base/bounded-cache.ts';
import type { Clock } from '../../base/clock.ts';
import { Problem } from '../../base/problem.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import type { AuthorizationServer } from '../authorization-servers/authorization-servers.ts';
import type { ClientRegistry } from '../authorization-servers/client-registry.ts';
import { DiscoveryRefusal } from '../authorization-servers/metadata-documents.ts';
import type { DiscoverServer } from '../authorization-servers/server-discovery.ts';
import type { Owner } from '../connections-model.ts';
import { serverProviderName } from '../grant-target.ts';
import { blankProvider } from '../providers/oauth-provider.ts';
import { type TokenEndpoint, TokenEndpointFailure } from '../tokens/token-endpoint.ts';
import type { MachineToken } from './machine-tokens.ts';

/** The company's provider vouches for a user towards that issuer (ID-JAG); null: it does not, or it is nobody of the company. */
export type AssertFor = (
  owner: Owner,
  wanted: { readonly audience: string; readonly resource: string; readonly scopes: readonly string[] },
) => Promise<string | null>;

type Of = { readonly owner: Owner; readonly serverId: string; readonly url: string };
export type AssertedTokens = {
  /** One that there was before, renewed when its time is over; null: the server has not asked for any yet. */
  current(of: Of): Promise<MachineToken | null>;
  /**
   * One that the server has not refused yet (`refused`: the version that it did), asked for once for all that wait; null: there
   * is none to be had, and the user has to be asked.
   */
  get(
    of: Of & { readonly challenge: string | undefined; readonly refused?: number | undefined },
  ): Promise<MachineToken | null>;
};

const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const idJag = 'urn:ietf:params:oauth:grant-profile:id-jag';
const maxKept = 20_000;
/** However long it is good there: then the provider is asked again, and so whom the company let go is out. */
const longestLifeMs = 300_000;
const aheadMs = 5_000;
/** Where there was none, or the server refuses a new one, it is not asked for with every call. */
const noneForMs = 60_000;

type Kept = {
  readonly token: MachineToken;
  readonly issuedAt: number;
  readonly endsAt: number;
  readonly challenge: string | undefined;
};

/**
 * Tokens for users of the company at servers whose authorization server trusts the same provider: without a page, and in memory
 * only (draft-ietf-oauth-identity-assertion-authz-grant). A user's own consent or key goes first.
 */
export function createAssertedTokens(deps: {
  readonly assertFor: AssertFor;
  readonly discoverServer: DiscoverServer;
  readonly clients: Pick<ClientRegistry, 'find'>;
  readonly endpoint: Pick<TokenEndpoint, 'assertion'>;
  readonly clock: Clock;
  readonly log: Log;
}): AssertedTokens {
  const { clock, log } = deps;
  const kept = createBoundedCache<Kept>(maxKept);
  const flights = new Map<string, Promise<MachineToken | null>>();
  const none = createBoundedCache<number>(maxKept);
  let versions = 0;
  const keyOf = ({ owner, serverId, url }: Of) =>
    JSON.stringify([owner.developerId, owner.userId, serverId, url]);
  const obtain = async (of: Parameters<AssertedTokens['get']>[0], key: string) => {
    const at = clock.now();
    const issued = await askFor(deps, of).catch((error: unknown) => {
      if (!isRefusal(error)) throw error;
      log.info('connections.assertion.refused', { server_id: of.serverId, error });
      return null;
    });
    if (issued === null) {
      kept.delete(key);
      none.set(key, at + noneForMs);
      return null;
    }
    const token = { accessToken: issued.accessToken, version: ++versions };
    const lifeMs = Math.min(issued.lifeMs ?? longestLifeMs, longestLifeMs);
    kept.set(key, { token, issuedAt: at, endsAt: at + lifeMs - aheadMs, challenge: of.challenge });
    return token;
  };
  const get: AssertedTokens['get'] = async (of) => {
    const key = keyOf(of);
    const under = flights.get(key);
    if (under !== undefined) return under;
    const now = clock.now();
    const known = kept.get(key);
    if (known !== undefined && now < known.endsAt) {
      if (known.token.version > (of.refused ?? 0)) return known.token;
      if (now - known.issuedAt < noneForMs) return null;
    }
    if ((none.get(key) ?? 0) > now) return null;
    const flight = obtain(of, key).finally(() => flights.delete(key));
    flights.set(key, flight);
    return flight;
  };
  return {
    get,
    async current(of) {
      const known = kept.get(keyOf(of));
      if (known === undefined || clock.now() < known.endsAt) return known?.token ?? null;
      return get({ ...of, challenge: known.challenge });
    },
  };
}

async function askFor(
  { assertFor, discoverServer, clients, endpoint }: Parameters<typeof createAssertedTokens>[0],
  { owner, serverId, url, challenge }: Parameters<AssertedTokens['get']>[0],
) {
  const found = await discoverServer(url, challenge);
  if (found === null || !takesAssertions(found.metadata)) return null;
  const { metadata, resource } = found;
  const scopes = found.scopes.filter((scope) => scope !== 'offline_access');
  const assertion = await assertFor(owner, { audience: metadata.issuer, resource, scopes });
  if (assertion === null) return null;
  const ours = await clients.find(metadata, serverId);
  const provider = { ...blankProvider, name: serverProviderName(serverId), title: serverId };
  const server: AuthorizationServer = { provider, metadata, ...ours, resource };
  return endpoint.assertion(server, assertion, scopes);
}

/** By the profile that it names, or by the grant. */
function takesAssertions(metadata: Readonly<Record<string, unknown>>): boolean {
  const said = [metadata.authorization_grant_profiles_supported, metadata.grant_types_supported].flat();
  return said.includes(idJag) || said.includes(jwtBearer);
}

/** Somebody said no, or cannot be asked: then the user is. */
function isRefusal(error: unknown): boolean {
  if (error instanceof DiscoveryRefusal || error instanceof TokenEndpointFailure) return true;
  return error instanceof Problem && error.kind === 'upstream_error';
}
