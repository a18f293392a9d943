import { createBoundedCache } from '../../base/bounded-cache.ts';
import { Problem } from '../../base/problem.ts';
import type { Catalog, ServerRecord } from '../../catalog/catalog.ts';
import type { McpCaller } from '../doors/backend.ts';

/** So many servers are asked for one list. */
const mostAsked = 32;

/** Which servers are asked what they have beside tools: those of the toolset; of more than can be asked, and without a toolset, those that were set up here or that the user connected. */
export class AskedServers {
  readonly #deps: AskedServersDeps;
  /** By view: the servers of a toolset; null where they are too many. */
  readonly #few = createBoundedCache<{ readonly revision: number; readonly ids: readonly string[] | null }>(
    1_000,
  );

  constructor(deps: AskedServersDeps) {
    this.#deps = deps;
  }

  /** Read again when the catalogue changed: there may be many of them. */
  #setUp: { readonly revision: number; readonly ids: readonly string[] } | undefined;

  /** In the order of their ids. */
  async of(caller: McpCaller): Promise<readonly string[]> {
    const few = caller.toolset === undefined ? null : await this.#ofToolset(caller);
    return few ?? (await this.#ownOf(caller));
  }

  async #ofToolset(caller: McpCaller): Promise<readonly string[] | null> {
    const catalog = this.#deps.catalogFor(caller);
    const revision = await catalog.revision();
    const key = catalog.view?.key ?? '';
    const known = this.#few.get(key);
    if (known?.revision === revision) return known.ids;
    const { servers, nextCursor } = await catalog.list({ limit: mostAsked + 1 });
    const isAll = servers.length <= mostAsked && nextCursor === undefined;
    const ids = isAll ? servers.filter(this.#isCallable).map(({ id }) => id) : null;
    this.#few.set(key, { revision, ids });
    return ids;
  }

  async #ownOf(caller: McpCaller): Promise<readonly string[]> {
    const { connectedBy, catalogFor } = this.#deps;
    const catalog = catalogFor(caller);
    const setUp = await this.#setUpHere(await catalog.revision());
    const asked: string[] = [];
    for (const id of new Set([...(await connectedBy(caller)), ...setUp])) {
      if (asked.length === mostAsked) break;
      const record = await serverSeen(catalog, id);
      if (record !== null && this.#isCallable(record)) asked.push(id);
    }
    return asked.sort();
  }

  async #setUpHere(revision: number): Promise<readonly string[]> {
    if (this.#setUp?.revision !== revision) this.#setUp = { revision, ids: await this.#deps.setUpHere() };
    return this.#setUp.ids;
  }

  readonly #isCallable = ({ id, remoteUrl }: ServerRecord): boolean =>
    remoteUrl !== null || this.#deps.isLocal(id);
}

export type AskedServersDeps = {
  readonly catalogFor: (caller: McpCaller) => Pick<Catalog, 'get' | 'list' | 'revision'> & {
    readonly view: { readonly key: string } | null;
  };
  /** Servers that the operator configured or added by hand. */
  readonly setUpHere: () => Promise<readonly string[]>;
  /** Servers with which the caller's user has a consent that can be used. */
  readonly connectedBy: (caller: McpCaller) => Promise<readonly string[]>;
  /** Whether it is a server of the operator's own file. */
  readonly isLocal: (serverId: string) => boolean;
};

/** null: it is not there for the caller. */
export async function serverSeen(catalog: Pick<Catalog, 'get'>, id: string): Promise<ServerRecord | null> {
  try {
    return await catalog.get(id);
  } catch (error) {
    if (error instanceof Problem && (error.kind === 'not_found' || error.kind === 'server_gone')) return null;
    throw error;
  }
}
