/**
 * Writes sdk/api.ts, the types of every request and reply, from the OpenAPI document of the live route table:
 *
 *   node sdk/generate.ts
 *
 * test/sdk/types.test.ts fails when the file no longer says what the routes say. The Python client is written along with it
 * (clients/generate.ts).
 */
export type Schema = {
  readonly $ref?: string;
  readonly description?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | false;
};
type Operation = {
  readonly summary: string;
  readonly parameters?: readonly { name: string; in: string; required: boolean; schema: Schema }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { schema: Schema }>> };
  readonly responses: Readonly<Record<string, { content?: Readonly<Record<string, { schema?: Schema }>> }>>;
};
export type OpenApi = {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
};

const header = `// Written by sdk/generate.ts from the OpenAPI document. Do not edit.
// biome-ignore-all format: generated

`;
const jsonType = 'application/json';

/** The text of sdk/api.ts: a type for each component, and the operations that refer to them. */
export function apiTypes({ paths, components }: OpenApi): string {
  const types = Object.entries(components.schemas)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, schema]) => namedType(name, schema));
  const operations = Object.entries(paths)
    .filter(([path]) => !path.endsWith('/{path}'))
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) =>
        entry(`${method.toUpperCase()} ${path}`, operation),
      ),
    );
  return `${header}${types.join('\n')}\nexport type Api = {\n${operations.join('\n')}\n};\n`;
}

/** An object with a member a line, so that an editor and a diff show it well; anything else in one. */
function namedType(name: string, schema: Schema): string {
  const { properties, required = [] } = schema;
  const comment = commentOf(schema, '');
  if (schema.type !== 'object' || properties === undefined)
    return `${comment}export type ${name} =${alternatives(schema)};\n`;
  const members = Object.entries(properties).map(
    ([key, each]) => `${commentOf(each, '  ')}  ${field(key, required.includes(key), each)}`,
  );
  return `${comment}export type ${name} = {\n${[...members, ...openMember(schema)].join('\n')}\n};\n`;
}

/** One a line, where there are several objects. */
function alternatives(schema: Schema): string {
  if (schema.anyOf?.some(({ properties }) => properties !== undefined) !== true) return ` ${typeOf(schema)}`;
  return schema.anyOf.map((each) => `\n  | ${typeOf(each)}`).join('');
}

function commentOf({ description }: Schema, indent: string): string {
  return description === undefined ? '' : `${indent}/** ${description} */\n`;
}

/** Where more members may stand than are named. */
function openMember({ additionalProperties }: Schema): string[] {
  const isOpen = additionalProperties !== undefined && additionalProperties !== false;
  return isOpen ? ['  readonly [more: string]: unknown;'] : [];
}

function entry(name: string, { summary, parameters = [], requestBody, responses }: Operation): string {
  const body = requestBody?.content[jsonType]?.schema;
  const success = Object.entries(responses).find(([status]) => status.startsWith('2'))?.[1];
  const reply = success?.content?.[jsonType]?.schema;
  return [
    `  /** ${summary} */`,
    `  '${name}': {`,
    `    params: ${group(parameters.filter((each) => each.in === 'path'))};`,
    `    query: ${group(parameters.filter((each) => each.in === 'query'))};`,
    `    body: ${body === undefined ? 'undefined' : typeOf(body)};`,
    `    reply: ${reply === undefined ? 'unknown' : typeOf(reply)};`,
    '  };',
  ].join('\n');
}

function group(parameters: NonNullable<Operation['parameters']>): string {
  if (parameters.length === 0) return 'undefined';
  return `{ ${parameters.map(({ name, required, schema }) => field(name, required, schema)).join(' ')} }`;
}

function field(name: string, required: boolean, schema: Schema): string {
  const key = /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
  const type = typeOf(schema);
  const optional = required || type === 'unknown' ? type : `${type} | undefined`;
  return `readonly ${key}${required ? '' : '?'}: ${optional};`;
}

function typeOf(schema: Schema): string {
  if (schema.$ref !== undefined) return schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(' | ');
  switch (schema.type) {
    case 'string':
    case 'boolean':
    case 'null':
      return schema.type;
    case 'integer':
    case 'number':
      return 'number';
    case 'array':
      return arrayOf(schema.items === undefined ? 'unknown' : typeOf(schema.items));
    case 'object':
      return objectOf(schema);
    default:
      return 'unknown';
  }
}

function arrayOf(item: string): string {
  return /^\w+$/.test(item) ? `readonly ${item}[]` : `readonly (${item})[]`;
}

function objectOf(schema: Schema): string {
  const { properties = {}, required = [], patternProperties } = schema;
  const fields = Object.entries(properties);
  if (fields.length === 0) {
    const [values] = Object.values(patternProperties ?? {});
    return `Readonly<Record<string, ${values === undefined ? 'unknown' : typeOf(values)}>>`;
  }
  const members = fields.map(([name, each]) => field(name, required.includes(name), each));
  return `{ ${[...members, ...openMember(schema)].join(' ').replace(/ +/g, ' ')} }`;
}

if (import.meta.main) {
  const { openApiOfARealApp } = await import('../test/support/openapi.ts');
  const { writeFileSync } = await import('node:fs');
  const { writePython } = await import('../clients/generate.ts');
  const document = await openApiOfARealApp();
  writeFileSync(new URL('api.ts', import.meta.url), apiTypes(document));
  writePython(document);
}
