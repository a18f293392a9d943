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

/**
 * An object whose members are those of `view`, but for the changes: a member named there has that text for its value, or
 * is left out (null); what `view` did not have is added behind. Everything else stays as it came, byte for byte.
 */
export function changeMembers(
  view: JsonView | undefined,
  changes: Readonly<Record<string, JsonParts | null>>,
): JsonParts {
  const parts: JsonPart[] = ['{'];
  const open = new Map(Object.entries(changes));
  const put = (name: string, value: JsonParts) => {
    parts.push(`${parts.length === 1 ? '' : ','}${JSON.stringify(name)}:`, ...value);
  };
  for (const { name, value } of view === undefined ? [] : membersOf(view)) {
    const change = open.get(name);
    open.delete(name);
    if (change === undefined) put(name, [value.span()]);
    else if (change !== null) put(name, change);
  }
  for (const [name, change] of open) if (change !== null) put(name, change);
  parts.push('}');
  return parts;
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
