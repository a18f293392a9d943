import { type JsonView, membersOf } from './json-scanner.ts';

/** JSON text in pieces that stand one behind the other: spans of what came, and what we wrote ourselves. */
export type JsonPart = Buffer | string;
export type JsonParts = readonly JsonPart[];

/** The bytes of the parts; copied once, and not at all where there is one. */
export function joinJson(parts: JsonParts): Buffer {
  const [first] = parts;
  if (parts.length === 1 && first !== undefined)
    return typeof first === 'string' ? Buffer.from(first) : first;
  let length = 0;
  for (const part of parts) length += Buffer.byteLength(part);
  const joined = Buffer.allocUnsafe(length);
  let at = 0;
  for (const part of parts) at += typeof part === 'string' ? joined.write(part, at) : part.copy(joined, at);
  return joined;
}

/** New text for members by name; null: it is left out. */
export type Changes = Readonly<Record<string, JsonParts | null>>;

/**
 * An object whose members are those of `view`, but for the changes: a member named there has that text for its value, or
 * is left out (null); what `view` did not have is added behind. Everything else stays as it came, byte for byte.
 */
export function changeMembers(view: JsonView | undefined, changes: Changes): JsonParts {
  return ['{', ...changedMembers(view, changes), '}'];
}

/** The same without its braces: no parts where no member is left. */
export function changedMembers(view: JsonView | undefined, changes: Changes): JsonParts {
  const open = new Map(Object.entries(changes));
  if (view === undefined) return added([], open);
  // Of members that were noted it is known where they stand; else all of them are looked through once more.
  const isKnown = open.size > 0 && Object.keys(changes).every((name) => view.names(name));
  const splice = new Splice(view);
  let kept = isKnown && view.other !== undefined;
  for (const { name, start, value } of isKnown ? view.noted() : membersOf(view)) {
    // A second one of that name goes.
    const change = open.get(name) ?? (Object.hasOwn(changes, name) ? null : undefined);
    open.delete(name);
    kept ||= change !== null;
    if (change === null) splice.remove(start, value.end);
    else if (change !== undefined) splice.replace(value, change);
  }
  return added(kept ? splice.end() : [], open);
}

/** The inside of an object, piece by piece. */
class Splice {
  readonly #view: JsonView;
  readonly #parts: JsonPart[] = [];
  #at: number;

  constructor(view: JsonView) {
    this.#view = view;
    this.#at = view.start + 1;
  }

  replace({ start, end }: JsonView, text: JsonParts): void {
    this.#keepUntil(start);
    this.#parts.push(...text);
    this.#at = end;
  }

  /** One comma goes with a member: the one before, or of what has become the first member the one behind. */
  remove(start: number, end: number): void {
    const { bytes } = this.#view;
    let before = start - 1;
    while (isSpace(bytes[before])) before--;
    const isFirst = bytes[before] !== comma || before < this.#at;
    this.#keepUntil(isFirst ? start : before);
    this.#at = end;
    if (!isFirst) return;
    let behind = end;
    while (isSpace(bytes[behind])) behind++;
    if (bytes[behind] === comma) this.#at = behind + 1;
  }

  end(): JsonPart[] {
    this.#keepUntil(this.#view.end - 1);
    return this.#parts;
  }

  #keepUntil(end: number): void {
    this.#parts.push(this.#view.bytes.subarray(this.#at, end));
  }
}

/** With the members that were not there. */
function added(parts: JsonPart[], missing: ReadonlyMap<string, JsonParts | null>): JsonParts {
  for (const [name, value] of missing)
    if (value !== null) parts.push(`${parts.length === 0 ? '' : ','}${JSON.stringify(name)}:`, ...value);
  return parts;
}

const comma = 0x2c;

/** RFC 8259 section 2. */
function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/**
 * JSON on one line, as stdio and an SSE `data` field want it. In JSON a raw line break stands between tokens only (RFC
 * 8259 section 7), so each may go and nothing else changes.
 */
export function onOneLine(json: Buffer): Buffer {
  if (json.indexOf(lineFeed) < 0 && json.indexOf(carriageReturn) < 0) return json;
  return Buffer.from(json.filter((byte) => byte !== lineFeed && byte !== carriageReturn));
}
