import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** Lists compiled once for each list of texts there is. */
const compiled = new WeakMap<readonly string[], BlockList>();

/** Whether an address is one of these, or in one of these networks (CIDR). */
export function isAmong(address: string, allowed: readonly string[]): boolean {
  let list = compiled.get(allowed);
  if (list === undefined) {
    list = new BlockList();
    for (const entry of allowed) {
      const [network = '', bits] = entry.split('/');
      const family = isIPv4(network) ? 'ipv4' : 'ipv6';
      if (bits === undefined) list.addAddress(network, family);
      else list.addSubnet(network, Number(bits), family);
    }
    compiled.set(allowed, list);
  }
  const plain = address.toLowerCase().startsWith('::ffff:') ? address.slice(7) : address;
  return list.check(plain, isIPv4(plain) ? 'ipv4' : 'ipv6');
}

export function isAddressOrNetwork(text: string): boolean {
  const [network = '', bits, ...rest] = text.split('/');
  if (rest.length > 0 || (!isIPv4(network) && !isIPv6(network))) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (isIPv4(network) ? 32 : 128));
}
