import { createBoundedCache } from '../../base/bounded-cache.ts';
import { itemsOf, type JsonView, scanJson } from '../../base/json-scanner.ts';
import { changeMembers, joinJson } from '../../base/json-splice.ts';
import { Problem } from '../../base/problem.ts';
import { type Mcp, noParams, ownParams, principalOf, resultIn, UpstreamFailure } from '../../mcp/mcp.ts';
import type { McpCaller } from '../doors/backend.ts';
import { aliasOf } from './aliases.ts';
import { qualifyUri } from './resource-uris.ts';

/** What servers list beside their tools: by which member, and what tells one from another. */
export const featureKinds = {
  'prompts/list': { list: 'prompts', named: 'name' },
  'resources/list': { list: 'resources', named: 'uri' },
  'resources/templates/list': { list: 'resourceTemplates', named: 'uriTemplate' },
} as const;
export type ListMethod = keyof typeof featureKinds;

export type Feature = {
  /** As its server calls it. */
  readonly own: string;
  /** As we do. */
  readonly name: string;
  /** As we list it: the server's own text, but for the name. */
  readonly text: Buffer;
};
/** Why a server is not in a list, in words that may be shown. */
export type LeftOut = { readonly server_id: string; readonly reason: string; readonly message: string };
export type Listing = { readonly features: readonly Feature[]; readonly leftOut: LeftOut | null };

/** A list waits so long for one server; what comes later is there for the next list. */
const patienceMs = 5_000;
/** What is known is asked for again after this; what failed soon. */
const freshMs = 60_000;
const failedMs = 5_000;
/** Of one server. */
const maxPages = 20;
const maxFeatures = 1_000;
const maxBytes = 1_000_000;
/** Of all principals together. */
const maxKeptBytes = 64_000_000;
const methodNotFound = -32601;

type Kept = { readonly listing: Listing; readonly until: number };
type Flight = { readonly listing: Promise<Listing>; isStale: boolean };

export type FeatureListsDeps = {
  readonly mcp: Pick<Mcp, 'call'>;
  readonly now: () => number;
  /** How long a list waits for one server. */
  readonly patienceMs?: number;
};

/** What each server lists for each principal, asked for once by all who wait, and kept for a minute or until the server tells of a change. */
export class FeatureLists {
  readonly #mcp: Pick<Mcp, 'call'>;
  readonly #now: () => number;
  readonly #patienceMs: number;
  readonly #kept = createBoundedCache<Kept>(maxKeptBytes, { sizeCalculation: sizeOf });
  readonly #flights = new Map<string, Flight>();

  constructor(deps: FeatureListsDeps) {
    this.#mcp = deps.mcp;
    this.#now = deps.now;
    this.#patienceMs = deps.patienceMs ?? patienceMs;
  }

  /** Never fails for what a server does, and is never late. `view`: what the caller sees, by name. */
  async of(caller: McpCaller, view: string, serverId: string, method: ListMethod): Promise<Listing> {
    const key = keyOf(caller, view, serverId, method);
    const kept = this.#kept.get(key);
    if (kept !== undefined && kept.until > this.#now()) return kept.listing;
    const flight = this.#flights.get(key) ?? this.#begin(key, caller, serverId, method);
    return inTime(flight.listing, this.#patienceMs, {
      features: [],
      leftOut: {
        server_id: serverId,
        reason: 'timeout',
        message: 'It has not answered yet: list again later',
      },
    });
  }

  /** The server said that its lists changed. */
  forget(caller: McpCaller, view: string, serverId: string): void {
    for (const method of Object.keys(featureKinds) as ListMethod[]) {
      const key = keyOf(caller, view, serverId, method);
      this.#kept.delete(key);
      const flight = this.#flights.get(key);
      if (flight !== undefined) flight.isStale = true;
      this.#flights.delete(key);
    }
  }

  #begin(key: string, caller: McpCaller, serverId: string, method: ListMethod): Flight {
    const flight: Flight = { listing: this.#read(caller, serverId, method), isStale: false };
    this.#flights.set(key, flight);
    const land = (listing?: Listing) => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
      if (listing === undefined || flight.isStale) return;
      const lasts = listing.leftOut === null ? freshMs : failedMs;
      this.#kept.set(key, { listing, until: this.#now() + lasts });
    };
    flight.listing.then(land, () => land());
    return flight;
  }

  /** Others may wait for the same: whoever asked first does not end it by leaving. */
  async #read(asking: McpCaller, serverId: string, method: ListMethod): Promise<Listing> {
    const { signal: _, onNotification: __, ...caller } = asking;
    try {
      return { features: await this.#readPages(caller, serverId, method), leftOut: null };
    } catch (error) {
      if (!(error instanceof Problem) || error.kind === 'internal') throw error;
      // What is not there for this caller is not told of either.
      if (hidden.has(error.kind)) return { features: [], leftOut: null };
      const reason = error instanceof UpstreamFailure ? error.reason : error.kind;
      const leftOut = { server_id: serverId, reason, message: error.detail.slice(0, 500) };
      return { features: [], leftOut };
    }
  }

  async #readPages(caller: McpCaller, serverId: string, method: ListMethod): Promise<Feature[]> {
    const features: Feature[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < maxPages; page++) {
      const params = cursor === undefined ? noParams : ownParams({ cursor });
      const answer = await this.#mcp.call(caller, { serverId, method, params });
      if (answer.kind === 'input')
        throw new UpstreamFailure('protocol', 'The server asks questions before it lists');
      const { reply } = answer;
      // It has none of these.
      if ('error' in reply && reply.error.code === methodNotFound) return features;
      const result = resultIn(reply);
      features.push(...featuresIn(result, serverId, method));
      if (features.length > maxFeatures || bytesOf(features) > maxBytes)
        throw new UpstreamFailure('too_large', `The server lists more than ${maxFeatures}, or a megabyte`);
      cursor = result.present('nextCursor')?.string();
      if (cursor === undefined || cursor === '') return features;
    }
    throw new UpstreamFailure('too_large', `The server lists them on more than ${maxPages} pages`);
  }
}

const hidden: ReadonlySet<string> = new Set(['denied', 'not_found', 'server_gone']);

function featuresIn(result: JsonView, serverId: string, method: ListMethod): Feature[] {
  const { list, named } = featureKinds[method];
  const items = scanJson(result.span(), { [list]: true }).present(list);
  return (items === undefined ? [] : itemsOf(items, { [named]: true })).flatMap((item) => {
    const own = item.get(named)?.string();
    if (own === undefined || own === '') return [];
    const name = method === 'prompts/list' ? aliasOf(serverId, own) : qualifyUri(serverId, own);
    return [{ own, name, text: joinJson(changeMembers(item, { [named]: [JSON.stringify(name)] })) }];
  });
}

function bytesOf(features: readonly Feature[]): number {
  return features.reduce((sum, { text }) => sum + text.length, 0);
}

function sizeOf({ listing: { features } }: Kept): number {
  return 500 + bytesOf(features) + 200 * features.length;
}

/** Whoever differs in any of these may be answered otherwise. */
function keyOf(caller: McpCaller, view: string, serverId: string, method: ListMethod): string {
  const { keyId, client = null } = caller;
  return JSON.stringify([method, serverId, view, principalOf(caller), keyId, client]);
}

function inTime<T>(work: Promise<T>, ms: number, late: T): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => resolve(late), ms);
  work.then(resolve, reject).finally(() => clearTimeout(timer));
  return promise;
}
