export type Rows = readonly Readonly<Record<string, unknown>>[];

/** What of a structured result is a table: a list of objects, alone or as its only member, or one object as two columns. */
export function rowsOf(value: unknown): Rows | null {
  if (isObject(value)) {
    const members = Object.entries(value);
    const [only] = members;
    if (members.length === 1 && only !== undefined && isList(only[1])) return only[1];
    return members.length === 0 ? null : members.map(([name, each]) => ({ name, value: each }));
  }
  return isList(value) ? value : null;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isList(value: unknown): value is Rows {
  return Array.isArray(value) && value.length > 0 && value.every(isObject);
}
