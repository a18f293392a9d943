import type { ReplyHeaders } from '../model.ts';

/** What is heard of one reply, in this order. */
export type ReplyEvents = {
  head(status: number, headers: ReplyHeaders): void;
  data(chunk: Buffer): void;
  /** It is whole. `reusable`: nothing came after it, and both sides may go on with another. */
  end(reusable: boolean): void;
};

/** What came is no HTTP/1.1 reply, or one that two readers might end in different places. */
export class WireFault extends Error {}

/** Status line and fields; more than any good server sends. */
const maxHeadBytes = 65_536;
/** A chunk's size with its extensions, or one trailer. */
const maxLineBytes = 4_096;
/** Announcements (1xx) before the reply. */
const maxAnnouncements = 16;

const beginning = Buffer.from('HTTP/1.');
const headEnd = Buffer.from('\r\n\r\n');
/** RFC 9112 section 4; some servers leave out the space before an empty reason. */
const statusLine = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
/** RFC 9110 section 5.6.2. */
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const notInValue = /[^\t\x20-\x7e\x80-\xff]/;
const chunkLine = /^([0-9A-Fa-f]{1,13})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/;
const lengthForm = /^\d{1,15}$/;

/** Where the reader stands. */
const head = 0;
const sized = 1;
const untilClose = 2;
const chunkSize = 3;
const chunkData = 4;
const chunkEnd = 5;
const trailer = 6;
const over = 7;

/**
 * Reads replies of HTTP/1.1 from one connection, one at a time (RFC 9112), and strictly: lines end with CRLF, a length is
 * given once and in one way, and nothing comes after the end. A reply that was taken for two, or two for one, would be
 * given to the wrong caller, so whatever is in doubt ends the connection (RFC 9112 section 11.2). Trailers are read and
 * dropped (threats D4).
 */
export class ReplyReader {
  /** How long the server says that it keeps the connection. */
  keepAliveMs: number | undefined;
  readonly #events: ReplyEvents;
  #state = over;
  #isHead = false;
  #persistent = false;
  /** Of the body or the chunk that is being read. */
  #leftBytes = 0;
  #announcements = 0;
  #trailerBytes = 0;
  /** The beginning of a head or line whose end is still to come. */
  #held: Buffer | undefined;

  constructor(events: ReplyEvents) {
    this.#events = events;
  }

  /** The next reply is to a request of this method. */
  expect(method: string): void {
    this.#state = head;
    this.#isHead = method === 'HEAD';
    this.#announcements = 0;
    this.#held = undefined;
  }

  /** Nothing more is told. */
  stop(): void {
    this.#state = over;
  }

