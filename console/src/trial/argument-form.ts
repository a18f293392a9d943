import { faultOf } from './argument-faults.ts';
import { type ParameterSchema, resolved, variantName, variantsOf } from './parameter-schema.ts';

/** How one parameter is asked for: a `variant` by which of several objects it is. What no simple field can hold is asked for as JSON. */
export type Kind =
  | 'text'
  | 'long'
  | 'number'
  | 'integer'
  | 'boolean'
  | 'choice'
  | 'json'
  | 'list'
  | 'variant';

export type Entry = {
  /** Unique in the form: the members on the way to it, with dots. */
  readonly name: string;
  /** Where its value stands among the arguments; numbers are places in lists. */
  readonly path: readonly (string | number)[];
  readonly kind: Kind;
  readonly required: boolean;
  readonly schema: ParameterSchema;
  /** Of a list: how many entries follow it. Of a variant: which one its members are of, counted from one; 0: none. */
  readonly count: number;
};

/** How many of each list are asked for, and which variants, by name. */
export type Counts = Readonly<Record<string, number>>;

/** An object in an object in an object has fields of its own, and so has a list of them; what is deeper is JSON. */
const deepest = 3;
/** A longer one is no form. */
const mostStarted = 20;

type Above = {
  readonly path: Entry['path'];
  readonly depth: number;
  readonly isRequired: boolean;
  readonly counts: Counts;
  readonly root: ParameterSchema;
};

export function entriesOf(schema: ParameterSchema, counts: Counts = {}): Entry[] {
  const at = { path: [], depth: -1, isRequired: true, counts, root: schema };
  // Arguments are an object, also of a schema that does not say so.
  return groupAt({ ...resolved(schema, schema), type: 'object' }, at) ?? [];
}

/** The fields of an object, or of the one chosen of several; null where there are none, or too deep. */
function groupAt(schema: ParameterSchema, at: Above): Entry[] | null {
  const below = { ...at, depth: at.depth + 1 };
  if (below.depth >= deepest) return null;
  const variants = variantsOf(schema, at.root);
  if (variants.length === 0) return isGroup(schema) ? membersOf(schema, below) : null;
  const name = at.path.join('.');
  const count = Math.min(at.counts[name] ?? (at.isRequired ? 1 : 0), variants.length);
  const chosen = variants[count - 1];
  const entry: Entry = {
    ...{ name, path: at.path, kind: 'variant', required: at.isRequired, count },
    schema: { ...schema, enumNames: variants.map(variantName) },
  };
  return [entry, ...(chosen === undefined ? [] : membersOf(chosen, { ...below, isRequired: true }))];
}

function membersOf({ properties = {}, required = [] }: ParameterSchema, above: Above): Entry[] {
  return Object.entries(properties)
    .map(([member, given]) => {
      const isRequired = above.isRequired && required.includes(member);
      const schema = resolved(given, above.root);
      return {
        isRequired,
        entries: entriesAt(schema, { ...above, path: [...above.path, member], isRequired }),
      };
    })
    .sort((a, b) => Number(b.isRequired) - Number(a.isRequired))
    .flatMap(({ entries }) => entries);
}

function entriesAt(schema: ParameterSchema, at: Above): Entry[] {
  const { path, isRequired, counts } = at;
  const group = groupAt(schema, at);
  if (group !== null) return group;
  const name = path.join('.');
  const item = itemOf(schema, at);
  const kind = item === null ? kindOf(schema, String(path.at(-1))) : 'list';
  const least = isRequired ? Math.min(schema.minItems ?? 0, mostStarted) : 0;
  const count = item === null ? 0 : (counts[name] ?? least);
  const entry: Entry = {
    ...{ name, path, kind, count, required: isRequired },
    schema: item === null ? schema : { ...schema, items: item },
  };
  const items = Array.from({ length: count }, (_, i) =>
    item === null ? [] : entriesAt(item, { ...at, path: [...path, i], isRequired: true }),
  );
  return [entry, ...items.flat()];
}

function isGroup(schema: ParameterSchema): boolean {
  return typeOf(schema) === 'object' && Object.keys(schema.properties ?? {}).length > 0;
}

/** What each of a list is, where each has fields of its own; texts are typed one a line. */
function itemOf(schema: ParameterSchema, { depth, root }: Above): ParameterSchema | null {
  if (typeOf(schema) !== 'array' || schema.items === undefined || Array.isArray(schema.default)) return null;
  const item = resolved(schema.items, root);
  if (isGroup(item) || variantsOf(item, root).length > 0) return depth + 1 < deepest ? item : null;
  const kind = kindOf(item, '');
  return kind === 'choice' || kind === 'number' || kind === 'integer' || kind === 'boolean' ? item : null;
}

