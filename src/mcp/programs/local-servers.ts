import { forEachConcurrent } from '../../base/concurrency.ts';
import { Problem } from '../../base/problem.ts';
import { backoffMs } from '../../base/retry.ts';
import type { Catalog, ProbeResult } from '../../catalog/catalog.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import type { LocalServerList } from '../config-file/local-server-list.ts';
import { describeLocal, type LocalServer } from '../config-file/mcp-config.ts';
import { parsed } from '../targets.ts';

const listingsAtOnce = 4;
/** A server that cannot be listed yet (no network, a key still missing) is asked again, less and less often. */
const retry = { firstMs: 5_000, maxMs: 600_000, jitter: 0.2 };

type Tools = NonNullable<ProbeResult['tools']>;
type Deps = {
  readonly servers: LocalServerList;
  readonly catalog: Pick<Catalog, 'put' | 'parse' | 'list' | 'remove' | 'health'>;
  readonly log: Log;
  /** Lists a server's tools, and says why where it cannot. */
  readonly probe: (serverId: string) => Promise<ProbeResult>;
  /** A server is another one now, or none: what is open to it ends. */
  readonly retire: (serverId: string) => void;
  /** Called when the file names other servers, and before these are in the catalogue: whose they are has to be known first. */
  readonly onChange: () => Promise<void>;
};

/** The operator's own servers in the catalogue: first by name, then with what they list. */
export class LocalServers {
  readonly #deps: Deps;
  /** By id: those whose tools the catalogue does not have yet, and how often listing them failed. */
  readonly #unlisted = new Map<string, number>();
  readonly #listing = new Set<string>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #isClosed = false;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** What an earlier file named and this one does not leaves the catalogue. */
  async removeFormer(): Promise<void> {
    const { servers } = this.#deps;
    if (servers.isOfFile) await this.#leave((id) => servers.get(id) === undefined);
  }

  /** What the file names joins it. */
  async register(): Promise<void> {
    const { servers } = this.#deps;
    if (servers.all().length > 0) await this.#join(servers.all());
  }

  async replace(servers: readonly LocalServer[]): Promise<void> {
    const before = new Map(this.#deps.servers.all().map((server) => [server.id, server]));
    const named = new Set(servers.map(({ id }) => id));
    // First what goes, while it is still known whose it was.
    await this.#leave((id) => !named.has(id));
    this.#deps.servers.replace(servers);
    await this.#deps.onChange();
    const changed = servers.filter(
      ({ id, credentialVersion }) => before.get(id)?.credentialVersion !== credentialVersion,
    );
    const kept = new Set(servers.filter((server) => !changed.includes(server)).map(({ id }) => id));
    for (const id of before.keys()) if (!kept.has(id)) this.#forget(id);
    if (changed.length > 0) await this.#join(changed);
  }

  /** Somebody listed a server's tools: what it lists for a caller is as good as what it lists for us. */
  async adopt(serverId: string, tools: () => Tools): Promise<void> {
    const { servers, catalog, log } = this.#deps;
    const server = servers.get(serverId);
    const failures = this.#unlisted.get(serverId);
    if (server === undefined || failures === undefined) return;
    this.#unlisted.delete(serverId);
    const rows = tools();
    try {
      await catalog.put([parsed(catalog, { ...describeLocal(server), tools: rows })], 'config');
      log.info('mcp.local_server.ready', { server_id: serverId, tools: rows.length });
    } catch (error) {
      this.#unlisted.set(serverId, failures);
      log.warn('mcp.local_server.not_stored', { server_id: serverId, error });
    }
  }

  /** Somebody was answered by a server: now it can be listed, too. */
  noticeSuccess(serverId: string): void {
    if (this.#unlisted.has(serverId)) void this.#list(serverId);
  }

  versionOf(serverId: string): string | null {
    return this.#deps.servers.get(serverId)?.credentialVersion ?? null;
  }

  hasUnlisted(): boolean {
    return this.#unlisted.size > 0;
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  async #join(joining: readonly LocalServer[]): Promise<void> {
    const { catalog } = this.#deps;
    for (const { id } of joining) this.#unlisted.set(id, 0);
    await catalog.put(
      joining.map((server) => parsed(catalog, describeLocal(server))),
      'config',
    );
    const ids = joining.map(({ id }) => id);
    await forEachConcurrent(ids, { limit: listingsAtOnce }, (id) => this.#list(id));
  }

  async #leave(isGone: (serverId: string) => boolean): Promise<void> {
    const { catalog, log } = this.#deps;
    for (let cursor: string | undefined; ; ) {
      const page = await catalog.list({
        limit: 100,
        filters: { source: 'config' },
        ...(cursor && { cursor }),
      });
      for (const { id } of page.servers) {
        if (!isGone(id)) continue;
        await catalog.remove(id);
        log.info('mcp.local_server.left', { server_id: id });
      }
      cursor = page.nextCursor;
      if (cursor === undefined) return;
    }
  }

  #forget(serverId: string): void {
    this.#deps.retire(serverId);
    this.#unlisted.delete(serverId);
    clearTimeout(this.#timers.get(serverId));
    this.#timers.delete(serverId);
  }

  async #list(serverId: string): Promise<void> {
    if (this.#listing.has(serverId)) return;
    const { probe, log } = this.#deps;
    this.#listing.add(serverId);
    try {
      const found = await probe(serverId);
      const { tools, reason } = found;
      if (tools !== null) await this.adopt(serverId, () => tools);
      else if (!this.#isClosed) log.warn('mcp.local_server.not_listed', { server_id: serverId, reason });
      await this.#keepHealth(serverId, found);
    } finally {
      this.#listing.delete(serverId);
    }
    if (this.#unlisted.has(serverId)) this.#listLater(serverId);
  }

  /** For the console: why a server is not there. */
  async #keepHealth(serverId: string, found: ProbeResult): Promise<void> {
    if (this.#isClosed) return;
    try {
      await this.#deps.catalog.health.probe(serverId, async () => found);
    } catch (error) {
      // It left the catalogue meanwhile.
      if (!(error instanceof Problem)) throw error;
    }
  }

  #listLater(serverId: string): void {
    if (this.#isClosed) return;
    const failures = (this.#unlisted.get(serverId) ?? 0) + 1;
    this.#unlisted.set(serverId, failures);
    clearTimeout(this.#timers.get(serverId));
    const timer = setTimeout(
      () => {
        this.#timers.delete(serverId);
        void this.#list(serverId);
      },
      backoffMs(retry, failures),
    ).unref();
    this.#timers.set(serverId, timer);
  }
}
