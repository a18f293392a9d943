import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
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
 * Rows that the store has yet to take, as lines of a file in the data folder. A line is with the system before the call of it is
 * answered, so a process that is killed loses none; it waits for no disk, so a power failure may lose the last ones.
 */
export class CallJournal<T extends Row> {
  readonly #folder: string;
  readonly #path: string;
  /** Who writes here: what is gone has left its file behind. */
  readonly #head = `${JSON.stringify({ owner: identifyProcess(process.pid) })}\n`;
  readonly #rows = new Map<string, T>();
  #file: number | null = null;
  #bytes = 0;

  constructor(folder: string) {
    this.#folder = folder;
    this.#path = join(folder, `calls-${newId('own')}.journal`);
  }

  /** Throws where the folder cannot be written: then the row is in memory alone. */
  add(row: T): void {
    this.#rows.set(row.id, row);
    this.#file ??= this.#open(this.#path);
    this.#bytes += writeSync(this.#file, lineOf(row));
  }

  /** The store has them now. */
  settle(rows: readonly T[]): void {
    for (const { id } of rows) this.#rows.delete(id);
    if (this.#file === null) return;
    if (this.#rows.size === 0) this.#empty();
    else if (this.#bytes > maxBytes) this.#replace();
  }

  /** Leaves what the store has not for the next start. */
  close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
    if (this.#rows.size === 0) rmSync(this.#path, { force: true });
  }

  #empty(): void {
    if (this.#file === null || this.#bytes === 0) return;
    ftruncateSync(this.#file, this.#head.length);
    this.#bytes = 0;
  }

  /** The rest in a file of its own first: there is no moment without it. */
  #replace(): void {
    const next = `${this.#path}.next`;
    const file = this.#open(next);
    this.#bytes = writeSync(file, [...this.#rows.values()].map(lineOf).join(''));
    renameSync(next, this.#path);
    if (this.#file !== null) closeSync(this.#file);
    this.#file = file;
  }

  #open(path: string): number {
    mkdirSync(this.#folder, { recursive: true });
    const file = openSync(path, 'a', 0o600);
    writeSync(file, this.#head);
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
