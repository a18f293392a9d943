import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { Problem } from '../../base/problem.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import { type LocalServer, parseMcpConfig } from './mcp-config.ts';

/** The file is looked at so often: events of file systems miss editors that replace it, mounts and links that are moved. */
const watchMs = 1_000;

type Deps = {
  readonly path: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
};

/** The operator's own file: read at the start, and again when it changes. */
export class ConfigFile {
  readonly #deps: Deps;
  #text: Buffer = Buffer.alloc(0);
  #reloading: Promise<void> = Promise.resolve();
  #stop: () => void = () => undefined;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Throws `setup` where the file cannot be read or is no JSON; an entry that cannot be used is a warning in the log. */
  read(): readonly LocalServer[] {
    const { path, environment, log } = this.#deps;
    this.#text = readBytes(path);
    return parseMcpConfig(this.#text, {
      file: path,
      environment,
      warn({ entry, reason, isLeftOut }) {
        const event = isLeftOut ? 'mcp.configuration.entry_left_out' : 'mcp.configuration.field_ignored';
        log.warn(event, { file: path, entry, reason });
      },
    });
  }

  /** Calls back with what the file holds whenever that changed; a file that cannot be read changes nothing. */
  watch(onChange: (servers: readonly LocalServer[]) => Promise<void>): void {
    const { path } = this.#deps;
    const look = () => void this.reload(onChange);
    watchFile(path, { interval: watchMs, persistent: false }, look);
    this.#stop = () => unwatchFile(path, look);
  }

  close(): void {
    this.#stop();
  }

  reload(onChange: (servers: readonly LocalServer[]) => Promise<void>): Promise<void> {
    const { path, log } = this.#deps;
    this.#reloading = this.#reloading.then(async () => {
      try {
        if (readBytes(path).equals(this.#text)) return;
        const servers = this.read();
        await onChange(servers);
        log.info('mcp.configuration.reloaded', { file: path, servers: servers.length });
      } catch (error) {
        const reason = error instanceof Problem ? error.detail : String(error);
        log.warn('mcp.configuration.not_reloaded', { file: path, reason });
      }
    });
    return this.#reloading;
  }
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'error';
    throw new Problem('setup', `--mcp-config: ${path} cannot be read (${code})`, { cause });
  }
}
