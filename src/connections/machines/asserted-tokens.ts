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
  /** What there is in memory. */
  peek(of: Of): MachineToken | undefined;
  /** A new one, in place of what the server refused; null: there is none to be had, and the user has to be asked. */
  get(of: Of & { readonly challenge: string | undefined }): Promise<MachineToken | null>;
};

const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const idJag = 'urn:ietf:params:oauth:grant-profile:id-jag';
const maxKept = 20_000;
/** Of one whose life is not told. */
const usualLifeMs = 300_000;
const aheadMs = 5_000;
/** Where there was none, it is not asked for with every call. */
const noneForMs = 60_000;

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
  const kept = createBoundedCache<{ readonly token: MachineToken; readonly endsAt: number }>(maxKept);
  const none = createBoundedCache<number>(maxKept);
  let versions = 0;
  const keyOf = ({ owner, serverId, url }: Of) =>
    JSON.stringify([owner.developerId, owner.userId, serverId, url]);
  return {
    peek(of) {
      const known = kept.get(keyOf(of));
      return known !== undefined && clock.now() < known.endsAt ? known.token : undefined;
    },
    async get(of) {
      const key = keyOf(of);
      kept.delete(key);
      if ((none.get(key) ?? 0) > clock.now()) return null;
      const at = clock.now();
      const issued = await askFor(deps, of).catch((error: unknown) => {
        if (!isRefusal(error)) throw error;
        log.info('connections.assertion.refused', { server_id: of.serverId, error });
        return null;
      });
      if (issued === null) {
        none.set(key, at + noneForMs);
        return null;
      }
      const token = { accessToken: issued.accessToken, version: ++versions };
      kept.set(key, { token, endsAt: at + (issued.lifeMs ?? usualLifeMs) - aheadMs });
      return token;
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
