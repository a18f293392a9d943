import { WatchedFile } from '../../base/watched-file.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import { type LocalServer, parseMcpConfig } from './mcp-config.ts';

type Deps = {
  readonly path: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
};
type OnChange = (servers: readonly LocalServer[]) => Promise<void>;

/** The operator's own file: read at the start, and again when it changes. */
export class ConfigFile {
  readonly #deps: Deps;
  readonly #file: WatchedFile;

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#file = new WatchedFile({ path: deps.path, subject: '--mcp-config' });
  }

  /** Throws `setup` where the file cannot be read or is no JSON; an entry that cannot be used is a warning in the log. */
  read(): readonly LocalServer[] {
    return this.#parse(this.#file.read());
  }

  /** Calls back with what the file holds whenever that changed; a file that cannot be read changes nothing. */
  watch(onChange: OnChange): void {
    this.#file.watch(this.#taking(onChange), this.#refused);
  }

  close(): void {
    void this.#file.close();
  }

  reload(onChange: OnChange): Promise<void> {
    return this.#file.reload(this.#taking(onChange), this.#refused);
  }

  #taking(onChange: OnChange) {
    return async (bytes: Buffer) => {
      const servers = this.#parse(bytes);
      await onChange(servers);
      this.#deps.log.info('mcp.configuration.reloaded', { file: this.#deps.path, servers: servers.length });
    };
  }

  readonly #refused = (reason: string) => {
    this.#deps.log.warn('mcp.configuration.not_reloaded', { file: this.#deps.path, reason });
  };

  #parse(bytes: Buffer): readonly LocalServer[] {
    const { path, environment, log } = this.#deps;
    return parseMcpConfig(bytes, {
      file: path,
      environment,
      warn({ entry, reason, isLeftOut }) {
        const event = isLeftOut ? 'mcp.configuration.entry_left_out' : 'mcp.configuration.field_ignored';
        log.warn(event, { file: path, entry, reason });
      },
    });
  }
}