  /** Keeps nothing of `chunk` itself. Throws WireFault, and what `events` throw. */
  feed(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && this.#state !== over) {
      if (this.#state === head) at = this.#readHead(chunk, at);
      else if (this.#state === sized || this.#state === chunkData) at = this.#readSized(chunk, at);
      else if (this.#state === untilClose) at = this.#readAll(chunk, at);
      else at = this.#readLine(chunk, at);
    }
  }

  /** The server closed the connection: the end of a reply that has no other, too early for any else. */
  close(): void {
    if (this.#state === over) return;
    if (this.#state !== untilClose)
      throw new WireFault('the connection was closed before the reply was whole');
    this.#end(false);
  }

  #readHead(chunk: Buffer, at: number): number {
    const held = this.#held;
    const bytes = held === undefined ? chunk.subarray(at) : Buffer.concat([held, chunk.subarray(at)]);
    const end = bytes.indexOf(headEnd);
    if (end > maxHeadBytes || (end < 0 && bytes.length > maxHeadBytes))
      throw new WireFault(`the head is larger than ${maxHeadBytes} bytes`);
    if (end < 0) {
      // What can become no head is not waited for.
      if (!bytes.subarray(0, beginning.length).equals(beginning.subarray(0, bytes.length)))
        throw new WireFault('it does not begin as a reply does');
      if (bytes.includes('\n\n')) throw new WireFault('a line ends without CR');
      this.#held = Buffer.from(bytes);
      return chunk.length;
    }
    this.#held = undefined;
    const next = at + end + headEnd.length - (held?.length ?? 0);
    this.#takeHead(bytes.toString('latin1', 0, end), next === chunk.length);
    return next;
  }

  #takeHead(text: string, isLast: boolean): void {
    const lineEnd = text.indexOf('\r\n');
    const [, minor, code] = statusLine.exec(lineEnd < 0 ? text : text.slice(0, lineEnd)) ?? [];
    if (code === undefined) throw new WireFault('the status line is none');
    const status = Number(code);
    const headers = lineEnd < 0 ? noFields() : readFields(text, lineEnd + 2);
    // We never ask for another protocol.
    if (status === 101) throw new WireFault('it switches protocols unasked');
    if (status < 200) {
      // RFC 9110 section 15.2.
      if (minor === '0') throw new WireFault('HTTP/1.0 has no announcements');
      if (++this.#announcements > maxAnnouncements) throw new WireFault('it announces without end');
      return;
    }
    this.#persistent = minor === '1' && !asksToClose(headers.connection);
    this.keepAliveMs = keepAliveOf(headers['keep-alive']);
    const length = bodyLength(status, headers, minor === '1', this.#isHead);
    this.#leftBytes = length;
    this.#state = length >= 0 ? sized : length === chunked ? chunkSize : untilClose;
    this.#trailerBytes = 0;
    this.#events.head(status, headers);
    if (length === 0 && this.#state === sized) this.#end(isLast);
  }

  #readSized(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#leftBytes);
    this.#leftBytes -= end - at;
    this.#events.data(at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end));
    if (this.#leftBytes > 0 || this.#state === over) return end;
    if (this.#state === chunkData) this.#state = chunkEnd;
    else this.#end(end === chunk.length);
    return end;
  }

  #readAll(chunk: Buffer, at: number): number {
    this.#events.data(at === 0 ? chunk : chunk.subarray(at));
    return chunk.length;
  }

  #readLine(chunk: Buffer, at: number): number {
    const lineFeed = chunk.indexOf(0x0a, at);
    const end = lineFeed < 0 ? chunk.length : lineFeed + 1;
    const held = this.#held;
    const piece = chunk.subarray(at, end);
    const bytes = held === undefined ? piece : Buffer.concat([held, piece]);
    if (bytes.length > maxLineBytes) throw new WireFault(`a line is longer than ${maxLineBytes} bytes`);
    if (lineFeed < 0) {
      this.#held = Buffer.from(bytes);
      return end;
    }
    this.#held = undefined;
    if (bytes.at(-2) !== 0x0d) throw new WireFault('a line ends without CR');
    this.#takeLine(bytes.toString('latin1', 0, bytes.length - 2), end === chunk.length);
    return end;
  }

  #takeLine(line: string, isLast: boolean): void {
    if (this.#state === chunkSize) {
      const size = chunkLine.exec(line)?.[1];
      if (size === undefined) throw new WireFault('the size of a chunk is none');
      this.#leftBytes = Number.parseInt(size, 16);
      this.#state = this.#leftBytes === 0 ? trailer : chunkData;
    } else if (this.#state === chunkEnd) {
      if (line !== '') throw new WireFault('a chunk is longer than its size');
      this.#state = chunkSize;
    } else if (line === '') this.#end(isLast);
    else {
      readFields(line, 0);
      this.#trailerBytes += line.length;
      if (this.#trailerBytes > maxHeadBytes) throw new WireFault('its trailers have no end');
    }
  }

  #end(isLast: boolean): void {
    this.#state = over;
    this.#events.end(isLast && this.#persistent);
  }
}

type Fields = Record<string, string | string[] | undefined>;

/** Without a prototype: any name may come. */
function noFields(): Fields {
  return Object.create(null) as Fields;
}

/** Fields from `from` on, a line each; names in lower case, values without space around them (RFC 9112 section 5). */
function readFields(text: string, from: number): Fields {
  const fields = noFields();
  for (let at = from; at < text.length; ) {
    const found = text.indexOf('\r\n', at);
    const end = found < 0 ? text.length : found;
    const colon = text.indexOf(':', at);
    if (colon < 0 || colon > end) throw new WireFault('a field has no name');
    const name = fieldName(text.slice(at, colon));
    const value = withoutSpace(text, colon + 1, end);
    if (notInValue.test(value)) throw new WireFault(`${name} has characters that no field has`);
    const before = fields[name];
    if (before === undefined) fields[name] = value;
    else if (framing.has(name)) throw new WireFault(`${name} was sent twice`);
    else fields[name] = Array.isArray(before) ? [...before, value] : [before, value];
    at = end + 2;
  }
  return fields;
}

/** Fields that say where a reply ends. */
const framing: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding']);

/** Names as they were written to names in lower case: servers send the same few over and over. */
const namesSeen = new Map<string, string>();
const namesKept = 1_000;

function fieldName(written: string): string {
  const known = namesSeen.get(written);
  if (known !== undefined) return known;
  if (!token.test(written)) throw new WireFault('a field has a name that is none');
  const name = written.toLowerCase();
  if (namesSeen.size >= namesKept) namesSeen.clear();
  namesSeen.set(written, name);
  return name;
}

function withoutSpace(text: string, from: number, to: number): string {
  let [start, end] = [from, to];
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

const chunked = -1;
const unknown = -2;

/** Bytes, or `chunked`, or `unknown` until the connection closes (RFC 9112 section 6.3). */
function bodyLength(status: number, headers: Fields, canChunk: boolean, isHead: boolean): number {
  const { 'transfer-encoding': coding, 'content-length': length } = headers;
  if (length !== undefined && !lengthForm.test(String(length)))
    throw new WireFault('content-length is no number');
  if (coding !== undefined && length !== undefined) throw new WireFault('its length is given in two ways');
  if (isHead || status === 204 || status === 304) return 0;
  if (coding !== undefined) {
    if (!canChunk || String(coding).toLowerCase() !== 'chunked')
      throw new WireFault('its transfer-encoding is not chunked');
    return chunked;
  }
  return length === undefined ? unknown : Number(length);
}

function asksToClose(connection: string | string[] | undefined): boolean {
  return connection !== undefined && /(^|[,\s])close([,\s]|$)/i.test(String(connection));
}

/** `Keep-Alive: timeout=5, max=100` */
function keepAliveOf(field: string | string[] | undefined): number | undefined {
  if (field === undefined) return undefined;
  const seconds = /(?:^|[,\s])timeout=(\d{1,6})/i.exec(String(field))?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1_000;
}
