import { forEachConcurrent } from '../../base/concurrency.ts';
import { backoffMs } from '../../base/retry.ts';
import type { Catalog } from '../../catalog/catalog.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import type { ListedTool } from '../messages/tool-list.ts';
import { toRow } from '../probe-server.ts';
import { parsed } from '../targets.ts';
import { describeLocal, type LocalServer } from './mcp-config.ts';

const listingsAtOnce = 4;
/** A server that cannot be listed yet (no network, a key still missing) is asked again, less and less often. */
const retry = { firstMs: 5_000, maxMs: 600_000, jitter: 0.2 };

type Deps = {
  readonly servers: ReadonlyMap<string, LocalServer>;
  readonly catalog: Pick<Catalog, 'put' | 'parse'>;
  readonly log: Log;
  readonly listTools: (serverId: string) => Promise<readonly ListedTool[]>;
};

/** The operator's own servers in the catalogue: first by name, then with what they list. */
export class LocalServers {
  readonly #deps: Deps;
  readonly #listed = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #isClosed = false;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  async register(): Promise<void> {
    const { servers, catalog } = this.#deps;
    if (servers.size === 0) return;
    const rows = [...servers.values()].map((server) => parsed(catalog, describeLocal(server)));
    await catalog.put(rows, 'config');
    await forEachConcurrent(servers.keys(), { limit: listingsAtOnce }, (id) => this.#list(id));
  }

  /** Somebody listed a server's tools: what it lists for a caller is as good as what it lists for us. */
  async adopt(serverId: string, tools: readonly ListedTool[]): Promise<void> {
    const { servers, catalog, log } = this.#deps;
    const server = servers.get(serverId);
    if (server === undefined || this.#listed.has(serverId)) return;
    this.#listed.add(serverId);
    try {
      await catalog.put([parsed(catalog, { ...describeLocal(server), tools: tools.map(toRow) })], 'config');
      log.info('mcp.local_server.ready', { server_id: serverId, tools: tools.length });
    } catch (error) {
      this.#listed.delete(serverId);
      log.warn('mcp.local_server.not_stored', { server_id: serverId, error });
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers) clearTimeout(timer);
  }

  async #list(serverId: string): Promise<void> {
    try {
      await this.adopt(serverId, await this.#deps.listTools(serverId));
    } catch (error) {
      this.#deps.log.warn('mcp.local_server.not_listed', { server_id: serverId, error });
    }
    if (!this.#listed.has(serverId)) this.#listLater(serverId);
  }

  #listLater(serverId: string): void {
    if (this.#isClosed) return;
    const failures = (this.#failures.get(serverId) ?? 0) + 1;
    this.#failures.set(serverId, failures);
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        if (!this.#listed.has(serverId)) void this.#list(serverId);
      },
      backoffMs(retry, failures),
    ).unref();
    this.#timers.add(timer);
  }
}
