import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { isAmong } from '../../base/ip-networks.ts';

/**
 * Where a request comes from. What proxies say of it (X-Forwarded-For, or Forwarded of RFC 7239 section 4) counts only where
 * the connection is a trusted proxy's, and back to the first address that is not one: whatever stands before that anybody
 * may have written. Where both fields are there and disagree, one of them is not the proxy's, and it is the proxy itself
 * that counts.
 */
export function clientAddress(
  peer: string,
  headers: IncomingHttpHeaders,
  trusted: readonly string[],
): string {
  if (trusted.length === 0 || !isIP(peer) || !isAmong(peer, trusted)) return peer;
  const said = [forwardedFor(headers), forwarded(headers)]
    .filter((chain) => chain.length > 0)
    .map((chain) => firstUntrusted(chain, peer, trusted));
  const [address = peer, other = address] = said;
  return address === other ? address : peer;
}

/** From the nearest back; an entry that is no address ends what is known. */
function firstUntrusted(chain: readonly string[], peer: string, trusted: readonly string[]): string {
  let nearest = peer;
  for (const entry of chain.toReversed()) {
    const address = withoutPort(entry);
    if (!isIP(address)) return nearest;
    if (!isAmong(address, trusted)) return address;
    nearest = address;
  }
  return nearest;
}

function forwardedFor(headers: IncomingHttpHeaders): string[] {
  return listOf(headers['x-forwarded-for']);
}

function forwarded({ forwarded: field }: IncomingHttpHeaders): string[] {
  return listOf(field).map((element) => /(?:^|;)\s*for="?([^";]+)"?/i.exec(element)?.[1] ?? '');
}

function listOf(field: string | readonly string[] | undefined): string[] {
  return field === undefined
    ? []
    : [field]
        .flat()
        .join(',')
        .split(',')
        .map((entry) => entry.trim());
}

/** `192.0.2.1:4711`, `[2001:db8::1]:4711` and `[2001:db8::1]` name their addresses. */
function withoutPort(entry: string): string {
  return /^\[([^\]]+)\](?::\d+)?$/.exec(entry)?.[1] ?? /^([\d.]+):\d+$/.exec(entry)?.[1] ?? entry;
}
