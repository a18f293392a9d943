/**
 * Writes sdk/api.ts, the types of every request and reply, from the OpenAPI document of the live route table:
 *
 *   node sdk/generate.ts
 *
 * test/sdk/types.test.ts fails when the file no longer says what the routes say.
 */
type Schema = {
  readonly $ref?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly patternProperties?: Readonly<Record<string, Schema>>;
};
type Operation = {
  readonly summary: string;
  readonly parameters?: readonly { name: string; in: string; required: boolean; schema: Schema }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { schema: Schema }>> };
  readonly responses: Readonly<Record<string, { content?: Readonly<Record<string, { schema: Schema }>> }>>;
};
export type OpenApi = { readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> };

const header = `// Written by sdk/generate.ts from the OpenAPI document. Do not edit.
// biome-ignore-all format: generated

`;
const jsonType = 'application/json';

/** The text of sdk/api.ts. */
export function apiTypes(document: OpenApi): string {
  const operations = Object.entries(document.paths)
    .filter(([path]) => !path.endsWith('/{path}'))
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) =>
        entry(`${method.toUpperCase()} ${path}`, operation),
      ),
    );
  return `${header}export type Api = {\n${operations.join('\n')}\n};\n`;
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
  return `readonly ${key}${required ? '' : '?'}: ${typeOf(schema)}${required ? '' : ' | undefined'};`;
}

function typeOf(schema: Schema): string {
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
      return `readonly (${schema.items === undefined ? 'unknown' : typeOf(schema.items)})[]`;
    case 'object':
      return objectOf(schema);
    default:
      return 'unknown';
  }
}

function objectOf({ properties = {}, required = [], patternProperties }: Schema): string {
  const fields = Object.entries(properties);
  if (fields.length === 0) {
    const [values] = Object.values(patternProperties ?? {});
    return `Readonly<Record<string, ${values === undefined ? 'unknown' : typeOf(values)}>>`;
  }
  return `{ ${fields.map(([name, schema]) => field(name, required.includes(name), schema)).join(' ')} }`;
}

if (import.meta.main) {
  const { openApiOfARealApp } = await import('../test/support/openapi.ts');
  const { writeFileSync } = await import('node:fs');
  writeFileSync(new URL('api.ts', import.meta.url), apiTypes(await openApiOfARealApp()));
}