const longNames = /body|content|markdown|prompt|description|sql|html/i;

function typeOf({ type }: ParameterSchema): string | undefined {
  const types = typeof type === 'string' ? [type] : (type ?? []);
  return types.find((each) => each !== 'null');
}

function kindOf(schema: ParameterSchema, name: string): Kind {
  const type = typeOf(schema);
  if (schema.enum !== undefined && schema.enum.length > 0) return 'choice';
  if (type === 'string') return longNames.test(name) && schema.format === undefined ? 'long' : 'text';
  if (type === 'integer' || type === 'number' || type === 'boolean') return type;
  return 'json';
}

export function startOf({ schema, kind, required }: Entry): string {
  const { default: given } = schema;
  if (given !== undefined && given !== null) return typeof given === 'string' ? given : JSON.stringify(given);
  if (kind === 'boolean') return required ? 'false' : '';
  if (kind === 'choice' && required) return String(schema.enum?.[0] ?? '');
  return '';
}

type Fault = { readonly name: string; readonly error: string };

/** The arguments that the texts mean, or what is wrong with the first that means nothing. */
export function argumentsOf(
  entries: readonly Entry[],
  texts: Readonly<Record<string, string>>,
): { readonly values: Record<string, unknown> } | Fault {
  const values: Record<string, unknown> = {};
  for (const entry of entries) {
    const { name, path } = entry;
    const text = texts[name] ?? startOf(entry);
    if (isLeftOut(entry, text)) continue;
    const read = isMissing(entry, text) ? undefined : parseText(entry, text);
    const fault = read === undefined ? expectation(entry, text) : faultOf(entry.schema, read);
    if (fault !== undefined) return { name, error: fault };
    if (path.length > 0) put(values, path, read);
  }
  return { values };
}

function isBlank({ kind, count }: Entry, text: string): boolean {
  return kind === 'list' || kind === 'variant' ? count === 0 : text.trim() === '';
}

function isLeftOut(entry: Entry, text: string): boolean {
  return !entry.required && isBlank(entry, text);
}

/** A text may be empty, and so may a list. */
function isMissing(entry: Entry, text: string): boolean {
  const mayBeBlank = entry.kind === 'text' || entry.kind === 'long' || entry.kind === 'list';
  return !mayBeBlank && isBlank(entry, text);
}

type Container = Record<string | number, unknown>;

function put(values: Container, path: Entry['path'], value: unknown): void {
  let at = values;
  for (const member of path.slice(0, -1)) {
    // Lists are there: they come before what is in them.
    if (!Object.hasOwn(at, member) || at[member] === undefined) at[member] = {};
    at = at[member] as Container;
  }
  at[path.at(-1) ?? ''] = value;
}

function parseText({ kind, schema, count }: Entry, text: string): unknown {
  switch (kind) {
    case 'list':
      // An object of which nothing is said is one all the same.
      return Array.from({ length: count }, () => (isGroup(schema.items ?? {}) ? {} : undefined));
    case 'variant':
      return {};
    case 'number':
    case 'integer': {
      const number = Number(text);
      return Number.isFinite(number) && (kind === 'number' || Number.isInteger(number)) ? number : undefined;
    }
    case 'boolean':
      return text === 'true';
    case 'choice':
      return schema.enum?.find((value) => String(value) === text);
    case 'json':
      return parseJson(schema, text);
    default:
      return text;
  }
}

function parseJson(schema: ParameterSchema, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    if (takesText(schema)) return text;
    // A list of texts, one a line, is what most people type.
    const lines = text.split('\n').map((line) => line.trim());
    return schema.type === 'array' && schema.items?.type === 'string'
      ? lines.filter((line) => line !== '')
      : undefined;
  }
}

/** A text among other things. */
function takesText({ anyOf, oneOf }: ParameterSchema): boolean {
  return (anyOf ?? oneOf ?? []).some(({ type }) => type === 'string');
}

function expectation(entry: Entry, text: string): string {
  const { kind } = entry;
  if (isMissing(entry, text)) return 'This one is required.';
  if (kind === 'integer') return 'A whole number is expected.';
  return kind === 'number' ? 'A number is expected.' : 'JSON is expected.';
}
