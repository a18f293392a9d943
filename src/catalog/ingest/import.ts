import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { Problem } from '../../base/problem.ts';
import type { ImportOptions, ImportReport, RowReport, ServerInput } from '../catalog-model.ts';
import type { Written } from '../write-store.ts';
import { parseEntry } from './entry.ts';
import type { Parsed } from './fields.ts';
import { parseRow } from './row-value.ts';
import { type Row, rowsOf } from './rows.ts';

/** One transaction's worth: what a crash loses at most, and what memory holds. */
const serversPerBatch = 200;
const toolsPerBatch = 2_000;
const reportsKept = 20;
const readBytes = 262_144;
const importable = /\.(?:jsonl|ndjson|json)$/i;

type Source = { readonly path: string; readonly name: string; readonly sizeBytes: number };
export type ImportStore = {
  write(
    inputs: readonly ServerInput[],
    source: string,
    options: { readonly remove: readonly string[] },
  ): Promise<Written>;
  idsOf(source: string): Promise<string[]>;
};

/**
 * Reads a file, or all JSON files of a folder, and puts what it finds batch by batch. Removal (`replace`) is one
 * transaction at the very end, after everything was read: a crash half-way has added and updated, never removed.
 */
export async function importPath(
  path: string,
  options: ImportOptions,
  store: ImportStore,
): Promise<ImportReport> {
  const sources = await findSources(path);
  const tally = new Tally(sources, options, store);
  for (const source of sources) {
    let row = 0;
    const chunks = createReadStream(source.path, { highWaterMark: readBytes });
    for await (const each of rowsOf(tally.countBytes(chunks))) {
      row += 1;
      await tally.take(each, source.name, row);
    }
  }
  return tally.finish();
}

async function findSources(path: string): Promise<Source[]> {
  const info = await stat(path).catch((cause: unknown) => {
    throw new Problem('invalid_request', `file: there is no file or folder ${path}`, { cause });
  });
  if (!info.isDirectory()) return [{ path, name: path, sizeBytes: info.size }];
  const found: Source[] = [];
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !importable.test(entry.name)) continue;
    const file = join(entry.parentPath, entry.name);
    found.push({ path: file, name: relative(path, file), sizeBytes: (await stat(file)).size });
  }
  if (found.length === 0) throw new Problem('invalid_request', `file: no .json or .jsonl file in ${path}`);
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** What was read and written so far, and the batch that is being gathered. */
class Tally {
  readonly #options: ImportOptions;
  readonly #store: ImportStore;
  readonly #bytesTotal: number;
  readonly #counts = {
    servers: 0,
    added: 0,
    updated: 0,
    unchanged: 0,
    removed: 0,
    tools: 0,
    skipped: 0,
    noted: 0,
  };
  readonly #problems: RowReport[] = [];
  readonly #notes: RowReport[] = [];
  /** Ids the files speak of, also in rows that are bad: none of these is removed. */
  readonly #seen = new Set<string>();
  #batch: ServerInput[] = [];
  #removedIds: string[] = [];
  #toolsInBatch = 0;
  #toolsRead = 0;
  #bytesRead = 0;
  #isComplete = true;

  constructor(sources: readonly Source[], options: ImportOptions, store: ImportStore) {
    this.#options = options;
    this.#store = store;
    this.#bytesTotal = sources.reduce((sum, each) => sum + each.sizeBytes, 0);
  }

  async *countBytes(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      this.#bytesRead += chunk.length;
      yield chunk;
    }
  }

  async take(row: Row, file: string, number: number): Promise<void> {
    if ('cut' in row || 'broken' in row) this.#isComplete = false;
    if ('text' in row && row.text.trim() === '') return;
    this.#accept(parse(row), file, number);
    if (this.#batch.length >= serversPerBatch || this.#toolsInBatch >= toolsPerBatch) await this.#flush();
  }

  async finish(): Promise<ImportReport> {
    await this.#flush();
    if (this.#options.replace === true && this.#isComplete && this.#counts.servers > 0) {
      const stale = (await this.#store.idsOf(this.#options.source)).filter((id) => !this.#seen.has(id));
      this.#add(await this.#store.write([], this.#options.source, { remove: stale }));
    }
    return {
      ...this.#counts,
      problems: this.#problems,
      notes: this.#notes,
      complete: this.#isComplete,
    };
  }

  #accept(parsed: Parsed, file: string, row: number): void {
    if (parsed.id !== null) this.#seen.add(parsed.id);
    if (parsed.kind === 'gone') this.#removedIds.push(parsed.id);
    else if (parsed.kind === 'bad') {
      this.#counts.skipped += 1;
      if (this.#problems.length < reportsKept) this.#problems.push({ file, row, reason: parsed.reason });
    } else if (parsed.kind === 'server') {
      this.#acceptServer(parsed.input);
      this.#counts.noted += parsed.notes.length;
      const room = reportsKept - this.#notes.length;
      this.#notes.push(...parsed.notes.slice(0, room).map((reason) => ({ file, row, reason })));
    }
  }

  #acceptServer(input: ServerInput): void {
    this.#counts.servers += 1;
    this.#toolsRead += input.tools?.length ?? 0;
    this.#toolsInBatch += input.tools?.length ?? 0;
    this.#batch.push(input);
  }

  async #flush(): Promise<void> {
    const { signal, source, onProgress } = this.#options;
    signal?.throwIfAborted();
    if (this.#batch.length > 0 || this.#removedIds.length > 0)
      this.#add(await this.#store.write(this.#batch, source, { remove: this.#removedIds }));
    this.#batch = [];
    this.#removedIds = [];
    this.#toolsInBatch = 0;
    const { servers, skipped } = this.#counts;
    onProgress?.({
      bytesRead: this.#bytesRead,
      bytesTotal: this.#bytesTotal,
      servers,
      tools: this.#toolsRead,
      skipped,
    });
  }

  #add(written: Written): void {
    for (const key of ['added', 'updated', 'unchanged', 'removed', 'tools'] as const)
      this.#counts[key] += written[key];
  }
}

function parse(row: Row): Parsed {
  if ('cut' in row) return bad(row.cut, 'the file ends in the middle of this row');
  if ('broken' in row) return bad(row.broken, 'the file is not valid JSON, or ends in the middle');
  if ('tooLarge' in row) return bad(row.tooLarge, 'larger than 4 MB');
  try {
    return parseEntry(parseRow(row.text), 'lenient');
  } catch (error) {
    if (error instanceof SyntaxError) return bad(row.text, 'not valid JSON');
    throw error;
  }
}

/** A row that cannot be read, with its id where its beginning still shows one. */
function bad(text: string, reason: string): Parsed {
  const id = /^\s*\{\s*"id"\s*:\s*"([^"\\]{1,200})"/.exec(text.slice(0, 1_000))?.[1];
  return { kind: 'bad', id: id ?? null, reason };
}
