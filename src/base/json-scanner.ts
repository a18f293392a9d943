import { isUtf8 } from 'node:buffer';

/**
 * JSON as it came: one pass over the bytes checks that they are JSON (RFC 8259) and notes where the members stand that
 * somebody asked for. Nothing is decoded, so nothing can change: a number of 400 digits, `-0.0`, an escape or the order
 * of keys is passed on as the span of bytes that it was.
 *
 * Accepts and refuses what `JSON.parse` does after a fatal UTF-8 decoder, in linear time, with three differences: a leading
 * byte-order mark is skipped, depth is bounded, and a member that was asked for may stand only once (a reader of the first
 * and a reader of the last would disagree about what was checked).
 */
export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null';

/** The members to note, by name; `true`: its span is enough, an object: its own members too. */
export type JsonShape = { readonly [name: string]: JsonShape | true };

/**
 * Why bytes are refused:
 * utf8       not UTF-8
 * syntax     not JSON
 * depth      nested deeper than allowed
 * duplicate  a member that somebody reads stands twice; `member` names it
 */
export type JsonFaultReason = 'utf8' | 'syntax' | 'depth' | 'duplicate';

export class JsonFault extends Error {
  readonly reason: JsonFaultReason;
  /** Offset in bytes. */
  readonly at: number;
  readonly member: string | undefined;

  constructor(reason: JsonFaultReason, at: number, member?: string) {
    super(member === undefined ? `${reason} at byte ${at}` : `${reason}: ${member}`);
    this.reason = reason;
    this.at = at;
    this.member = member;
  }
}

/** One value in the bytes that came. */
export class JsonView {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  readonly kind: JsonKind;
  readonly #noted: Noted;

  constructor(place: { bytes: Buffer; start: number; end: number; kind: JsonKind }, noted: Noted) {
    this.bytes = place.bytes;
    this.start = place.start;
    this.end = place.end;
    this.kind = place.kind;
    this.#noted = noted;
  }

  /** The name of the first member that the shape does not name, where it names any. */
  get other(): string | undefined {
    return this.#noted.other;
  }

