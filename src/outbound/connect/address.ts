import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** IPv4 that is not global unicast (IANA special-purpose registry; threats E1). */
const deniedV4 = blockList('ipv4', [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
]);
/** Of IPv6 only 2000::/3 is global unicast, and these parts of it are not (threats E1). */
const globalV6 = blockList('ipv6', [['2000::', 3]]);
const deniedV6 = blockList('ipv6', [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]);
/** Cloud metadata services: never, whatever the operator allows (threats E7). */
const metadata = blockList('ipv4', [
  ['169.254.169.254', 32],
  ['100.100.100.200', 32],
]);
metadata.addAddress('fd00:ec2::254', 'ipv6');

export type AllowRules = {
  /** May this URL's host be private and spoken to over http? */
  readonly host: (hostname: string, port: number) => boolean;
  readonly address: (address: string) => boolean;
  /** Is there a CIDR among them? Then any name may be of an allowed address. */
  readonly hasNetworks: boolean;
};

export function isMetadataAddress(address: string): boolean {
  return metadata.check(unmapped(address), isIPv4(unmapped(address)) ? 'ipv4' : 'ipv6');
}

/** Global unicast, nothing else. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !deniedV4.check(address, 'ipv4');
  return isIPv6(address) && globalV6.check(address, 'ipv6') && !deniedV6.check(address, 'ipv6');
}

/** Rules from `MCPRANK_ALLOW_UPSTREAMS`: hosts, host:port, or CIDR. */
export function parseAllowRules(
  entries: readonly string[],
  trusts: AllowRules['host'] = () => false,
): AllowRules {
  const hosts = new Set<string>();
  const networks = new BlockList();
  for (const entry of entries) {
    const [network, bits] = entry.split('/');
    if (bits === undefined) hosts.add(entry);
    else networks.addSubnet(network ?? '', Number(bits), isIPv4(network ?? '') ? 'ipv4' : 'ipv6');
  }
  const address = (text: string) => networks.check(unmapped(text), isIPv4(unmapped(text)) ? 'ipv4' : 'ipv6');
  return {
    host: (hostname, port) =>
      hosts.has(hostname) ||
      hosts.has(`${hostname}:${port}`) ||
      trusts(hostname, port) ||
      (isAddress(hostname) && address(bare(hostname))),
    address,
    hasNetworks: entries.some((entry) => entry.includes('/')),
  };
}

/** `[::1]` as URLs write it -> `::1`. */
export function bare(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}

function isAddress(hostname: string): boolean {
  return isIPv4(hostname) || isIPv6(bare(hostname));
}

function unmapped(address: string): string {
  return address.toLowerCase().startsWith('::ffff:') && isIPv4(address.slice(7)) ? address.slice(7) : address;
}

function blockList(family: 'ipv4' | 'ipv6', subnets: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList();
  for (const [network, bits] of subnets) list.addSubnet(network, bits, family);
  return list;
}
