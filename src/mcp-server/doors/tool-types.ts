/** Tools as typed functions of TypeScript, for clients that run code instead of calling tools one by one. */
import type { AliasedTool } from '../features/aliases.ts';

/** A schema may nest without end; deeper than this its parts are `unknown`. */
const deepest = 6;
const plainKey = /^[A-Za-z_$][A-Za-z0-9_$]*$/;

type Schema = Readonly<Record<string, unknown>>;

/** A module: `createTools(call)` makes an object with one function a tool. `path`: where its tools are called. */
export function toolTypes(tools: readonly AliasedTool[], path: string): string {
  const functions = tools.map(({ alias, tool }) => {
    const { outputSchema } = parse(tool.details ?? '{}');
    const input = typeOf(parse(tool.inputSchema), deepest);
    const output = outputSchema === undefined ? 'unknown' : typeOf(outputSchema, deepest);
    const name = JSON.stringify(alias);
    return [
      `    /** ${comment(tool.description)} */`,
      `    ${keyOf(alias)}: (args: ${input}): Promise<${output}> => call(${name}, args) as Promise<${output}>,`,
    ].join('\n');
  });
  return [
    `/** The tools of ${comment(path)} as functions. Made from their schemas; changes when they do. */`,
    '',
    '/** Sends a tools/call there, and answers its structuredContent, or its content where it has none. */',
    'export type Call = (name: string, args: unknown) => Promise<unknown>;',
    '',
    'export function createTools(call: Call) {',
    '  return {',
    ...functions,
    '  };',
    '}',
    '',
  ].join('\n');
}

function parse(text: string): Schema {
  const value: unknown = JSON.parse(text);
  return isObject(value) ? value : {};
}

function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Another's words must not end the comment that they stand in, nor its line. */
function comment(text: string): string {
  return text
    .replace(/\*\//g, '*\\/')
    .replace(/[\r\n\u2028\u2029]+/g, ' ')
    .trim();
}

function keyOf(name: string): string {
  return plainKey.test(name) ? name : JSON.stringify(name);
}

function typeOf(schema: unknown, depth: number): string {
  if (!isObject(schema) || depth === 0) return 'unknown';
  const { enum: values, const: only, anyOf, oneOf, type } = schema;
  if (only !== undefined) return literal(only);
  if (Array.isArray(values)) return union(values.map(literal));
  const options = anyOf ?? oneOf;
  if (Array.isArray(options)) return union(options.map((option) => typeOf(option, depth - 1)));
  if (Array.isArray(type)) return union(type.map((one) => typeOf({ ...schema, type: one }, depth)));
  return ofType(type, schema, depth);
}

function ofType(type: unknown, schema: Schema, depth: number): string {
  switch (type) {
    case 'string':
    case 'boolean':
    case 'null':
    case 'number':
      return type;
    case 'integer':
      return 'number';
    case 'array':
      return `Array<${typeOf(schema.items, depth - 1)}>`;
    default:
      return type === 'object' || isObject(schema.properties) ? objectType(schema, depth) : 'unknown';
  }
}

function objectType({ properties, required, additionalProperties }: Schema, depth: number): string {
  const needed = new Set(Array.isArray(required) ? required : []);
  const members = Object.entries(isObject(properties) ? properties : {}).map(
    ([name, schema]) => `${keyOf(name)}${needed.has(name) ? '' : '?'}: ${typeOf(schema, depth - 1)}`,
  );
  if (members.length > 0) return `{ ${members.join('; ')} }`;
  return additionalProperties === false ? 'Record<string, never>' : 'Record<string, unknown>';
}

function union(types: readonly string[]): string {
  return types.length === 0 ? 'never' : [...new Set(types)].join(' | ');
}

function literal(value: unknown): string {
  return isObject(value) || Array.isArray(value) ? 'unknown' : JSON.stringify(value);
}
