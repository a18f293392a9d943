import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { Problem } from '../../base/problem.ts';
import type { ImportOptions, ImportReport, RowReport, ServerInput } from '../catalog-model.ts';
import type { Written } from '../write-store.ts';
import { parseEntry } from './entry.ts';
import type { Parsed } from './fields.ts';
import { type Row, rowsOf } from './rows.ts';

/** One transaction's worth: what a crash loses at most, and what memory holds. */
const serversPerBatch = 200;
const toolsPerBatch = 2_000;
const reportsKept = 20;
const readBytes = 262_144;
const importable = /\.(?:jsonl|ndjson|json)$/i;

type Source = { readonly path: string; readonly name: string; readonly sizeBytes: number };
export type ImportStore = {
  write(inputs: readonly ServerInput[], source: string, remove?: readonly string[]): Promise<Written>;
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
  const tally = createTally(sources, options, store);
  for (const source of sources) {
    let row = 0;
    const chunks = createReadStream(source.path, { highWaterMark: readBytes });
    for await (const each of rowsOf(tally.counted(chunks))) {
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

function createTally(sources: readonly Source[], options: ImportOptions, store: ImportStore) {
  const bytesTotal = sources.reduce((sum, each) => sum + each.sizeBytes, 0);
  const report = {
    servers: 0,
    added: 0,
    updated: 0,
    unchanged: 0,
    removed: 0,
    tools: 0,
    skipped: 0,
    noted: 0,
  };
  const problems: RowReport[] = [];
  const notes: RowReport[] = [];
  /** Ids the files speak of, also in rows that are bad: none of these is removed. */
  const seen = new Set<string>();
  let batch: ServerInput[] = [];
  let gone: string[] = [];
  let toolsInBatch = 0;
  let toolsRead = 0;
  let bytesRead = 0;
  let complete = true;

  const flush = async () => {
    options.signal?.throwIfAborted();
    if (batch.length > 0 || gone.length > 0) add(await store.write(batch, options.source, gone));
    batch = [];
    gone = [];
    toolsInBatch = 0;
    options.onProgress?.({
      bytesRead,
      bytesTotal,
      servers: report.servers,
      tools: toolsRead,
      skipped: report.skipped,
    });
  };
  const add = (written: Written) => {
    for (const key of ['added', 'updated', 'unchanged', 'removed', 'tools'] as const)
      report[key] += written[key];
  };
  const accept = (parsed: Parsed, file: string, row: number) => {
    if (parsed.id !== null) seen.add(parsed.id);
    if (parsed.kind === 'gone') gone.push(parsed.id);
    if (parsed.kind === 'bad') {
      report.skipped += 1;
      if (problems.length < reportsKept) problems.push({ file, row, reason: parsed.reason });
    }
    if (parsed.kind !== 'server') return;
    report.noted += parsed.notes.length;
    for (const reason of parsed.notes) if (notes.length < reportsKept) notes.push({ file, row, reason });
    report.servers += 1;
    toolsRead += parsed.input.tools?.length ?? 0;
    toolsInBatch += parsed.input.tools?.length ?? 0;
    batch.push(parsed.input);
  };

  return {
    async *counted(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
      for await (const chunk of chunks) {
        bytesRead += chunk.length;
        yield chunk;
      }
    },
    async take(row: Row, file: string, number: number) {
      if ('cut' in row) complete = false;
      if ('text' in row && row.text.trim() === '') return;
      accept(read(row), file, number);
      if (batch.length >= serversPerBatch || toolsInBatch >= toolsPerBatch) await flush();
    },
    async finish(): Promise<ImportReport> {
      await flush();
      if (options.replace === true && complete && report.servers > 0) {
        const stale = (await store.idsOf(options.source)).filter((id) => !seen.has(id));
        add(await store.write([], options.source, stale));
      }
      return { ...report, problems, notes, complete };
    },
  };
}

function read(row: Row): Parsed {
  if ('cut' in row) return bad(row.cut, 'the file ends in the middle of this row');
  if ('tooLarge' in row) return bad(row.tooLarge, 'larger than 4 MB');
  let value: unknown;
  try {
    value = JSON.parse(row.text);
  } catch {
    return bad(row.text, 'not valid JSON');
  }
  return parseEntry(value, 'lenient');
}

/** A row that cannot be read, with its id where its beginning still shows one. */
function bad(text: string, reason: string): Parsed {
  const id = /^\s*\{\s*"id"\s*:\s*"([^"\\]{1,200})"/.exec(text.slice(0, 1_000))?.[1];
  return { kind: 'bad', id: id ?? null, reason };
}
