import type * as oauth from 'oauth4webapi';
import type { JsonObject } from '../../base/json.ts';
import { covers } from '../grant-target.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import type { IssuerMetadata } from './issuer-metadata.ts';
import { checkedUrl, DiscoveryRefusal, type MetadataDocuments, textsIn } from './metadata-documents.ts';

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
  const { documents, issuerMetadata } = deps;
  return async (url, challenge) => {
    const challenges =
      challenge === undefined ? await requestChallenges(documents, url) : parseChallenges(challenge);
    const document = await readResourceDocument(documents, url, challenges);
    const found =
      document === null
        ? await ownAuthorizationServer(url, issuerMetadata)
        : await namedAuthorizationServer(document, url, issuerMetadata);
    if (found === null) return null;
    return {
      ...found,
      issuer: found.metadata.issuer,
      scopes: scopesToAsk(challenges, document, found.metadata),
      wantsDPoP: wantsDPoP(challenges, document, found.metadata),
    };
  };
}

/** What the server says to a stranger. */
async function requestChallenges(documents: MetadataDocuments, url: string): Promise<readonly Challenge[]> {
  try {
    const reply = await documents.post(url, 'application/json, text/event-stream', probeBody);
    return reply.status === 401 ? parseChallenges(reply.headers['www-authenticate']) : [];
  } catch (error) {
    // The server did answer: an open stream is too large or too slow for a question. Dead hosts fail again below.
    if ((error as { reason?: string }).reason === 'refused') throw error;
    return [];
  }
}

async function readResourceDocument(
  documents: MetadataDocuments,
  url: string,
  challenges: readonly Challenge[],
): Promise<JsonObject | null> {
  const named = challenges.find(({ resourceMetadata }) => resourceMetadata !== null)?.resourceMetadata;
  for (const location of named == null ? resourceMetadataUrls(url) : [named]) {
    const found = await documents.read(checkedUrl(location));
    if (found !== null) return found;
  }
  if (named != null) throw new DiscoveryRefusal('the resource metadata that it names is not there');
  return null;
}

type Found = { readonly resource: string; readonly metadata: oauth.AuthorizationServer };

async function namedAuthorizationServer(
  document: JsonObject,
  url: string,
  issuerMetadata: IssuerMetadata,
): Promise<Found> {
  const { resource } = document;
  // Else somebody's metadata could have us fetch tokens for somebody else (RFC 9728 section 3.3, threats N1).
  if (typeof resource !== 'string' || !covers(resource, url))
    throw new DiscoveryRefusal('its resource metadata is for another resource');
  const [issuer] = textsIn(document.authorization_servers);
  if (issuer === undefined) throw new DiscoveryRefusal('its resource metadata names no authorization server');
  return { resource, metadata: await issuerMetadata(issuer) };
}

/** Servers of 2025-03-26 have no resource metadata: their own origin is the authorization server. */
async function ownAuthorizationServer(url: string, issuerMetadata: IssuerMetadata): Promise<Found | null> {
  try {
    return { resource: url.replace(/#.*$/s, ''), metadata: await issuerMetadata(new URL(url).origin) };
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
