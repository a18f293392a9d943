import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { newId } from '../../base/id.ts';
import { isObject } from '../../base/json.ts';
import { identifyProcess, isProcessIdentity, isSameProcess } from '../../base/process-identity.ts';

/** Anything that the store has a row for. */
type Row = { readonly id: string };

/** Written anew beyond this, with what the store has not: it is emptied whenever the store has all of it. */
const maxBytes = 8_000_000;
const fileName = /^calls-own_[0-9a-f]+\.journal$/;

/**
 * Rows that the store has yet to take, as lines of a file in the data folder: what came since is with the system once `persist`
 * was called, or this turn of the event loop is over. It waits for no disk, so a power failure may lose the last ones.
 */
export class CallJournal<T extends Row> {
  readonly #folder: string;
  readonly #path: string;
  /** Who writes here: what is gone has left its file behind. */
  readonly #head = `${JSON.stringify({ owner: identifyProcess(process.pid) })}\n`;
  #file: number | null = null;
  /** About, and without the head. */
  #bytes = 0;
  /** Lines to come. */
  #unwritten = '';

  constructor(folder: string) {
    this.#folder = folder;
    this.#path = join(folder, `calls-${newId('own')}.journal`);
  }

  /** Whether it is the first one to come. */
  add(row: T): boolean {
    const isFirst = this.#unwritten === '';
    this.#unwritten += lineOf(row);
    return isFirst;
  }

  /** Writes what is to come, in one piece. Throws where the folder cannot be written: then those rows are in memory alone. */
  persist(): void {
    if (this.#unwritten === '') return;
    const lines = this.#unwritten;
    this.#unwritten = '';
    this.#file ??= this.#open(this.#path);
    writeFileSync(this.#file, lines);
    this.#bytes += lines.length;
  }

  /** The store has all but these. */
  settle(waiting: readonly T[]): void {
    if (waiting.length === 0) this.#empty();
    else if (this.#bytes > maxBytes) this.#replace(waiting);
  }

  /** Leaves what the store has not for the next start. */
  close(waiting: readonly T[]): void {
    if (waiting.length > 0) this.persist();
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
    if (waiting.length === 0) rmSync(this.#path, { force: true });
  }

  #empty(): void {
    this.#unwritten = '';
    if (this.#file === null || this.#bytes === 0) return;
    ftruncateSync(this.#file, this.#head.length);
    this.#bytes = 0;
  }

  /** The rest in a file of its own first: there is no moment without it. */
  #replace(waiting: readonly T[]): void {
    const next = `${this.#path}.next`;
    const file = this.#open(next);
    const lines = waiting.map(lineOf).join('');
    writeFileSync(file, lines);
    renameSync(next, this.#path);
    if (this.#file !== null) closeSync(this.#file);
    this.#file = file;
    this.#bytes = lines.length;
    this.#unwritten = '';
  }

  #open(path: string): number {
    mkdirSync(this.#folder, { recursive: true });
    const file = openSync(path, 'a', 0o600);
    writeFileSync(file, this.#head);
    return file;
  }
}

function lineOf(row: Row): string {
  return `${JSON.stringify(row)}\n`;
}

/** What processes that are gone left behind, file by file. */
export function readLeftBehind(
  folder: string,
): readonly { readonly path: string; readonly rows: readonly Row[] }[] {
  return filesIn(folder).flatMap((path) => {
    const [first, ...rows] = readFileSync(path, 'utf8').split('\n').flatMap(parseLine);
    const owner = isObject(first) ? first.owner : undefined;
    if (isProcessIdentity(owner) && isSameProcess(owner)) return [];
    return [{ path, rows: rows.filter((row) => typeof row.id === 'string') as unknown as Row[] }];
  });
}

/** The last line of a process that was killed on a full disk may be half of one. */
function parseLine(line: string): Readonly<Record<string, unknown>>[] {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? [value] : [];
  } catch {
    return [];
  }
}

function filesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
      .filter((name) => fileName.test(name))
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}
