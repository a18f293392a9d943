import { isIP, isIPv6 } from 'node:net';
import { type AllowRules, isMetadataAddress, isPublicAddress } from './address.ts';
import type { Resolve } from './lookup.ts';

export type Endpoint = { readonly hostname: string; readonly port: number };

export type AddressGuard = {
  /** May this address be spoken to for that host? */
  permits(endpoint: Endpoint, address: string): boolean;
  /** Whether the host is blocked whatever it resolves to. */
  isSeenBlocked(endpoint: Endpoint): boolean;
  /** All addresses of the host; throws when one of them is blocked (threats E1, E4). */
  addressesOf(endpoint: Endpoint, background: boolean): Promise<readonly string[]>;
  /**
   * Behind an outgoing proxy it is the proxy that resolves names: false for a host that must be reached past it, since
   * the operator allowed its private address. Throws for what can be seen to be blocked from here.
   */
  mayUseProxy(endpoint: Endpoint, background: boolean): Promise<boolean>;
};

/** Names that are private wherever they are resolved: loopback, and the metadata services of clouds (threats E7). */
const loopbackName = /(^|\.)localhost\.?$/;
const metadataName =
  /^(metadata|metadata\.google\.internal|metadata\.goog|instance-data(\.ec2\.internal)?)\.?$/;

/** Decides which addresses may be dialled. */
export function createAddressGuard(allow: AllowRules, resolve: Resolve): AddressGuard {
  const isAllowedHost = ({ hostname, port }: Endpoint) =>
    allow.host(isIPv6(hostname) ? `[${hostname}]` : hostname, port);
  const permits: AddressGuard['permits'] = (endpoint, address) =>
    !isMetadataAddress(address) &&
    (isAllowedHost(endpoint) || allow.address(address) || isPublicAddress(address));

  const addressesOf: AddressGuard['addressesOf'] = async (endpoint, background) => {
    const { hostname } = endpoint;
    const addresses = isIP(hostname) === 0 ? await resolve(hostname, background) : [hostname];
    if (addresses.length === 0 || !addresses.every((address) => permits(endpoint, address)))
      throw new BlockedAddress(hostname);
    return addresses;
  };

  const isSeenBlocked = (endpoint: Endpoint) => {
    const { hostname } = endpoint;
    if (isIP(hostname) !== 0) return !permits(endpoint, hostname);
    return metadataName.test(hostname) || (loopbackName.test(hostname) && !isAllowedHost(endpoint));
  };

  return {
    permits,
    isSeenBlocked,
    addressesOf,
    async mayUseProxy(endpoint, background) {
      const { hostname } = endpoint;
      const isAllowed = isAllowedHost(endpoint);
      if (isIP(hostname) === 0 && isSeenBlocked(endpoint)) throw new BlockedAddress(hostname);
      // Of other names nothing is known here, and nothing need be: most networks with a proxy resolve none but their own.
      if (isIP(hostname) === 0 && !isAllowed && !allow.hasNetworks) return true;
      try {
        return (await addressesOf(endpoint, background)).every(isPublicAddress);
      } catch (error) {
        if (error instanceof BlockedAddress) throw error;
        return true;
      }
    },
  };
}

class BlockedAddress extends Error {
  constructor(hostname: string) {
    super(`an address of ${hostname} is not allowed`);
  }
}
