import { readFileSync } from 'node:fs';
import { Problem } from './problem.ts';

/**
 * The file is read so often. Events of file systems miss editors that replace it, mounts and links that are moved; `watchFile`
 * misses what changes before its first look, which comes some time after it was called.
 */
const watchMs = 1_000;

type OnChange = (bytes: Buffer) => Promise<void>;
type OnRefusal = (reason: string) => void;

/** A file of the operator's: read at the start, and again when it changes. */
export class WatchedFile {
  readonly #path: string;
  /** What names the file: an option or a setting. */
  readonly #subject: string;
  #bytes: Buffer = Buffer.alloc(0);
  #reloading: Promise<void> = Promise.resolve();
  #stop: () => void = () => undefined;

  constructor({ path, subject }: { readonly path: string; readonly subject: string }) {
    this.#path = path;
    this.#subject = subject;
  }

  /** Throws `setup` where it cannot be read. */
  read(): Buffer {
    this.#bytes = this.#readBytes();
    return this.#bytes;
  }

  /**
   * Calls back with what the file holds whenever that changed; a file that cannot be read, or is refused, changes nothing, and is
   * told of once.
   */
  watch(onChange: OnChange, onRefusal: OnRefusal): void {
    let lastRefusal: string | null = null;
    const refuse = (reason: string) => {
      if (reason !== lastRefusal) onRefusal(reason);
      lastRefusal = reason;
    };
    const change: OnChange = (bytes) => {
      lastRefusal = null;
      return onChange(bytes);
    };
    const look = () => void this.reload(change, refuse);
    const timer = setInterval(look, watchMs).unref();
    this.#stop = () => clearInterval(timer);
  }

  /** Ends the watch, and answers when what is under way is done. */
  close(): Promise<void> {
    this.#stop();
    return this.#reloading;
  }

  reload(onChange: OnChange, onRefusal: OnRefusal): Promise<void> {
    this.#reloading = this.#reloading.then(async () => {
      try {
        if (this.#readBytes().equals(this.#bytes)) return;
        await onChange(this.read());
      } catch (error) {
        onRefusal(error instanceof Problem ? error.detail : String(error));
      }
    });
    return this.#reloading;
  }

  #readBytes(): Buffer {
    try {
      return readFileSync(this.#path);
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code ?? 'error';
      throw new Problem('setup', `${this.#subject}: ${this.#path} cannot be read (${code})`, { cause });
    }
  }
}
