import { type BoundedCache, createBoundedCache } from '../../base/bounded-cache.ts';
import type { Clock } from '../../base/clock.ts';
import { Problem } from '../../base/problem.ts';
import { Secret } from '../../base/secret.ts';
import type { AuthorizationServer } from '../authorization-servers/authorization-servers.ts';
import { preferredAuthMethod, toClient, toClientAuth } from '../authorization-servers/client-auth.ts';
import type { IssuerMetadata } from '../authorization-servers/issuer-metadata.ts';
import { DiscoveryRefusal } from '../authorization-servers/metadata-documents.ts';
import type { DiscoverServer } from '../authorization-servers/server-discovery.ts';
import { serverProviderName } from '../grant-target.ts';
import { keyAuth } from '../providers/client-key.ts';
import { blankProvider } from '../providers/oauth-provider.ts';
import { type TokenEndpoint, TokenEndpointFailure } from '../tokens/token-endpoint.ts';
import { WorkloadTokenFault, type WorkloadTokens } from './workload-tokens.ts';

/** How we sign ourselves in for a server, by the operator's word. */
export type MachineLogin = {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string | null;
  /** A private JWK as text, in place of a secret. */
  readonly clientKey: string | null;
  /** In place of both: the name of a token of the platform's for this issuer. */
  readonly workloadToken?: string | null;
  /** Empty: what the server asks for. */
  readonly scopes: readonly string[];
};
export type MachineToken = {
  readonly accessToken: string;
  /** Rises with every issue. */
  readonly version: number;
};
export type MachineTokens = {
  /**
   * A token for the server at that URL, from memory or from its authorization server. `refused`: the server did not take that
   * version. Throws upstream_error, in words.
   */
  get(
    of: {
      readonly serverId: string;
      readonly url: string;
      readonly login: MachineLogin;
      /** Changes when the login does. */
      readonly loginVersion: string;
    },
    refused?: number,
  ): Promise<MachineToken>;
};

type Kept = {
  readonly token: Promise<MachineToken>;
  /** When a refused one was last replaced. */
  readonly forcedAt: number;
  /** Unknown while it is being fetched. */
  endsAt: number;
  readonly version: number;
};

const maxKept = 2_000;
/** Of one whose life is not told. */
const usualLifeMs = 3_600_000;
/** Renewed so long before its end. */
const aheadShare = 0.1;
const aheadMaxMs = 60_000;
/** What went wrong is not asked for again with every call, nor a token that a server refuses. */
const failedForMs = 5_000;
const forcedEveryMs = 30_000;

/**
 * Tokens that we get for ourselves (`client_credentials`, RFC 6749 section 4.4, or the platform's word for us, RFC 7523): in memory
 * only, one for each server and login, fetched once for all that wait. The secret goes to the issuer that the operator named, and
 * to no other (threats N3).
 */
export function createMachineTokens(deps: {
  readonly discoverServer: DiscoverServer;
  readonly issuerMetadata: IssuerMetadata;
  readonly endpoint: Pick<TokenEndpoint, 'clientCredentials' | 'assertion'>;
  readonly workloadTokens: WorkloadTokens;
  readonly clock: Clock;
}): MachineTokens {
  const { clock } = deps;
  const kept: BoundedCache<Kept> = createBoundedCache<Kept>(maxKept);
  let versions = 0;
  return {
    get(of, refused = 0) {
      const { serverId, url, loginVersion } = of;
      const key = JSON.stringify([serverId, url, loginVersion]);
      const known = kept.get(key);
      const now = clock.now();
      const { forcedAt = Number.NEGATIVE_INFINITY } = known ?? {};
      const isForced = known !== undefined && known.version <= refused && now - forcedAt >= forcedEveryMs;
      if (known !== undefined && now < known.endsAt && !isForced) return known.token;
      const version = ++versions;
      const fetched: Kept = {
        version,
        forcedAt: isForced ? now : forcedAt,
        endsAt: Number.POSITIVE_INFINITY,
        token: fetchToken(deps, of).then(
          ({ accessToken, lifeMs }) => {
            const life = lifeMs ?? usualLifeMs;
            fetched.endsAt = now + life - Math.min(life * aheadShare, aheadMaxMs);
            return { accessToken, version };
          },
          (error: unknown) => {
            fetched.endsAt = now + failedForMs;
            throw error;
          },
        ),
      };
      kept.set(key, fetched);
      return fetched.token;
    },
  };
}

async function fetchToken(
  { discoverServer, issuerMetadata, endpoint, workloadTokens }: Parameters<typeof createMachineTokens>[0],
  { serverId, url, login }: Parameters<MachineTokens['get']>[0],
) {
  try {
    const found = await discoverServer(url);
    if (found !== null && !isSameIssuer(found.issuer, login.issuer))
      throw new DiscoveryRefusal('it names another authorization server than its client_credentials are for');
    const metadata = found?.metadata ?? (await issuerMetadata(login.issuer));
    const server: AuthorizationServer = {
      provider: {
        ...blankProvider,
        name: serverProviderName(serverId),
        title: serverId,
        issuer: metadata.issuer,
      },
      metadata,
      client: toClient(login.clientId),
      auth:
        login.clientKey === null
          ? toClientAuth(preferredAuthMethod(metadata), login.clientSecret)
          : await keyAuth(new Secret(login.clientKey)),
      resource: found?.resource ?? url,
      dynamicId: null,
    };
    const offered = found?.scopes.filter((scope) => scope !== 'offline_access') ?? [];
    const scopes = login.scopes.length > 0 ? login.scopes : offered;
    if (login.workloadToken == null) return await endpoint.clientCredentials(server, scopes);
    return await endpoint.assertion(server, await workloadTokens(login.workloadToken), scopes);
  } catch (error) {
    throw new Problem('upstream_error', `The server's authorization server gave no token${why(error)}`, {
      cause: error,
    });
  }
}

function why(error: unknown): string {
  if (error instanceof DiscoveryRefusal || error instanceof WorkloadTokenFault) return `: ${error.message}`;
  return error instanceof TokenEndpointFailure && error.words !== null ? `: ${error.words}` : '';
}

function isSameIssuer(one: string, other: string): boolean {
  return URL.parse(one)?.href === URL.parse(other)?.href;
}
