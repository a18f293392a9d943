import type * as oauth from 'oauth4webapi';
import type { JsonObject } from '../../base/json.ts';
import { OutboundFailure } from '../../outbound/outbound.ts';
import { covers } from '../grant-target.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import type { IssuerMetadata } from './issuer-metadata.ts';
import {
  checkedUrl,
  DiscoveryRefusal,
  firstUsable,
  type MetadataDocuments,
  NoDocument,
  textsIn,
} from './metadata-documents.ts';

/** What an MCP server and its authorization server say about how to be let in. */
export type DiscoveredServer = {
  /** As published, to the letter: it goes out as the `resource` parameter (RFC 8707). */
  readonly resource: string;
  readonly issuer: string;
  readonly metadata: oauth.AuthorizationServer;
  /** What to ask for when nobody says otherwise. */
  readonly scopes: readonly string[];
  /** Tokens are to be bound to a key (RFC 9449). */
  readonly wantsDPoP: boolean;
};

/**
 * `challenge`: the server's own WWW-Authenticate, when it has just refused; else it is asked. null: the server does not do
 * OAuth. Throws DiscoveryRefusal, and OutboundFailure when somebody cannot be reached.
 */
export type DiscoverServer = (url: string, challenge?: string) => Promise<DiscoveredServer | null>;

/** The one algorithm of proofs that everybody has. */
export const dpopAlgorithm = 'ES256';

const probeBody = '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}';

type Deps = { readonly documents: MetadataDocuments; readonly issuerMetadata: IssuerMetadata };

export function createServerDiscovery(deps: Deps): DiscoverServer {
  const { documents } = deps;
  return async (url, challenge) => {
    const challenges =
      challenge === undefined ? await requestChallenges(documents, url) : parseChallenges(challenge);
    const found = await findAuthorizationServer(deps, url, challenges);
    if (found === null) return null;
    const { resource, metadata, document } = found;
    return {
      resource,
      metadata,
      issuer: metadata.issuer,
      scopes: scopesToAsk(challenges, document, metadata),
      wantsDPoP: wantsDPoP(challenges, document, metadata),
    };
  };
}

/** Does a server refuse these fields' token by failing? `fields`: those of a request with the token. */
export type IsRefusedByFailing = (url: string, fields: Readonly<Record<string, string>>) => Promise<boolean>;

/**
 * Guards in the wild answer 500 to a token that they do not know. Told by a request that changes nothing: a stranger is
 * turned away with 401, so the server is well, and with the token it fails.
 */
export function createRefusalCheck({ post }: Pick<MetadataDocuments, 'post'>): IsRefusedByFailing {
  const accept = 'application/json, text/event-stream';
  return async (url, fields) => {
    try {
      const stranger = await post(url, { accept }, probeBody);
      return stranger.status === 401 && (await post(url, { accept, ...fields }, probeBody)).status >= 500;
    } catch {
      // It cannot be told.
      return false;
    }
  };
}

/** What the server says to a stranger. */
async function requestChallenges(documents: MetadataDocuments, url: string): Promise<readonly Challenge[]> {
  try {
    const reply = await documents.post(url, { accept: 'application/json, text/event-stream' }, probeBody);
    return reply.status === 401 ? parseChallenges(reply.headers['www-authenticate']) : [];
  } catch (error) {
    // The server did answer: an open stream is too large or too slow for a question. Dead hosts fail again below.
    if ((error as { reason?: string }).reason === 'refused') throw error;
    return [];
  }
}

type Found = {
  readonly resource: string;
  readonly metadata: oauth.AuthorizationServer;
  /** The resource's own metadata; null: it has none. */
  readonly document: JsonObject | null;
};

