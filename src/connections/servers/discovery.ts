import type * as oauth from 'oauth4webapi';
import type { Clock } from '../../base/clock.ts';
import { isObject, type JsonObject } from '../../base/json.ts';
import { Problem } from '../../base/problem.ts';
import type { Outbound } from '../../outbound/outbound.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import { proofAlgorithm } from './proof.ts';
import { covers } from './resource.ts';

/** What an MCP server and its authorization server say about how to be let in. */
export type Discovered = {
  /** As published, to the letter: it goes out as the `resource` parameter (RFC 8707). */
  readonly resource: string;
  readonly issuer: string;
  readonly server: oauth.AuthorizationServer;
  /** What to ask for when nobody says otherwise. */
  readonly scopes: readonly string[];
  /** Tokens are to be bound to a key (RFC 9449). */
  readonly proof: boolean;
};

/** The documents are there, and they are not to be followed; the message is for the caller. */
export class DiscoveryRefusal extends Error {}

export type Discovery = {
  /**
   * `challenge`: the server's own WWW-Authenticate, when it has just refused; else it is asked. null: the server does
   * not do OAuth. Throws DiscoveryRefusal, and OutboundFailure when somebody cannot be reached.
   */
  discover(url: string, challenge?: string): Promise<Discovered | null>;
  /** The metadata of an issuer; throws the same. */
  metadata(issuer: string): Promise<oauth.AuthorizationServer>;
};

/** Larger or slower documents than any real one are cut off (threats N9). */
const maxBytes = 65_536;
const documentMs = 5_000;
const metadataKeptMs = 600_000;
const maxKept = 1_000;
const probeBody = '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}';

