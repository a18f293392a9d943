import { Resolver, lookup as systemLookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createBoundedCache } from '../../base/bounded-cache.ts';
import { type NameFiles, openNameFiles } from './name-files.ts';

/** A name's addresses; whoever asks in the background has a bound of its own. */
export type Resolve = (hostname: string, background?: boolean) => Promise<readonly string[]>;

export type LookupOptions = {
  /** DNS servers in place of the system's. */
  readonly servers?: readonly string[];
  readonly files?: NameFiles;
  /** getaddrinfo, on a thread of libuv's pool. */
  readonly fallback?: (hostname: string) => Promise<readonly string[]>;
  readonly deadlineMs?: number;
  readonly maxLookups?: { readonly calls: number; readonly background: number };
};

/** A name that takes longer is no use to a call. */
const lookupDeadlineMs = 5_000;
/** Within the deadline: two tries of each server. */
const cares = { timeout: 2_000, tries: 2, maxTimeout: 2_500 };
/** Names that are looked up at once; each costs two datagrams and no thread. */
const defaultMaxLookups = { calls: 256, background: 32 };
/** Once one family has answered, the other is waited for so long: some servers never answer for AAAA. */
const otherFamilyMs = 1_000;
const keptMs = 10_000;
/** A name that fails is not asked for again by each of a hundred callers. */
const failureKeptMs = 5_000;
const namesKept = 5_000;
/** Calls of getaddrinfo that wait for the one under way. */
const maxFallbacks = 16;
/** DNS does not know the name, or there is no server to ask. */
const unknownToDns: ReadonlySet<unknown> = new Set(['ENOTFOUND', 'ENODATA', 'ECONNREFUSED']);

type Outcome = { readonly addresses: readonly string[] } | { readonly error: Error };

/**
 * Look-ups that nobody can take from the others: each ends in time, one is under way for a name (single flight), so many
 * are in all, and none holds a thread of libuv's pool, where four slow names stop all look-ups and files of a process.
 * The hosts file, then DNS by c-ares, and getaddrinfo (mDNS, nsswitch), one at a time, only for what DNS does not know.
 */
export function createLookup(options: LookupOptions = {}): Resolve {
  const {
    deadlineMs = lookupDeadlineMs,
    maxLookups = defaultMaxLookups,
    fallback = lookupBySystem,
  } = options;
  const files = options.files ?? openNameFiles();
  const cache = createBoundedCache<Outcome>(namesKept);
  const underWay = new Map<string, Promise<readonly string[]>>();
  const counts = { calls: 0, background: 0 };
  const resolveName = createNameResolver({
    files,
    fallback: oneAtATime(fallback),
    resolver: resolverFor(files, options.servers),
  });

  const start = async (name: string, lane: 'calls' | 'background'): Promise<readonly string[]> => {
    counts[lane]++;
    try {
      const addresses = await inTime(resolveName(name, performance.now() + deadlineMs), deadlineMs);
      cache.set(name, { addresses }, { ttl: keptMs });
      return addresses;
    } catch (error) {
      cache.set(name, { error: error as Error }, { ttl: failureKeptMs });
      throw error;
    } finally {
      counts[lane]--;
      underWay.delete(name);
    }
  };

  return async (hostname, background = false) => {
    if (isIP(hostname) !== 0) return [hostname];
    const name = hostname.toLowerCase();
    const known = cache.get(name);
    if (known !== undefined) {
      if ('error' in known) throw known.error;
      return known.addresses;
    }
    const joined = underWay.get(name);
    if (joined !== undefined) return joined;
    const lane = background ? 'background' : 'calls';
    if (counts[lane] >= maxLookups[lane]) throw new Error('too many names are being looked up');
    const started = start(name, lane);
    underWay.set(name, started);
    return started;
  };
}

function createNameResolver(deps: {
  readonly files: NameFiles;
  readonly resolver: () => Resolver;
  readonly fallback: (name: string, deadline: number) => Promise<readonly string[]>;
}) {
  const { files, resolver, fallback } = deps;
  return async (name: string, deadline: number): Promise<readonly string[]> => {
    const absolute = name.replace(/\.$/, '');
    const listed = files.addressesOf(absolute);
    if (listed.length > 0) return listed;
    // RFC 6761 section 6.3.
    if (/(^|\.)localhost$/.test(absolute)) return ['127.0.0.1', '::1'];
    const found = await queryInOrder(resolver(), files.candidatesFor(name), deadline);
    return found ?? fallback(name, deadline);
  };
}

/** The addresses of the first of these names that has some; null when DNS knows none of them. */
async function queryInOrder(
  resolver: Resolver,
  names: readonly string[],
  deadline: number,
): Promise<readonly string[] | null> {
  let failure: Error | undefined;
  for (const name of names) {
    if (performance.now() >= deadline) break;
    try {
      return await queryBothFamilies(resolver, name);
    } catch (error) {
      if (!unknownToDns.has((error as NodeJS.ErrnoException).code)) failure = error as Error;
    }
  }
  if (failure !== undefined) throw failure;
  return null;
}

/** A and AAAA side by side. Throws what is worth more: a failure rather than that there are none. */
async function queryBothFamilies(resolver: Resolver, name: string): Promise<readonly string[]> {
  const found: string[][] = [];
  const queries = [resolver.resolve4(name), resolver.resolve6(name)].map(async (query, i) => {
    found[i] = await query;
  });
  try {
    await Promise.any(queries);
  } catch (error) {
    const { errors } = error as AggregateError;
    throw errors.find(({ code }) => !unknownToDns.has(code)) ?? errors[0];
  }
  await Promise.race([Promise.allSettled(queries), delay(otherFamilyMs, undefined, { ref: false })]);
  return found.flat();
}

/** A resolver reads resolv.conf once, when it is made. */
function resolverFor(files: NameFiles, servers: readonly string[] | undefined): () => Resolver {
  let made: { readonly resolver: Resolver; readonly revision: number } | undefined;
  return () => {
    const revision = files.revision();
    if (made?.revision !== revision) {
      made = { resolver: new Resolver(cares), revision };
      if (servers !== undefined) made.resolver.setServers(servers);
    }
    return made.resolver;
  };
}

async function lookupBySystem(hostname: string): Promise<readonly string[]> {
  return (await systemLookup(hostname, { all: true })).map(({ address }) => address);
}

/** At most one thread of the pool, however long each takes; who waited too long is not begun. */
function oneAtATime(act: (name: string) => Promise<readonly string[]>) {
  let last: Promise<unknown> = Promise.resolve();
  let count = 0;
  return async (name: string, deadline: number): Promise<readonly string[]> => {
    if (count >= maxFallbacks) throw new Error('too many names are being looked up');
    count++;
    const turn = last.then(() => {
      if (performance.now() >= deadline) throw new Error('its look-up did not begin in time');
      return act(name);
    });
    last = turn.catch(() => undefined).finally(() => count--);
    return turn;
  };
}

function inTime<T>(work: Promise<T>, limitMs: number): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => reject(new Error(`its look-up took more than ${limitMs} ms`)), limitMs);
  work.then(resolve, reject);
  return promise.finally(() => clearTimeout(timer));
}
