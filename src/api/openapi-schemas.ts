import type { TSchema } from 'typebox';

export type Json = Record<string, unknown>;

/** Schemas as a document shows them: those with a `$id` once, as components, and a `$ref` wherever they are used. */
export type SchemaTable = {
  readonly components: Readonly<Record<string, Json>>;
  show(schema: TSchema): Json;
};

export function createSchemaTable(): SchemaTable {
  const components: Record<string, Json> = {};
  const sources = new Map<string, string>();

  const show = (schema: unknown): Json => {
    const { $id, ...rest } = schema as Json;
    if (typeof $id !== 'string') return showMembers(rest);
    refuseSecond(sources, $id, JSON.stringify(rest));
    components[$id] ??= showMembers(rest);
    return { $ref: `#/components/schemas/${$id}` };
  };

  const showMembers = (schema: Json): Json =>
    Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, showMember(name, value)]));

  const showMember = (name: string, value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if (name === 'properties' || name === 'patternProperties')
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, show(each)]));
    if (name === 'items' || name === 'additionalProperties') return show(value);
    return name === 'anyOf' ? (value as unknown[]).map(show) : value;
  };

  return { components, show };
}

/** One name, one shape. */
function refuseSecond(sources: Map<string, string>, name: string, source: string): void {
  const known = sources.get(name);
  if (known !== undefined && known !== source) throw new Error(`Two schemas are called ${name}`);
  sources.set(name, source);
}
