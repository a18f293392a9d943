/** How consents with MCP servers are named and bound beside those with providers. */

/** What a grant is for: a provider, or one resource of an issuer by way of an MCP server. */
export type GrantTarget = {
  readonly provider: string;
  readonly issuer: string | null;
  readonly resource: string | null;
};

/** Provider names have no colon, so the two can never be taken for each other. */
const prefix = 'mcp:';

/** What stands for an MCP server where a provider's name stands. */
export function serverProviderName(serverId: string): string {
  return `${prefix}${serverId}`;
}

/** null: a provider's, not a server's. */
export function parseServerId(provider: string): string | null {
  return provider.startsWith(prefix) ? provider.slice(prefix.length) : null;
}

/** What a user brought themselves: nobody issued it, and it is for the server's URL to the letter. */
export function isOfKey({ issuer, resource }: Pick<GrantTarget, 'issuer' | 'resource'>): boolean {
  return issuer === null && resource !== null;
}

/** The last part of the callback's path: one for all MCP servers, told apart by state and `iss` (threats F4). */
export function callbackName(provider: string): string {
  return provider.startsWith(prefix) ? 'mcp' : provider;
}

/** A resource is for a server when it has the same origin and its path is that of the URL or above it (RFC 8707, threats N1). */
export function covers(resource: string, url: string): boolean {
  const [wide, narrow] = [URL.parse(resource), URL.parse(url)];
  if (wide === null || narrow === null || wide.origin !== narrow.origin || wide.origin === 'null')
    return false;
  if (wide.hash !== '' || wide.username !== '' || (wide.search !== '' && wide.search !== narrow.search))
    return false;
  // A final slash makes no difference: many servers publish one and are called without, or the other way round.
  const [above, path] = [wide, narrow].map(({ pathname }) =>
    pathname.endsWith('/') ? pathname : `${pathname}/`,
  );
  return path?.startsWith(above ?? path) ?? false;
}

/** Scopes as they stand in a row or a token reply (RFC 6749 section 3.3). */
export function splitScopes(text: string | null | undefined): string[] {
  return (text ?? '').split(' ').filter((scope) => scope !== '');
}
