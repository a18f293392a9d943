import { statSync } from 'node:fs';
import { Problem } from '../../base/problem.ts';

/** `whole`: what stands at the path is what we have open. */
export type FileState = 'whole' | 'deleted' | 'replaced';

/** The file, its write-ahead log and the index of that: SQLite keeps each open for as long as we do. */
const parts = ['', '-wal', '-shm'];
const lookEveryMs = 1_000;

/**
 * Whether the file that we have open still stands at its path. A deleted or replaced one takes every write, says that it
 * is on disk, and is gone with the process: nothing in SQLite tells of it.
 */
export class FileIdentity {
  readonly #file: string;
  readonly #onChange: (state: FileState) => void;
  readonly #opened = new Map<string, string>();
  readonly #timer: NodeJS.Timeout;
  #state: FileState = 'whole';

  /** `onChange` hears of each change, at the latest a second after it. */
  constructor(file: string, onChange: (state: FileState) => void) {
    this.#file = file;
    this.#onChange = onChange;
    this.check();
    this.#timer = setInterval(() => this.check(), lookEveryMs).unref();
  }

  check(): FileState {
    const state = this.#look();
    // What became of it after it was lost is no news.
    const isNews = (state === 'whole') !== (this.#state === 'whole');
    this.#state = state;
    if (isNews) this.#onChange(state);
    return state;
  }

  /** Throws `unavailable` where a write would be lost, and whoever opens the path would find something else. */
  verify(): void {
    if (this.check() !== 'whole')
      throw new Problem(
        'unavailable',
        `The file of the store was ${this.#state} while it was in use: it must be put back, or the service restarted`,
        { retryAfterMs: lookEveryMs },
      );
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): FileState {
    for (const part of parts) {
      const found = identityOf(this.#file + part);
      if (found === null) continue;
      const opened = this.#opened.get(part);
      // The log and its index come with the first write.
      if (opened === undefined && found !== undefined) this.#opened.set(part, found);
      else if (opened !== found) return found === undefined ? 'deleted' : 'replaced';
    }
    return 'whole';
  }
}

/** Device and inode; undefined where nothing stands, null where that cannot be told. */
function identityOf(path: string): string | undefined | null {
  try {
    const found = statSync(path, { bigint: true, throwIfNoEntry: false });
    return found && `${found.dev}:${found.ino}`;
  } catch {
    return null;
  }
}
