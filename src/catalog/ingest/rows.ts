/**
 * Splits a file into its JSON rows without holding more than one: JSON Lines, a JSON array, a registry dump
 * (`{"servers": […]}`), or one document. Knows nothing of what the rows mean.
 */

export type Row =
  | { readonly text: string }
  /** A row too large to be read, with its beginning. */
  | { readonly tooLarge: string }
  /** The file ended inside this row, or before its array was closed. */
  | { readonly cut: string };

type Splitter = { push(chunk: Buffer): Row[]; end(): Row[] };

/** The largest row of the public lists is 0.5 MB. */
const maxRowBytes = 4_000_000;
/** How much of a file is looked at to tell its form. */
const headBytes = 65_536;
/** What is kept of a row that is not read. */
const beginningBytes = 1_000;
const [quote, backslash, comma, newline] = [0x22, 0x5c, 0x2c, 0x0a];
const [openArray, closeArray, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];

export async function* rowsOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<Row> {
  let head = Buffer.alloc(0);
  let splitter: Splitter | undefined;
  for await (const chunk of chunks) {
    if (splitter !== undefined) {
      yield* splitter.push(chunk);
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < headBytes) continue;
    const form = formOf(head);
    splitter = form.splitter;
    yield* splitter.push(form.rest);
  }
  if (splitter === undefined) {
    const form = formOf(head);
    splitter = form.splitter;
    yield* splitter.push(form.rest);
  }
  yield* splitter.end();
}

function formOf(file: Buffer): { splitter: Splitter; rest: Buffer } {
  // A byte-order mark is no JSON (RFC 8259, 8.1), yet dumps carry one.
  const head = file.subarray(file.indexOf('\ufeff') === 0 ? 3 : 0);
  const start = firstNonSpace(head, 0);
  if (head[start] === openArray) return { splitter: elements('array'), rest: head.subarray(start + 1) };
  if (head[start] === openObject) {
    const servers = insideServers(head);
    if (servers !== -1) return { splitter: elements('array'), rest: head.subarray(servers) };
    if (!hasWholeFirstLine(head.subarray(start))) return { splitter: elements('document'), rest: head };
  }
  return { splitter: lines(), rest: head };
}

/** A first line that is a value of its own means JSON Lines; `{` alone, or a line that goes on, a document. */
function hasWholeFirstLine(head: Buffer): boolean {
  const end = head.indexOf(newline);
  if (end === -1) return true;
  const line = head.toString('utf8', 0, end).trim();
  const next = head[firstNonSpace(head, end)];
  return line.length > 1 && (line.endsWith('}') || next === openObject);
}

/** The place after `"servers": [` among the first keys of a document, or -1. */
function insideServers(head: Buffer): number {
  let depth = 0;
  for (let i = 0; i < head.length; i += 1) {
    const byte = head[i];
    if (byte === openObject || byte === openArray) depth += 1;
    else if (byte === closeObject || byte === closeArray) depth -= 1;
    else if (byte === quote) {
      const end = stringEnd(head, i + 1);
      if (depth === 1 && head.toString('utf8', i + 1, end) === 'servers') {
        const colon = firstNonSpace(head, end + 1);
        const value = firstNonSpace(head, colon + 1);
        if (head[colon] === 0x3a && head[value] === openArray) return value + 1;
      }
      i = end;
    }
    if (depth === 0) return -1;
  }
  return -1;
}

function stringEnd(bytes: Buffer, from: number): number {
  let i = from;
  while (i < bytes.length && bytes[i] !== quote) i += bytes[i] === backslash ? 2 : 1;
  return i;
}

function firstNonSpace(bytes: Buffer, from: number): number {
  let i = from;
  while (i < bytes.length && (bytes[i] === 0x20 || (bytes[i]! >= 0x09 && bytes[i]! <= 0x0d))) i += 1;
  return i;
}

/** Collects the bytes of one row over several chunks, up to the limit. */
function collector() {
  let parts: Buffer[] = [];
  let sizeBytes = 0;
  return {
    add(part: Buffer): void {
      sizeBytes += part.length;
      if (sizeBytes <= maxRowBytes) parts.push(part);
      else if (parts.length > 1) parts = [Buffer.concat(parts).subarray(0, beginningBytes)];
      else if (parts.length === 0) parts = [part.subarray(0, beginningBytes)];
    },
    take(): { text: string; tooLarge: boolean } {
      const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
      const tooLarge = sizeBytes > maxRowBytes;
      parts = [];
      sizeBytes = 0;
      return { text: bytes.toString('utf8', 0, tooLarge ? beginningBytes : bytes.length), tooLarge };
    },
  };
}

function lines(): Splitter {
  const row = collector();
  const take = (): Row => {
    const { text, tooLarge } = row.take();
    return tooLarge ? { tooLarge: text } : { text };
  };
  return {
    push(chunk) {
      const rows: Row[] = [];
      let from = 0;
      for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, from)) {
        row.add(chunk.subarray(from, at));
        rows.push(take());
        from = at + 1;
      }
      row.add(chunk.subarray(from));
      return rows;
    },
    end() {
      const last = take();
      if (!('text' in last)) return [last];
      if (last.text.trim() === '') return [];
      // Without its line end a last line may be whole or cut: only reading it tells.
      return [isJson(last.text) ? last : { cut: last.text }];
    },
  };
}

/** Follows strings and brackets byte by byte (all of JSON's structure is ASCII) and gives each element of the array, or the one document. */
function elements(of: 'array' | 'document'): Splitter {
  const row = collector();
  let depth = 0;
  let started = false;
  let inString = false;
  let escaped = false;
  let done = false;

  const push = (chunk: Buffer): Row[] => {
    const rows: Row[] = [];
    let from = 0;
    const finish = (end: number) => {
      row.add(chunk.subarray(from, end));
      const { text, tooLarge } = row.take();
      if (started) rows.push(tooLarge ? { tooLarge: text } : { text });
      started = false;
      from = end;
      done = of === 'document';
    };
    for (let i = 0; i < chunk.length && !done; i += 1) {
      const byte = chunk[i]!;
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === backslash) escaped = true;
        else if (byte === quote) inString = false;
        continue;
      }
      if (byte <= 0x20) continue;
      if (depth === 0 && (byte === comma || byte === closeArray)) {
        finish(i);
        from = i + 1;
        done = byte === closeArray;
        continue;
      }
      if (!started) from = i;
      started = true;
      if (byte === quote) inString = true;
      else if (byte === openObject || byte === openArray) depth += 1;
      else if (byte === closeObject || byte === closeArray) {
        depth -= 1;
        if (depth <= 0) {
          depth = 0;
          finish(i + 1);
        }
      }
    }
    if (started) row.add(chunk.subarray(from));
    return rows;
  };
  return { push, end: () => (done ? [] : [{ cut: row.take().text }]) };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