export function createDiscovery({ outbound, clock }: { outbound: Outbound; clock: Clock }): Discovery {
  const kept = new Map<
    string,
    { readonly at: number; readonly server: Promise<oauth.AuthorizationServer> }
  >();

  const request = (method: 'GET' | 'POST', url: string, headers: Record<string, string>, body?: string) =>
    outbound
      .request({
        method,
        url,
        headers: { 'user-agent': 'mcprank', ...headers },
        timeoutMs: documentMs,
        firstByteMs: documentMs,
        maxBytes,
        ...(body === undefined ? {} : { body }),
      })
      .catch((error: unknown) => {
        // Not the caller's URL: that of a document, and what is wrong with it is no news for whoever wrote it (threats E8).
        if (!(error instanceof Problem) || error.kind !== 'invalid_request') throw error;
        throw new DiscoveryRefusal('its metadata names a place that is not spoken to', { cause: error });
      });

  /** null: there is no such document. */
  const read = async (url: string): Promise<JsonObject | null> => {
    const { status, body } = await request('GET', url, { accept: 'application/json' });
    if (status >= 400 && status < 500) return null;
    if (status !== 200) throw new DiscoveryRefusal(`${url} answers ${status}`);
    try {
      const value: unknown = JSON.parse(body.toString('utf8'));
      if (isObject(value)) return value;
    } catch {
      // Said below.
    }
    throw new DiscoveryRefusal(`${url} is not a JSON document`);
  };

  /** What the server says to a stranger. */
  const ask = async (url: string): Promise<readonly Challenge[]> => {
    const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
    try {
      const reply = await request('POST', url, headers, probeBody);
      return reply.status === 401 ? parseChallenges(reply.headers['www-authenticate']) : [];
    } catch (error) {
      // It has just been heard of: an open stream is too large or too slow for a question. Dead hosts fail again below.
      if ((error as { reason?: string }).reason === 'refused') throw error;
      return [];
    }
  };

  const resourceDocument = async (
    url: string,
    challenges: readonly Challenge[],
  ): Promise<JsonObject | null> => {
    const named = challenges.find(({ resourceMetadata }) => resourceMetadata !== null)?.resourceMetadata;
    for (const place of named == null ? wellKnown(url, 'oauth-protected-resource') : [named]) {
      const found = await read(checked(place));
      if (found !== null) return found;
    }
    if (named != null) throw new DiscoveryRefusal('the resource metadata that it names is not there');
    return null;
  };

  const lookUp = async (issuer: string): Promise<oauth.AuthorizationServer> => {
    const places = metadataPlaces(checked(issuer));
    for (const place of places) {
      const found = await read(place);
      if (found !== null) return usable(found, issuer);
    }
    throw new DiscoveryRefusal('its authorization server publishes no metadata');
  };

  const metadata: Discovery['metadata'] = (issuer) => {
    const known = kept.get(issuer);
    if (known !== undefined && clock.monotonic() - known.at < metadataKeptMs) return known.server;
    const server = lookUp(issuer);
    if (kept.size >= maxKept) kept.clear();
    kept.set(issuer, { at: clock.monotonic(), server });
    server.catch(() => kept.delete(issuer));
    return server;
  };

  /** Servers of 2025-03-26 have no resource metadata: their own origin is the authorization server. */
  const withoutDocument = async (url: string) => {
    const { origin } = new URL(url);
    const server = await metadata(origin).catch((error: unknown) => {
      if (error instanceof DiscoveryRefusal) return null;
      throw error;
    });
    return server === null ? null : { resource: url.replace(/#.*$/s, ''), issuer: server.issuer, server };
  };

  return {
    metadata,
    async discover(url, said) {
      const challenges = said === undefined ? await ask(url) : parseChallenges(said);
      const document = await resourceDocument(url, challenges);
      const found =
        document === null ? await withoutDocument(url) : await fromDocument(document, url, metadata);
      if (found === null) return null;
      return {
        ...found,
        scopes: scopesOf(challenges, document, found.server),
        proof: wantsProof(challenges, document, found.server),
      };
    },
  };
}

async function fromDocument(
  document: JsonObject,
  url: string,
  metadata: (issuer: string) => Promise<oauth.AuthorizationServer>,
) {
  const { resource } = document;
  // Else somebody's metadata could have us fetch tokens for somebody else (RFC 9728 section 3.3, threats N1).
  if (typeof resource !== 'string' || !covers(resource, url))
    throw new DiscoveryRefusal('its resource metadata is for another resource');
  const [issuer] = texts(document.authorization_servers);
  if (issuer === undefined) throw new DiscoveryRefusal('its resource metadata names no authorization server');
  const server = await metadata(issuer);
  return { resource, issuer: server.issuer, server };
}

/** What we rely on of an authorization server's metadata (RFC 8414 section 3.3, threats F2, N1). */
function usable(document: JsonObject, issuer: string): oauth.AuthorizationServer {
  // `https://as.example` and `https://as.example/` have one metadata URL, and lists of issuers write it both ways.
  const same =
    typeof document.issuer === 'string' && URL.parse(document.issuer)?.href === new URL(issuer).href;
  if (!same) throw new DiscoveryRefusal('the metadata of its authorization server is that of another issuer');
  for (const field of ['authorization_endpoint', 'token_endpoint'])
    if (!isWebUrl(document[field]))
      throw new DiscoveryRefusal(`its authorization server has no usable ${field}`);
  if (!texts(document.code_challenge_methods_supported).includes('S256'))
    throw new DiscoveryRefusal('its authorization server does not offer PKCE with S256');
  return document as unknown as oauth.AuthorizationServer;
}

/** The challenge's, else all that the resource knows; a refresh token is asked for only where that is known (threats N7). */
function scopesOf(
  challenges: readonly Challenge[],
  document: JsonObject | null,
  server: oauth.AuthorizationServer,
): readonly string[] {
  const challenged = challenges.find(({ scopes }) => scopes.length > 0)?.scopes;
  return withOffline(challenged ?? texts(document?.scopes_supported), server);
}

/** Alone it would stand in the place of the server's own defaults. */
export function withOffline(scopes: readonly string[], server: oauth.AuthorizationServer): readonly string[] {
  const others = scopes.filter((scope) => scope !== 'offline_access');
  const offered = texts(server.scopes_supported).includes('offline_access');
  return others.length > 0 && offered ? [...others, 'offline_access'] : others;
}

function wantsProof(
  challenges: readonly Challenge[],
  document: JsonObject | null,
  server: oauth.AuthorizationServer,
): boolean {
  if (!texts(server.dpop_signing_alg_values_supported).includes(proofAlgorithm)) return false;
  return (
    challenges.some(({ scheme }) => scheme === 'dpop') ||
    document?.dpop_bound_access_tokens_required === true ||
    texts(document?.dpop_signing_alg_values_supported).includes(proofAlgorithm)
  );
}

/** RFC 8414 section 3.1, then OpenID Connect in both of its places. */
function metadataPlaces(issuer: string): string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  const inserted = ['oauth-authorization-server', 'openid-configuration'].map(
    (name) => `${origin}/.well-known/${name}${path}`,
  );
  return path === '' ? inserted : [...inserted, `${origin}${path}/.well-known/openid-configuration`];
}

/** RFC 9728 section 3.1: first the place of this path, then that of the whole origin. */
function wellKnown(url: string, name: string): string[] {
  const { origin, pathname } = new URL(url);
  const root = `${origin}/.well-known/${name}`;
  return pathname === '/' ? [root] : [`${root}${pathname}`, root];
}

/** From documents of others: never `javascript:` or the like (threats F14); where it may lead is outbound's to say. */
function checked(text: string): string {
  if (!isWebUrl(text)) throw new DiscoveryRefusal('its metadata names something that is no http(s) URL');
  return text;
}

function isWebUrl(value: unknown): value is string {
  const url = typeof value === 'string' ? URL.parse(value) : null;
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.hash === '';
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string').slice(0, 200) : [];
}
