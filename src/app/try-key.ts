import { namesHost, usualCredentials } from '../base/user-credentials.ts';
import type { Catalog, ServerRecord } from '../catalog/catalog.ts';
import type { KnownServer, TryKey } from '../connections/connections.ts';
import type { LocalServerList, Mcp } from '../mcp/mcp.ts';

type Deps = {
  readonly catalog: Pick<Catalog, 'get'>;
  readonly locals: Pick<LocalServerList, 'get' | 'trusts'>;
  /** There once everything is open. */
  readonly mcp: () => Pick<Mcp, 'probeAddress'>;
};

/** A server as connections know it. Throws not_found, server_gone. */
export async function findKnownServer({ catalog, locals }: Deps, id: string): Promise<KnownServer> {
  const record = await catalog.get(id);
  const { name, source, authType } = record;
  const local = source === 'config' ? locals.get(id) : undefined;
  if (local !== undefined) return { id, name, url: local.url, asks: null, wantsKey: false };
  return { id, name, url: record.remoteUrl, asks: asksOf(record), wantsKey: authType === 'api_key' };
}

/** What is not said is a key in the usual place: it is tried before it is kept. */
function asksOf({ userCredentials, authType }: ServerRecord): KnownServer['asks'] {
  if (userCredentials != null) return userCredentials;
  return authType === 'api_key' || authType === 'bearer' ? usualCredentials : null;
}

const refused = 'The server did not take it: it wants other credentials';

/** Asks the server for its tools with what a user brings. Its own words stay away: they may quote a key. */
export function createTryKey({ catalog, locals, mcp }: Deps): TryKey {
  return async (serverId, { url, headers }, signal) => {
    const { remoteUrl, transport, protocolRevision = null } = await catalog.get(serverId);
    if (namesHost(remoteUrl ?? '') && isOfOperator(locals, url))
      return { kind: 'refused', reason: 'That is not a place for this server' };
    const way = transport === 'sse' ? 'sse' : 'streamable-http';
    const address = { url, transport: way, headers, revision: protocolRevision } as const;
    const { state, tools } = await mcp().probeAddress(address, signal);
    if (state === 'auth') return { kind: 'refused', reason: refused };
    if (state === 'up' && tools !== null) return { kind: 'taken' };
    return { kind: 'unreached', reason: reasons[state] };
  };
}

const reasons = {
  up: 'The server wants no more requests just now: try again in a minute',
  not_mcp: 'What answers there does not speak MCP',
  down: 'The server could not be reached: try again',
} as const;

/** What the operator's own file names is trusted for that, and not for whoever types it in (threats N14). */
function isOfOperator(locals: Pick<LocalServerList, 'trusts'>, url: string): boolean {
  const { hostname, port, protocol } = new URL(url);
  return locals.trusts(hostname, Number(port || (protocol === 'https:' ? 443 : 80)));
}
