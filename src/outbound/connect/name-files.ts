import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';

/** What the machine says about names beside DNS. */
export type NameFiles = {
  /** Addresses of /etc/hosts. */
  readonly addressesOf: (name: string) => readonly string[];
  /** Names to ask DNS for, in order: `search` and `ndots` of resolv.conf, which c-ares applies in `getaddrinfo` alone. */
  readonly candidatesFor: (name: string) => readonly string[];
  /** Another one each time that resolv.conf was changed. */
  readonly revision: () => number;
};

type Hosts = ReadonlyMap<string, readonly string[]>;
type SearchRules = { readonly domains: readonly string[]; readonly dots: number };

const hostsPath = process.platform === 'win32' ? 'C:\\Windows\\System32\\drivers\\etc\\hosts' : '/etc/hosts';
const resolvPath = '/etc/resolv.conf';
/** Files are looked at again so often. */
const checkMs = 5_000;
/** As glibc has it. */
const maxDots = 15;

export function openNameFiles(hostsFile = hostsPath, resolvFile = resolvPath): NameFiles {
  const hosts = watchFile(hostsFile, parseHosts);
  const rules = watchFile(resolvFile, parseSearchRules);
  return {
    addressesOf: (name) => hosts().value.get(name) ?? [],
    candidatesFor: (name) => candidates(name, rules().value),
    revision: () => rules().changedMs,
  };
}

/** The parsed file, read again when it was changed. Synchronous: libuv's pool may be what we are waiting for. */
function watchFile<T>(path: string, parse: (text: string) => T) {
  let known = { value: parse(''), changedMs: 0 };
  let checkedAt = Number.NEGATIVE_INFINITY;
  return () => {
    const now = performance.now();
    if (now - checkedAt < checkMs) return known;
    checkedAt = now;
    const changedMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (changedMs !== known.changedMs) known = { value: parse(readText(path)), changedMs };
    return known;
  };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** hosts(5) */
function parseHosts(text: string): Hosts {
  const hosts = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [address = '', ...names] = (line.split('#')[0] ?? '').trim().split(/\s+/);
    if (isIP(address) === 0) continue;
    for (const name of names.map((each) => each.toLowerCase())) {
      const known = hosts.get(name);
      if (known === undefined) hosts.set(name, [address]);
      else if (!known.includes(address)) known.push(address);
    }
  }
  return hosts;
}

/** resolv.conf(5): the last of `domain` and `search` counts. */
function parseSearchRules(text: string): SearchRules {
  let domains: readonly string[] = [];
  let dots = 1;
  for (const line of text.split('\n')) {
    const [keyword, ...words] = line.trim().split(/\s+/);
    if (keyword === 'search' || keyword === 'domain') domains = words.filter((word) => word !== '.');
    const option = keyword === 'options' ? words.find((word) => /^ndots:\d+$/.test(word)) : undefined;
    if (option !== undefined) dots = Math.min(Number(option.slice('ndots:'.length)), maxDots);
  }
  return { domains, dots };
}

function candidates(name: string, { domains, dots }: SearchRules): readonly string[] {
  if (name.endsWith('.')) return [name];
  const searched = domains.map((domain) => `${name}.${domain}`);
  return name.split('.').length - 1 >= dots ? [name, ...searched] : [...searched, name];
}
