import type * as oauth from 'oauth4webapi';
import type { Clock } from '../../base/clock.ts';
import type { JsonObject } from '../../base/json.ts';
import { RevalidatingCache } from '../../base/revalidating-cache.ts';
import { OutboundFailure } from '../../outbound/outbound.ts';
import {
  checkedUrl,
  DiscoveryRefusal,
  firstUsable,
  isWebUrl,
  type MetadataDocuments,
  textsIn,
} from './metadata-documents.ts';

/**
 * The metadata of an issuer (RFC 8414, OpenID Connect Discovery); `openId` looks first where OpenID Connect has it.
 * Throws DiscoveryRefusal, and OutboundFailure when nobody can be reached.
 */
export type IssuerMetadata = (
  issuer: string,
  options?: { readonly openId: boolean },
) => Promise<oauth.AuthorizationServer>;

const maxAgeMs = 600_000;
const max = 1_000;

/** One cache for all issuers, those of providers and those of MCP servers; who sends no users there needs less of them. While one is away its last metadata stays good. */
export function createIssuerMetadata(
  documents: MetadataDocuments,
  clock: Clock,
  { forUsers } = { forUsers: true },
): IssuerMetadata {
  const cache = new RevalidatingCache<oauth.AuthorizationServer>({ max, maxAgeMs, now: clock.monotonic });
  return async (issuer, { openId } = { openId: false }) =>
    cache.get(issuer) ??
    cache
      .load(issuer, () => readMetadata(documents, issuer, { openId, forUsers }))
      .catch((error: unknown) => {
        const last = error instanceof OutboundFailure ? cache.getStale(issuer) : undefined;
        if (last === undefined) throw error;
        return last;
      });
}

async function readMetadata(
  documents: MetadataDocuments,
  issuer: string,
  { openId, forUsers }: { readonly openId: boolean; readonly forUsers: boolean },
): Promise<oauth.AuthorizationServer> {
  const urls = metadataUrls(checkedUrl(issuer));
  const found = await firstUsable(openId ? urls.toReversed() : urls, async (url) => {
    const document = await documents.read(url);
    return document === null ? null : checkMetadata(document, issuer, forUsers);
  });
  if (found === null) throw new DiscoveryRefusal('its authorization server publishes no metadata');
  return found;
}

/** RFC 8414 section 3.1, then OpenID Connect in both of its places. */
function metadataUrls(issuer: string): string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  const inserted = ['oauth-authorization-server', 'openid-configuration'].map(
    (name) => `${origin}/.well-known/${name}${path}`,
  );
  return path === '' ? inserted : [...inserted, `${origin}${path}/.well-known/openid-configuration`];
}

/** What we rely on of an authorization server's metadata (RFC 8414 section 3.3, threats F2, N1). */
function checkMetadata(document: JsonObject, issuer: string, forUsers: boolean): oauth.AuthorizationServer {
  // `https://as.example` and `https://as.example/` have one metadata URL, and lists of issuers write it both ways.
  const same =
    typeof document.issuer === 'string' && URL.parse(document.issuer)?.href === new URL(issuer).href;
  if (!same) throw new DiscoveryRefusal('the metadata of its authorization server is that of another issuer');
  for (const field of [...(forUsers ? ['authorization_endpoint'] : []), 'token_endpoint'])
    if (!isWebUrl(document[field]))
      throw new DiscoveryRefusal(`its authorization server has no usable ${field}`);
  // Without S256 in its list it may ignore PKCE altogether (threats F2).
  if (forUsers && !textsIn(document.code_challenge_methods_supported).includes('S256'))
    throw new DiscoveryRefusal('its authorization server does not offer PKCE with S256');
  return document as unknown as oauth.AuthorizationServer;
}
