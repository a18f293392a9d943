/** The tools that servers list at a user's own connection and the catalogue does not have, for that user's searches. */
import { createBoundedCache } from '../base/bounded-cache.ts';
import { JsonText } from '../base/json-text.ts';
import { Problem } from '../base/problem.ts';
import type { Catalog, CatalogServer } from '../catalog/catalog.ts';
import { type Mcp, principalOf } from '../mcp/mcp.ts';
import type { OwnTools, Search } from '../search/search.ts';
import type { VisibleCatalog } from './visible-catalog.ts';

type Caller = Parameters<Mcp['listTools']>[0];

export type UserToolsDeps = {
  readonly mcp: Pick<Mcp, 'listTools'>;
  readonly catalogFor: (caller: Caller) => Pick<VisibleCatalog, 'get' | 'view'>;
  readonly parse: Catalog['parse'];
  /** Servers with which the caller's user has a consent that can be used. */
  readonly connectedBy: (caller: Caller) => Promise<readonly string[]>;
  /** Another number after each change of the user's connections: what was listed by the former ones is none of theirs. */
  readonly generationOf: (caller: Caller) => number;
  readonly readOwnTools: Search['readOwnTools'];
  readonly now: () => number;
  /** How long a search waits where nothing is known yet. */
  readonly patienceMs?: number;
};

/** Of one user, and of one server. */
const maxServers = 32;
const maxTools = 500;
/** Of all users together. */
const maxKeptBytes = 64_000_000;
const freshMs = 600_000;
/** Where a server did not answer it is asked again soon. */
const failedMs = 30_000;
/** The first search after a user connected waits so long, and no other does. */
const defaultPatienceMs = 1_000;

const hidden: ReadonlySet<string> = new Set(['denied', 'not_found', 'server_gone']);

type Kept = { readonly own: OwnTools; readonly until: number };
type Read = { readonly own: OwnTools; readonly isWhole: boolean };

export class UserTools {
  readonly #deps: UserToolsDeps;
  readonly #kept = createBoundedCache<Kept>(maxKeptBytes, { sizeCalculation: ({ own }) => 500 + own.bytes });
  readonly #flights = new Map<string, Promise<OwnTools>>();

  constructor(deps: UserToolsDeps) {
    this.#deps = deps;
  }

  /** undefined: nothing that others do not find. Never fails for what a server does. */
  async of(caller: Caller): Promise<OwnTools | undefined> {
    if (caller.userId === undefined) return undefined;
    const servers = (await this.#deps.connectedBy(caller)).slice(0, maxServers);
    if (servers.length === 0) return undefined;
    const key = this.#keyOf(caller, servers);
    const kept = this.#kept.get(key);
    const isFresh = kept !== undefined && this.#deps.now() < kept.until;
    const reading = isFresh ? undefined : (this.#flights.get(key) ?? this.#begin(key, caller, servers));
    const own = kept?.own ?? (await this.#inTime(reading));
    return own === undefined || own.servers.length === 0 ? undefined : own;
  }

  #begin(key: string, caller: Caller, servers: readonly string[]): Promise<OwnTools> {
    const { signal: _, onNotification: __, ...asking } = caller;
    const flight = this.#read(asking, servers).then(({ own, isWhole }) => {
      this.#kept.set(key, { own, until: this.#deps.now() + (isWhole ? freshMs : failedMs) });
      return own;
    });
    this.#flights.set(key, flight);
    const land = () => void this.#flights.delete(key);
    flight.then(land, land);
    return flight;
  }

  async #read(caller: Caller, servers: readonly string[]): Promise<Read> {
    const found = await Promise.all(servers.map((id) => this.#ofServer(caller, id)));
    const own = await this.#deps.readOwnTools(found.flatMap((server) => server ?? []));
    return { own, isWhole: !found.includes(undefined) };
  }

  /** null where the user sees no more than the catalogue has, or nothing of it; undefined where the server does not answer. */
  async #ofServer(caller: Caller, id: string): Promise<CatalogServer | null | undefined> {
    try {
      const record = await this.#deps.catalogFor(caller).get(id);
      const { tools } = await this.#deps.mcp.listTools(caller, id);
      const known = new Set(record.tools.map(({ name }) => name));
      if (tools.every(({ name }) => known.has(name))) return null;
      const rows = tools.slice(0, maxTools).map(({ name, description = '', inputSchema }) => ({
        name,
        description,
        ...(inputSchema && { inputSchema: new JsonText(inputSchema.text()) }),
      }));
      // Cleaned as what the catalogue takes in is.
      const parsed = this.#deps.parse({ id, name: id, remote_url: record.remoteUrl, tools: rows });
      return parsed.ok && parsed.input.tools !== null ? { ...record, tools: parsed.input.tools } : null;
    } catch (error) {
      if (error instanceof Problem && hidden.has(error.kind)) return null;
      if (error instanceof Problem && error.kind !== 'internal') return undefined;
      throw error;
    }
  }

  #inTime(reading: Promise<OwnTools> | undefined): Promise<OwnTools | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<OwnTools | undefined>();
    const timer = setTimeout(() => resolve(undefined), this.#deps.patienceMs ?? defaultPatienceMs);
    Promise.resolve(reading)
      .then(resolve, reject)
      .finally(() => clearTimeout(timer));
    return promise;
  }

  /** Whoever differs in any of these may be shown otherwise. */
  #keyOf(caller: Caller, servers: readonly string[]): string {
    const { keyId, client = '', toolset = '' } = caller;
    const view = this.#deps.catalogFor(caller).view?.key ?? '';
    const generation = this.#deps.generationOf(caller);
    return JSON.stringify([principalOf(caller), keyId, client, toolset, view, servers, generation]);
  }
}
