import { type LocalServer, trustedHosts } from './mcp-config.ts';

/** The operator's own servers as they are now: the file that they come from may change while we run. */
export class LocalServerList {
  #byId: ReadonlyMap<string, LocalServer> = new Map();
  #trusted: ReadonlySet<string> = new Set();

  /** Whether there is such a file: without one, what an earlier one named stays as it is. */
  readonly isOfFile: boolean;

  constructor(servers: readonly LocalServer[] | undefined) {
    this.isOfFile = servers !== undefined;
    this.replace(servers ?? []);
  }

  replace(servers: readonly LocalServer[]): void {
    this.#byId = new Map(servers.map((server) => [server.id, server]));
    this.#trusted = new Set(trustedHosts(servers));
  }

  get(id: string): LocalServer | undefined {
    return this.#byId.get(id);
  }

  all(): readonly LocalServer[] {
    return [...this.#byId.values()];
  }

  /** Whether the file vouches for a host: the address guard lets it through even when private or over http. */
  trusts(hostname: string, port: number): boolean {
    return this.#trusted.has(`${hostname}:${port}`);
  }
}