  /** A member that the shape names; undefined where it is absent. */
  get(name: string): JsonView | undefined {
    for (const member of this.#noted.members) if (member.name === name) return member.value;
    return undefined;
  }

  /** Whether the shape names it: then it is absent where `get` has none. */
  names(name: string): boolean {
    return this.#noted.wanted.some((each) => each.name === name);
  }

  /** The members that the shape names, in the order in which they came. */
  noted(): readonly Member[] {
    return this.#noted.members;
  }

  /** Like `get`, but undefined for null too: what is absent and what is null say the same. */
  present(name: string): JsonView | undefined {
    const found = this.get(name);
    return found?.kind === 'null' ? undefined : found;
  }

  /** The bytes themselves, not copied. */
  span(): Buffer {
    return this.bytes.subarray(this.start, this.end);
  }

  /** The bytes as text. */
  text(): string {
    return this.bytes.toString('utf8', this.start, this.end);
  }

  /** The value, parsed: only for what is small and read by us. */
  value(): unknown {
    return this.kind === 'string' ? this.string() : JSON.parse(this.text());
  }

  /** A string's value; undefined for every other kind. */
  string(): string | undefined {
    if (this.kind !== 'string') return undefined;
    const inner = this.bytes.toString('utf8', this.start + 1, this.end - 1);
    return inner.includes('\\') ? (JSON.parse(`"${inner}"`) as string) : inner;
  }
}

/** `start`: where its name begins, quote and all. */
type Member = { readonly name: string; readonly start: number; readonly value: JsonView };
type Noted = {
  readonly wanted: readonly Wanted[];
  readonly members: readonly Member[];
  readonly other: string | undefined;
};
/** A shape, ready to be held against keys. */
type Wanted = { readonly name: string; readonly key: Buffer; readonly below: readonly Wanted[] };

const compiled = new WeakMap<JsonShape, readonly Wanted[]>();
const none: readonly Wanted[] = [];
/** One for all calls: what a shape compiles to is kept by the shape. */
const nothingWanted: JsonShape = {};
const nothingNoted: Noted = { wanted: none, members: [], other: undefined };

function compile(shape: JsonShape): readonly Wanted[] {
  let wanted = compiled.get(shape);
  if (wanted === undefined) {
    wanted = Object.entries(shape).map(([name, below]) => ({
      name,
      key: Buffer.from(name),
      below: below === true ? none : compile(below),
    }));
    compiled.set(shape, wanted);
  }
  return wanted;
}

/** Deeper than any schema or argument seen in the catalogues. */
const maxJsonDepth = 64;

/** The one value that `bytes` are. Throws JsonFault. */
export function scanJson(bytes: Buffer, shape: JsonShape = nothingWanted, maxDepth = maxJsonDepth): JsonView {
  if (!isUtf8(bytes)) throw new JsonFault('utf8', 0);
  const scanner = new Scanner(bytes, maxDepth);
  return scanner.whole(compile(shape));
}

/** Where a view stands, and where what was noted of it does: plain data, for another thread. */
export type NotedPlaces = {
  readonly start: number;
  readonly end: number;
  readonly kind: JsonKind;
  readonly other: string | undefined;
  readonly members: readonly { readonly name: string; readonly start: number; readonly value: NotedPlaces }[];
};

/** More than one message a reply is rare; of more than so many, each would be an object of ours. */
const maxItems = 1_000;

/** `scanJson` without the views; `each`: of an array the items. Throws JsonFault, for more than 1,000 items too. */
export function scanPlaces(bytes: Buffer, shape: JsonShape, each: boolean): readonly NotedPlaces[] {
  const view = scanJson(bytes, shape);
  const views = each && view.kind === 'array' ? itemsOf(view, shape) : [view];
  if (views.length > maxItems) throw new JsonFault('syntax', view.end);
  return views.map(placesOf);
}

function placesOf(view: JsonView): NotedPlaces {
  const { start, end, kind, other } = view;
  const members = view.noted().map((member) => ({ ...member, value: placesOf(member.value) }));
  return { start, end, kind, other, members };
}

/** The view again, of the same bytes and shape. */
export function viewAt(bytes: Buffer, places: NotedPlaces, shape: JsonShape): JsonView {
  return toView(bytes, places, compile(shape));
}

function toView(
  bytes: Buffer,
  { start, end, kind, other, members }: NotedPlaces,
  wanted: readonly Wanted[],
): JsonView {
  if (kind !== 'object' || wanted.length === 0)
    return new JsonView({ bytes, start, end, kind }, nothingNoted);
  const noted = members.map((member) => {
    const below = wanted.find(({ name }) => name === member.name)?.below ?? none;
    return { ...member, value: toView(bytes, member.value, below) };
  });
  return new JsonView({ bytes, start, end, kind }, { wanted, members: noted, other });
}

/** The members of an object, all of them, in their order, each with the members that the shape names. */
export function membersOf(view: JsonView, shape: JsonShape = nothingWanted): readonly Member[] {
  if (view.kind !== 'object') return [];
  return new Scanner(view.bytes, Number.POSITIVE_INFINITY).everyMember(view.start, compile(shape));
}

/** The items of an array, each with the members that the shape names. */
export function itemsOf(view: JsonView, shape: JsonShape = nothingWanted): readonly JsonView[] {
  if (view.kind !== 'array') return [];
  return new Scanner(view.bytes, Number.POSITIVE_INFINITY).everyItem(view.start, compile(shape));
}

const quote = 0x22;
const comma = 0x2c;
const minus = 0x2d;
const dot = 0x2e;
const zero = 0x30;
const nine = 0x39;
const colon = 0x3a;
const openArray = 0x5b;
const backslash = 0x5c;
const closeArray = 0x5d;
const openObject = 0x7b;
const closeObject = 0x7d;
const byteOrderMark = [0xef, 0xbb, 0xbf] as const;

/** 1 where a byte in a string needs a look: a quote, a backslash, a control character. */
const special = new Uint8Array(256);
special.fill(1, 0, 0x20);
special[quote] = special[backslash] = 1;
/** What may follow a backslash; `u` aside. */
const simpleEscapes = new Uint8Array(256);
for (const letter of '"\\/bfnrt') simpleEscapes[letter.charCodeAt(0)] = 1;
const isHex = new Uint8Array(256);
for (const digit of '0123456789abcdefABCDEF') isHex[digit.charCodeAt(0)] = 1;

/** Beyond so many plain bytes a string is worth a look at four at a time. */
const longBytes = 64;

function wordsFrom({ buffer, byteOffset, length }: Buffer, at: number): Int32Array {
  return new Int32Array(buffer, byteOffset + at, (length - at) >> 2);
}

/**
 * How many words have no special byte, from the first on. Of four bytes at once: one below 0x20 borrows from its high bit when
 * 0x20 is taken off, and an equal one is below 1 after an exclusive or (H. Warren, Hacker's Delight, section 6-1).
 */
function plainWords(words: Int32Array): number {
  let i = 0;
  for (; i < words.length; i++) {
    const word = words[i] as number;
    const quotes = word ^ 0x22222222;
    const backslashes = word ^ 0x5c5c5c5c;
    const low =
      ((word - 0x20202020) & ~word) |
      ((quotes - 0x01010101) & ~quotes) |
      ((backslashes - 0x01010101) & ~backslashes);
    if ((low & 0x80808080) !== 0) break;
  }
  return i;
}

class Scanner {
  readonly #bytes: Buffer;
  readonly #end: number;
  readonly #maxDepth: number;
  #at = 0;
  #depth = 0;

