/** Characters of one call's masked arguments: fifty thousand of them wait for the store at most. */
const maxChars = 1_000;
/** Beyond it nothing is parsed for the record. */
const maxBytes = 65_536;
const maxItems = 10;
/** Levels that are kept, the most that fit into `maxChars`. */
const depths = [8, 4, 2, 1, 0];
/** A name that may be somebody's data (an address, a number, a sentence) is masked as a value is. */
const plainName = /^[A-Za-z_][A-Za-z0-9_-]{0,39}$/;

/**
 * The shape of a call's arguments as JSON text, without any value of theirs: texts by their length, numbers and booleans by
 * their kind, lists and objects as they stand. What is large is told by its size. `bytes`: JSON, as it came.
 */
export function maskArguments(bytes: Buffer): string {
  const whole = JSON.stringify(`${bytes.length} bytes`);
  if (bytes.length > maxBytes) return whole;
  const value: unknown = JSON.parse(bytes.toString());
  for (const depth of depths) {
    const text = JSON.stringify(mask(value, depth));
    if (text.length <= maxChars) return text;
  }
  return whole;
}

function mask(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return `text(${value.length})`;
  if (Array.isArray(value)) {
    if (depth === 0) return `list(${value.length})`;
    const kept = value.slice(0, maxItems).map((item) => mask(item, depth - 1));
    return value.length > maxItems ? [...kept, `${value.length - maxItems} more`] : kept;
  }
  if (typeof value !== 'object' || value === null) return value === null ? null : typeof value;
  const members = Object.entries(value);
  if (depth === 0) return `object(${members.length})`;
  const named = members.map(([name, each], i) => [nameOf(name, i), mask(each, depth - 1)] as const);
  return Object.fromEntries(named);
}

/** Names that are masked alike stay apart by their places. */
function nameOf(name: string, place: number): string {
  return plainName.test(name) ? name : `text(${name.length}) #${place + 1}`;
}
