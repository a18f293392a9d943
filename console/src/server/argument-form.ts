import type { ParameterSchema } from './parameter-schema.ts';

/** How one parameter is asked for. What no simple field can hold is asked for as JSON. */
export type Kind = 'text' | 'long' | 'number' | 'integer' | 'boolean' | 'choice' | 'json';

export type Entry = {
  readonly name: string;
  readonly kind: Kind;
  readonly required: boolean;
  readonly schema: ParameterSchema;
};

export function entriesOf({ properties = {}, required = [] }: ParameterSchema): Entry[] {
  const entries = Object.entries(properties).map(([name, schema]) => ({
    name,
    schema: withoutNull(schema),
    required: required.includes(name),
  }));
  return entries
    .map((entry) => ({ ...entry, kind: kindOf(entry.name, entry.schema) }))
    .sort((a, b) => Number(b.required) - Number(a.required));
}

/** `anyOf: [X, null]` is an optional X. */
function withoutNull(schema: ParameterSchema): ParameterSchema {
  const forms = (schema.anyOf ?? schema.oneOf)?.filter(({ type }) => type !== 'null');
  const [only] = forms ?? [];
  if (forms?.length !== 1 || only === undefined) return schema;
  return { ...only, ...(schema.description === undefined ? {} : { description: schema.description }) };
}

const longNames = /body|content|markdown|prompt|description|sql|html/i;

function kindOf(name: string, schema: ParameterSchema): Kind {
  const types = typeof schema.type === 'string' ? [schema.type] : (schema.type ?? []);
  const [type] = types.filter((each) => each !== 'null');
  if (schema.enum !== undefined && schema.enum.length > 0) return 'choice';
  if (type === 'string') return longNames.test(name) ? 'long' : 'text';
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

/** The arguments that the texts mean, or what is wrong with the first that means nothing. */
export function argumentsOf(
  entries: readonly Entry[],
  texts: Readonly<Record<string, string>>,
): { readonly values: Record<string, unknown> } | { readonly name: string; readonly error: string } {
  const values: Record<string, unknown> = {};
  for (const entry of entries) {
    const text = texts[entry.name] ?? '';
    if (text.trim() === '') {
      if (entry.required && entry.kind !== 'text' && entry.kind !== 'long')
        return { name: entry.name, error: 'This one is required.' };
      if (entry.required) values[entry.name] = '';
      continue;
    }
    const read = parseText(entry, text);
    if (read === undefined) return { name: entry.name, error: expectation(entry) };
    values[entry.name] = read;
  }
  return { values };
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
      try {
        return JSON.parse(text) as unknown;
      } catch {
        // A list of texts, one a line, is what most people type.
        const lines = text.split('\n').map((line) => line.trim());
        return schema.type === 'array' && schema.items?.type === 'string'
          ? lines.filter((line) => line !== '')
          : undefined;
      }
    default:
      return text;
  }
}

function expectation({ kind }: Entry): string {
  if (kind === 'integer') return 'A whole number is expected.';
  return kind === 'number' ? 'A number is expected.' : 'JSON is expected.';
}
