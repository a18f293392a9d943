export type Rows = readonly Readonly<Record<string, unknown>>[];

/**
 * A structured result as a table: a list of objects, alone or as its only member; one object as two columns; anything else that
 * is there as one column. null: there is nothing.
 */
export function rowsOf(value: unknown): Rows | null {
  if (value === undefined || value === null) return null;
  if (!isObject(value)) return listOf(Array.isArray(value) ? value : [value]);
  const members = Object.entries(value);
  const [only] = members;
  if (members.length === 1 && only !== undefined && Array.isArray(only[1]) && only[1].every(isObject))
    return listOf(only[1]);
  return listOf(members.map(([name, each]) => ({ name, value: each })));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function listOf(values: readonly unknown[]): Rows | null {
  if (values.length === 0) return null;
  return values.every(isObject) ? values : values.map((value) => ({ value }));
}
