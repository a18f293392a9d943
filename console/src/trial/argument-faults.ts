import type { ParameterSchema } from './parameter-schema.ts';

/** What the schema says against a value of the right kind, in words; the server has the last one. */
export function faultOf(schema: ParameterSchema, value: unknown): string | undefined {
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

/** The same before anything is typed. */
export function boundsOf(schema: ParameterSchema): string | undefined {
  const { minimum, maximum, minLength = 0, maxLength, minItems = 0, maxItems, pattern, format } = schema;
  const said = [
    range(minimum, maximum),
    ...(minLength > 1 || maxLength !== undefined
      ? [`${range(minLength > 1 ? minLength : undefined, maxLength)} characters`]
      : []),
    ...(minItems > 0 || maxItems !== undefined
      ? [`${range(minItems > 0 ? minItems : undefined, maxItems)} of them`]
      : []),
    pattern === undefined ? undefined : `fits ${pattern}`,
    formats[format ?? ''] === undefined ? undefined : format,
  ].filter((each) => each !== undefined);
  return said.length === 0 ? undefined : said.join(', ');
}

function range(least: number | undefined, most: number | undefined): string | undefined {
  if (least !== undefined && most !== undefined) return `${least} to ${most}`;
  if (least !== undefined) return `at least ${least}`;
  return most === undefined ? undefined : `at most ${most}`;
}
