import { Problem } from './problem.ts';

/** Names that lead to this machine from itself. */
const loopbackHosts = ['localhost', '127.0.0.1', '[::1]'];

export function isLoopbackHost(host: string): boolean {
  return loopbackHosts.includes(host) || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** The names of this service, without ports. */
export function ownHosts(publicUrl: string): readonly string[] {
  return [...loopbackHosts, new URL(publicUrl).hostname];
}

/** Our URL as a caller on this machine spells it (`localhost` for `127.0.0.1`): OAuth's clients compare texts. */
export function urlAsAsked(publicUrl: string, host: string | undefined): string {
  const ours = new URL(publicUrl);
  const asked = URL.parse(`${ours.protocol}//${host}`);
  const isLocal = (url: URL | null) => loopbackHosts.includes(url?.hostname ?? '');
  return isLocal(ours) && isLocal(asked) && asked?.port === ours.port ? asked.origin : publicUrl;
}

export function isHostAmong(url: string, hosts: readonly string[]): boolean {
  const hostname = URL.parse(url)?.hostname;
  return hostname !== undefined && hosts.includes(hostname);
}

/** What may be asked for without a key is asked for by one of our names. Throws `invalid_request`. */
export type HostCheck = (headers: { readonly host?: string | undefined }) => void;

/**
 * DNS rebinding: a page of somebody else's name must not reach a service on this machine through its visitor's browser. Where
 * others may reach us, too, the name is the operator's to choose.
 */
export function createHostCheck(publicUrl: () => string, loopbackOnly: boolean): HostCheck {
  // Most callers say the same name each time.
  let last: { readonly host: string; readonly publicUrl: string } | undefined;
  return ({ host = '' }) => {
    const url = publicUrl();
    if (!loopbackOnly || (last?.host === host && last.publicUrl === url)) return;
    if (!isHostAmong(`http://${host}`, ownHosts(url)))
      throw new Problem('invalid_request', 'host: not a name of this service');
    last = { host, publicUrl: url };
  };
}

/** Throws `cross_site`. */
export type OriginCheck = (headers: { readonly origin?: string | undefined }) => void;

/**
 * The same by what a browser says of its page (MCP 2025-11-25, "Security Warning"). Where others may reach us, what counts is
 * the key or token that a page has to show: doors go by no cookie.
 */
export function createOriginCheck(publicUrl: () => string, loopbackOnly: boolean): OriginCheck {
  return ({ origin }) => {
    if (loopbackOnly && origin !== undefined && !isHostAmong(origin, ownHosts(publicUrl())))
      throw new Problem('cross_site', 'origin: not a page of this service');
  };
}