  constructor(bytes: Buffer, maxDepth: number) {
    this.#bytes = bytes;
    this.#end = bytes.length;
    this.#maxDepth = maxDepth;
  }

  whole(wanted: readonly Wanted[]): JsonView {
    if (byteOrderMark.every((byte, i) => this.#bytes[i] === byte)) this.#at = byteOrderMark.length;
    this.#space();
    const view = this.#view(wanted);
    this.#space();
    if (this.#at < this.#end) throw this.#fault();
    return view;
  }

  everyMember(start: number, wanted: readonly Wanted[]): Member[] {
    this.#at = start;
    const found: Member[] = [];
    this.#object((from, to) => {
      found.push({ name: this.#name(from, to), start: from - 1, value: this.#view(wanted) });
    });
    return found;
  }

  everyItem(start: number, wanted: readonly Wanted[]): JsonView[] {
    this.#at = start;
    const found: JsonView[] = [];
    this.#array(() => found.push(this.#view(wanted)));
    return found;
  }

  /** The next value, with the members that are wanted of it. */
  #view(wanted: readonly Wanted[]): JsonView {
    const start = this.#at;
    const kind = kindAt(this.#bytes[start]);
    if (kind === undefined) throw this.#fault();
    let noted = nothingNoted;
    if (kind === 'object' && wanted.length > 0) noted = this.#noted(wanted);
    else this.#skip();
    return new JsonView({ bytes: this.#bytes, start, end: this.#at, kind }, noted);
  }

  #noted(wanted: readonly Wanted[]): Noted {
    const members: Member[] = [];
    let other: string | undefined;
    this.#object((from, to) => {
      const asked = this.#match(wanted, from, to);
      if (asked === undefined) {
        other ??= this.#name(from, to);
        return this.#skip();
      }
      if (members.some(({ name }) => name === asked.name)) throw new JsonFault('duplicate', from, asked.name);
      members.push({ name: asked.name, start: from - 1, value: this.#view(asked.below) });
    });
    return { wanted, members, other };
  }

  /** Walks an object; `member` is given where the key's text stands, and takes in the value. */
  #object(member: (from: number, to: number) => void): void {
    if (this.#isEmpty(closeObject)) return;
    for (;;) {
      const from = this.#at + 1;
      this.#string();
      const to = this.#at - 1;
      this.#space();
      if (this.#bytes[this.#at] !== colon) throw this.#fault();
      this.#at++;
      this.#space();
      member(from, to);
      if (this.#isLast(closeObject)) return;
    }
  }

  #array(item: () => void): void {
    if (this.#isEmpty(closeArray)) return;
    for (;;) {
      item();
      if (this.#isLast(closeArray)) return;
    }
  }

  /** Passes over one value of any kind; its recursion is bounded by the depth that is allowed. */
  #skip(): void {
    const first = this.#bytes[this.#at];
    if (first === openObject) this.#object(this.#skipMember);
    else if (first === openArray) this.#array(this.#skipItem);
    else if (first === quote) this.#string();
    else if (first === 0x74) this.#literal('true');
    else if (first === 0x66) this.#literal('false');
    else if (first === 0x6e) this.#literal('null');
    else this.#number();
  }

  readonly #skipItem = (): void => this.#skip();
  readonly #skipMember = (_from: number, _to: number): void => this.#skip();

  /** Enters an object or array; true where it is left at once. */
  #isEmpty(close: number): boolean {
    if (++this.#depth > this.#maxDepth) throw new JsonFault('depth', this.#at);
    this.#at++;
    this.#space();
    return this.#leaves(close);
  }

  /** Behind a member or an item: true where it was the last. */
  #isLast(close: number): boolean {
    this.#space();
    if (this.#leaves(close)) return true;
    if (this.#bytes[this.#at] !== comma) throw this.#fault();
    this.#at++;
    this.#space();
    return false;
  }

  #leaves(close: number): boolean {
    if (this.#bytes[this.#at] !== close) return false;
    this.#depth--;
    this.#at++;
    return true;
  }

  #space(): void {
    const bytes = this.#bytes;
    let at = this.#at;
    for (
      let byte = bytes[at];
      byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
      byte = bytes[at]
    )
      at++;
    this.#at = at;
  }

  #string(): void {
    const bytes = this.#bytes;
    const end = this.#end;
    let at = this.#at;
    if (bytes[at] !== quote) throw this.#fault();
    at++;
    for (;;) {
      const soon = Math.min(end, at + longBytes);
      while (at < soon && special[bytes[at] as number] === 0) at++;
      if (at === soon && at < end) at = this.#plainEnd(at);
      this.#at = at;
      const byte = bytes[at];
      if (byte === quote) {
        this.#at = at + 1;
        return;
      }
      if (byte !== backslash) throw this.#fault();
      at = this.#escape(at + 1);
    }
  }

  /** Where plain bytes end, looked for four at a time: of long strings it is what takes the time (images, whole documents). */
  #plainEnd(at: number): number {
    const bytes = this.#bytes;
    const end = this.#end;
    while (at < end && ((bytes.byteOffset + at) & 3) !== 0 && special[bytes[at] as number] === 0) at++;
    if (((bytes.byteOffset + at) & 3) === 0) at += 4 * plainWords(wordsFrom(bytes, at));
    while (at < end && special[bytes[at] as number] === 0) at++;
    return at;
  }

  /** Past one escape; `at`: behind its backslash. */
  #escape(at: number): number {
    const bytes = this.#bytes;
    const letter = bytes[at] ?? 0;
    if (simpleEscapes[letter] === 1) return at + 1;
    if (letter !== 0x75) throw this.#fault();
    for (let i = 1; i <= 4; i++) if (isHex[bytes[at + i] ?? 0] !== 1) throw this.#fault();
    return at + 5;
  }

  /** RFC 8259 section 6. */
  #number(): void {
    if (this.#bytes[this.#at] === minus) this.#at++;
    if (this.#bytes[this.#at] === zero) this.#at++;
    else this.#digits();
    if (this.#bytes[this.#at] === dot) {
      this.#at++;
      this.#digits();
    }
    const exponent = this.#bytes[this.#at];
    if (exponent !== 0x65 && exponent !== 0x45) return;
    this.#at++;
    const sign = this.#bytes[this.#at];
    if (sign === 0x2b || sign === minus) this.#at++;
    this.#digits();
  }

  #digits(): void {
    const bytes = this.#bytes;
    const from = this.#at;
    let at = from;
    for (let byte = bytes[at] ?? 0; byte >= zero && byte <= nine; byte = bytes[at] ?? 0) at++;
    if (at === from) throw this.#fault();
    this.#at = at;
  }

  #literal(word: string): void {
    for (let i = 0; i < word.length; i++)
      if (this.#bytes[this.#at + i] !== word.charCodeAt(i)) throw this.#fault();
    this.#at += word.length;
  }

  /** Which of the wanted members this key names, also when it is written with escapes. */
  #match(wanted: readonly Wanted[], from: number, to: number): Wanted | undefined {
    for (const each of wanted) if (this.#isKey(each.key, from, to)) return each;
    if (!this.#hasEscape(from, to)) return undefined;
    const name = this.#name(from, to);
    return wanted.find((each) => each.name === name);
  }

  #isKey(key: Buffer, from: number, to: number): boolean {
    const { length } = key;
    if (to - from !== length) return false;
    for (let i = 0; i < length; i++) if (this.#bytes[from + i] !== key[i]) return false;
    return true;
  }

  #hasEscape(from: number, to: number): boolean {
    for (let i = from; i < to; i++) if (this.#bytes[i] === backslash) return true;
    return false;
  }

  #name(from: number, to: number): string {
    const text = this.#bytes.toString('utf8', from, to);
    return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
  }

  #fault(): JsonFault {
    return new JsonFault('syntax', this.#at);
  }
}

function kindAt(byte: number | undefined): JsonKind | undefined {
  switch (byte) {
    case openObject:
      return 'object';
    case openArray:
      return 'array';
    case quote:
      return 'string';
    case 0x74:
    case 0x66:
      return 'boolean';
    case 0x6e:
      return 'null';
    default:
      return byte === minus || (byte !== undefined && byte >= zero && byte <= nine) ? 'number' : undefined;
  }
}
