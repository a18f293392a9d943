/**
 * Splits a file into its JSON rows. JSON Lines are streamed, one row in memory at a time; every other form (an array, a
 * registry dump `{"servers": […]}`, one document) is read whole, up to a bound. Knows nothing of what the rows mean.
 */
import { itemsOf, JsonFault, type JsonView } from '../../base/json-scanner.ts';
import { Problem } from '../../base/problem.ts';
import { scanOutsideJson } from './row-value.ts';

export type Row =
  | { readonly text: string }
  /** A row too large to be read, with its beginning. */
  | { readonly tooLarge: string }
  /** The file ended inside this row. */
  | { readonly cut: string }
  /** A file that had to be read whole and is no JSON, with its beginning. */
  | { readonly broken: string };

/** The largest row of the public lists is 0.5 MB. */
const maxRowBytes = 4_000_000;
/** Ten times the largest dump; larger lists come as JSON Lines. */
const maxWholeFileBytes = 256_000_000;
/** What is kept of a row that is not read. */
const beginningBytes = 1_000;
const newline = 0x0a;
const openArray = 0x5b;
const openObject = 0x7b;
const none = Buffer.alloc(0);

/** Throws `invalid_request` for a file over the bound that is not JSON Lines. */
export async function* rowsOf(
  chunks: AsyncIterable<Buffer>,
  maxWholeBytes: number = maxWholeFileBytes,
): AsyncGenerator<Row> {
  const source = chunks[Symbol.asyncIterator]();
  try {
    const head = await readUntil(source, maxWholeBytes, createFirstLineTest());
    const isLines = isJsonLines(head);
    const rest = isLines ? none : await readUntil(source, maxWholeBytes - head.length, () => false);
    if (head.length + rest.length > maxWholeBytes) throw tooLargeAsWhole(maxWholeBytes);
    if (isLines) yield* linesOf(head, source);
    else yield* rowsOfWhole(Buffer.concat([head, rest]));
  } finally {
    await source.return?.();
  }
}

/** The next bytes, without a byte-order mark (no JSON by RFC 8259, 8.1, yet dumps carry one): to the end, to where it `isEnough`, or just over the bound. */
async function readUntil(
  source: AsyncIterator<Buffer>,
  maxBytes: number,
  isEnough: (chunk: Buffer) => boolean,
): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let size = 0; size <= maxBytes; ) {
    const chunk = await nextOf(source);
    if (chunk === undefined) break;
    parts.push(chunk);
    size += chunk.length;
    if (isEnough(chunk)) break;
  }
  const bytes = Buffer.concat(parts);
  return bytes.subarray(bytes.indexOf('\ufeff') === 0 ? 3 : 0);
}

/** Answers true once the first line that is not blank is there, and the first byte of what follows it. */
function createFirstLineTest(): (chunk: Buffer) => boolean {
  let hasBegun = false;
  let hasEnded = false;
  return (chunk) => {
    for (const byte of chunk) {
      if (byte > 0x20 && hasEnded) return true;
      if (byte > 0x20) hasBegun = true;
      else if (byte === newline) hasEnded = hasBegun;
    }
    return false;
  };
}

/** A first line that is a value of its own means JSON Lines, also where it is broken and the next one begins anew. */
function isJsonLines(head: Buffer): boolean {
  const start = head.findIndex((byte) => byte > 0x20);
  if (start === -1) return true;
  if (head[start] !== openObject) return head[start] !== openArray;
  const lineEnd = head.indexOf(newline, start);
  const line = lineEnd === -1 ? head.subarray(start) : head.subarray(start, lineEnd);
  const view = scanOrNull(line);
  if (view !== null) return view.get('servers')?.kind !== 'array';
  if (lineEnd === -1) return true;
  const next = head.subarray(lineEnd).find((byte) => byte > 0x20);
  return line.length > 2 && (next === openObject || line.toString().trimEnd().endsWith('}'));
}

function scanOrNull(bytes: Buffer): JsonView | null {
  try {
    return scanOutsideJson(bytes, { servers: true });
  } catch (error) {
    if (error instanceof JsonFault) return null;
    throw error;
  }
}

async function* linesOf(head: Buffer, source: AsyncIterator<Buffer>): AsyncGenerator<Row> {
  const row = new RowCollector();
  for (let chunk: Buffer | undefined = head; chunk !== undefined; chunk = await nextOf(source)) {
    let from = 0;
    for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, from)) {
      row.add(chunk.subarray(from, at));
      yield row.take();
      from = at + 1;
    }
    row.add(chunk.subarray(from));
  }
  const last = row.take();
  if (!('text' in last)) yield last;
  // Without its line end a last line may be whole or cut: only reading it tells.
  else if (last.text.trim() !== '') yield isJson(last.text) ? last : { cut: last.text };
}

async function nextOf(source: AsyncIterator<Buffer>): Promise<Buffer | undefined> {
  const { value, done } = await source.next();
  return done === true ? undefined : value;
}

function* rowsOfWhole(file: Buffer): Generator<Row> {
  const view = scanOrNull(file);
  if (view === null) {
    yield { broken: beginningOf(file) };
    return;
  }
  const servers = view.get('servers');
  const list = servers?.kind === 'array' ? servers : view;
  for (const item of list.kind === 'array' ? itemsOf(list) : [list]) yield rowFrom(item.span());
}

function rowFrom(bytes: Buffer): Row {
  return bytes.length > maxRowBytes ? { tooLarge: beginningOf(bytes) } : { text: bytes.toString() };
}

function beginningOf(bytes: Buffer): string {
  return bytes.toString('utf8', 0, Math.min(bytes.length, beginningBytes));
}

/** Collects the bytes of one row over several chunks; of one that is too large only the beginning. */
class RowCollector {
  #parts: Buffer[] = [];
  #sizeBytes = 0;

  add(part: Buffer): void {
    const isTooLarge = this.#sizeBytes > maxRowBytes;
    this.#sizeBytes += part.length;
    if (isTooLarge) return;
    this.#parts.push(part);
    if (this.#sizeBytes > maxRowBytes)
      this.#parts = [Buffer.from(Buffer.concat(this.#parts).subarray(0, beginningBytes))];
  }

  take(): Row {
    const bytes = Buffer.concat(this.#parts);
    const row = this.#sizeBytes > maxRowBytes ? { tooLarge: beginningOf(bytes) } : { text: bytes.toString() };
    this.#parts = [];
    this.#sizeBytes = 0;
    return row;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function tooLargeAsWhole(maxBytes: number): Problem {
  const megabytes = Math.round(maxBytes / 1_000_000);
  return new Problem(
    'invalid_request',
    `file: larger than ${megabytes} MB, which is read as JSON Lines only (one server a line)`,
  );
}