/** What names an authorization server: the document that the challenge names, those of the well-known places, the origin itself. */
async function findAuthorizationServer(
  { documents, issuerMetadata }: Deps,
  url: string,
  challenges: readonly Challenge[],
): Promise<Found | null> {
  const named =
    challenges.find(({ resourceMetadata }) => resourceMetadata !== null)?.resourceMetadata ?? null;
  const places = [...new Set([...(named === null ? [] : [named]), ...resourceMetadataUrls(url)])];
  const failures: unknown[] = [];
  const found = await firstUsable(places, async (place) => {
    try {
      const document = await documents.read(checkedUrl(place));
      if (document !== null) return await namedAuthorizationServer(document, url, issuerMetadata);
      if (place === named) throw new NoDocument('the resource metadata that it names is not there');
      return null;
    } catch (error) {
      // A document that somebody names at a host that is away is as good as none; the server's own host is another matter.
      if (place !== named || !(error instanceof OutboundFailure)) throw error;
      failures.push(error);
      return null;
    }
  }).catch((error: unknown) => {
    if (!(error instanceof DiscoveryRefusal)) throw error;
    failures.unshift(error);
    return null;
  });
  if (found !== null) return found;
  const own = await ownAuthorizationServer(url, issuerMetadata);
  if (own === null && failures.length > 0) throw failures[0];
  return own;
}

async function namedAuthorizationServer(
  document: JsonObject,
  url: string,
  issuerMetadata: IssuerMetadata,
): Promise<Found> {
  const { resource } = document;
  // Else somebody's metadata could have us fetch tokens for somebody else (RFC 9728 section 3.3, threats N1).
  if (typeof resource !== 'string' || !covers(resource, url))
    throw new DiscoveryRefusal('its resource metadata is for another resource');
  const metadata = await firstUsable(textsIn(document.authorization_servers), issuerMetadata);
  if (metadata === null) throw new DiscoveryRefusal('its resource metadata names no authorization server');
  return { resource, metadata, document };
}

/** Servers of 2025-03-26 have no resource metadata: their own origin is the authorization server. */
async function ownAuthorizationServer(url: string, issuerMetadata: IssuerMetadata): Promise<Found | null> {
  try {
    const metadata = await issuerMetadata(new URL(url).origin);
    return { resource: url.replace(/#.*$/s, ''), metadata, document: null };
  } catch (error) {
    if (error instanceof DiscoveryRefusal) return null;
    throw error;
  }
}

/** The challenge's, else all that the resource knows; a refresh token is asked for only where that is known (threats N7). */
function scopesToAsk(
  challenges: readonly Challenge[],
  document: JsonObject | null,
  metadata: oauth.AuthorizationServer,
): readonly string[] {
  const challenged = challenges.find(({ scopes }) => scopes.length > 0)?.scopes;
  return withOfflineAccess(challenged ?? textsIn(document?.scopes_supported), metadata);
}

/** Alone it would stand in the place of the server's own defaults. */
export function withOfflineAccess(
  scopes: readonly string[],
  metadata: oauth.AuthorizationServer,
): readonly string[] {
  const others = scopes.filter((scope) => scope !== 'offline_access');
  const offered = textsIn(metadata.scopes_supported).includes('offline_access');
  return others.length > 0 && offered ? [...others, 'offline_access'] : others;
}

function wantsDPoP(
  challenges: readonly Challenge[],
  document: JsonObject | null,
  metadata: oauth.AuthorizationServer,
): boolean {
  if (!textsIn(metadata.dpop_signing_alg_values_supported).includes(dpopAlgorithm)) return false;
  return (
    challenges.some(({ scheme }) => scheme === 'dpop') ||
    document?.dpop_bound_access_tokens_required === true ||
    textsIn(document?.dpop_signing_alg_values_supported).includes(dpopAlgorithm)
  );
}

/** RFC 9728 section 3.1: first the place of this path, then that of the whole origin. */
function resourceMetadataUrls(url: string): string[] {
  const { origin, pathname } = new URL(url);
  const root = `${origin}/.well-known/oauth-protected-resource`;
  return pathname === '/' ? [root] : [`${root}${pathname}`, root];
}
