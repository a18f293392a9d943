import type { ParameterSchema } from './parameter-schema.ts';

/** How one parameter is asked for. What no simple field can hold is asked for as JSON. */
export type Kind = 'text' | 'long' | 'number' | 'integer' | 'boolean' | 'choice' | 'json';

export type Entry = {
  /** Unique in the form: the members on the way to it, with dots. */
  readonly name: string;
  /** Where its value stands among the arguments. */
  readonly path: readonly string[];
  readonly kind: Kind;
  readonly required: boolean;
  readonly schema: ParameterSchema;
};

/** An object in an object in an object has fields of its own; what is deeper is JSON. */
const deepest = 3;

export function entriesOf(schema: ParameterSchema): Entry[] {
  return membersOf(schema, { path: [], isRequired: true });
}

function membersOf(
  { properties = {}, required = [] }: ParameterSchema,
  above: { readonly path: readonly string[]; readonly isRequired: boolean },
): Entry[] {
  return Object.entries(properties)
    .map(([member, given]) => {
      const path = [...above.path, member];
      const schema = withoutNull(given);
      const isRequired = above.isRequired && required.includes(member);
      const entry = {
        name: path.join('.'),
        path,
        schema,
        required: isRequired,
        kind: kindOf(member, schema),
      };
      const isGroup = typeOf(schema) === 'object' && Object.keys(schema.properties ?? {}).length > 0;
      const entries: Entry[] =
        isGroup && path.length < deepest ? membersOf(schema, { path, isRequired }) : [entry];
      return { isRequired, entries };
    })
    .sort((a, b) => Number(b.isRequired) - Number(a.isRequired))
    .flatMap(({ entries }) => entries);
}

/** `anyOf: [X, null]` is an optional X. */
function withoutNull(schema: ParameterSchema): ParameterSchema {
  const forms = (schema.anyOf ?? schema.oneOf)?.filter(({ type }) => type !== 'null');
  const [only] = forms ?? [];
  if (forms?.length !== 1 || only === undefined) return schema;
  return { ...only, ...(schema.description === undefined ? {} : { description: schema.description }) };
}

const longNames = /body|content|markdown|prompt|description|sql|html/i;

function typeOf({ type }: ParameterSchema): string | undefined {
  const types = typeof type === 'string' ? [type] : (type ?? []);
  return types.find((each) => each !== 'null');
}

function kindOf(name: string, schema: ParameterSchema): Kind {
  const type = typeOf(schema);
  if (schema.enum !== undefined && schema.enum.length > 0) return 'choice';
  if (type === 'string') return longNames.test(name) && schema.format === undefined ? 'long' : 'text';
  if (type === 'integer' || type === 'number' || type === 'boolean') return type;
  return 'json';
}

export function startOf({ schema, kind, required }: Entry): string {
  const { default: given } = schema;
  if (given !== undefined) return typeof given === 'string' ? given : JSON.stringify(given);
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
    const { name, path, kind, required } = entry;
    const text = texts[name] ?? '';
    if (text.trim() === '') {
      if (required && kind !== 'text' && kind !== 'long') return { name, error: 'This one is required.' };
      if (!required) continue;
    }
    const read = parseText(entry, text);
    if (read === undefined) return { name, error: expectation(entry) };
    const fault = faultOf(entry.schema, read);
    if (fault !== undefined) return { name, error: fault };
    put(values, path, read);
  }
  return { values };
}

function put(values: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let at = values;
  for (const member of path.slice(0, -1)) {
    if (!Object.hasOwn(at, member)) at[member] = {};
    at = at[member] as Record<string, unknown>;
  }
  at[path.at(-1) ?? ''] = value;
}

function parseText({ kind, schema }: Entry, text: string): unknown {
  switch (kind) {
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
    // A list of texts, one a line, is what most people type.
    const lines = text.split('\n').map((line) => line.trim());
    return schema.type === 'array' && schema.items?.type === 'string'
      ? lines.filter((line) => line !== '')
      : undefined;
  }
}

function expectation({ kind }: Entry): string {
  if (kind === 'integer') return 'A whole number is expected.';
  return kind === 'number' ? 'A number is expected.' : 'JSON is expected.';
}

/** What the schema says against a value of the right kind, in words; the server has the last one. */
function faultOf(schema: ParameterSchema, value: unknown): string | undefined {
  if (typeof value === 'number') return numberFault(schema, value);
  if (typeof value === 'string') return textFault(schema, value);
  if (!Array.isArray(value)) return undefined;
  const { minItems = 0, maxItems = Number.POSITIVE_INFINITY } = schema;
  if (value.length < minItems) return `At least ${minItems} are expected.`;
  return value.length > maxItems ? `At most ${maxItems} are expected.` : undefined;
}

function numberFault(schema: ParameterSchema, value: number): string | undefined {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
  if (minimum !== undefined && value < minimum) return `At least ${minimum} is expected.`;
  if (maximum !== undefined && value > maximum) return `At most ${maximum} is expected.`;
  if (exclusiveMinimum !== undefined && value <= exclusiveMinimum)
    return `More than ${exclusiveMinimum} is expected.`;
  if (exclusiveMaximum !== undefined && value >= exclusiveMaximum)
    return `Less than ${exclusiveMaximum} is expected.`;
  return undefined;
}

const formats: Readonly<Record<string, readonly [pattern: RegExp, words: string]>> = {
  email: [/^\S+@\S+$/, 'An e-mail address is expected.'],
  uri: [/^[a-z][a-z0-9+.-]*:\S+$/i, 'A URL is expected.'],
  date: [/^\d{4}-\d\d-\d\d$/, 'A day is expected, for example 2027-01-31.'],
  'date-time': [/^\d{4}-\d\d-\d\dT\d\d:\d\d/, 'A time is expected, for example 2027-01-31T09:00:00Z.'],
};

function textFault(schema: ParameterSchema, value: string): string | undefined {
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern, format } = schema;
  if (value.length < minLength)
    return minLength === 1 ? 'This one is required.' : `At least ${minLength} characters are expected.`;
  if (value.length > maxLength) return `At most ${maxLength} characters are expected.`;
  const [known, words] = formats[format ?? ''] ?? [];
  if (known !== undefined && !known.test(value)) return words;
  return pattern === undefined || fits(pattern, value) ? undefined : `It does not fit ${pattern}.`;
}

/** A pattern that this browser cannot read refuses nothing. */
function fits(pattern: string, value: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(value);
  } catch {
    return true;
  }
}
