import { itemsOf, type JsonView, membersOf, scanJson } from '../base/json-scanner.ts';
import { changeMembers, type JsonParts } from '../base/json-splice.ts';

/**
 * Tools as clients of the revisions with a handshake can read them. They refuse a whole list over one tool whose schema is
 * no object, has a bare boolean for a subschema, or a member that is null.
 */

type Changes = Record<string, JsonParts | null>;

const toolShape = {
  title: true,
  description: true,
  inputSchema: { type: true },
  outputSchema: { type: true },
  annotations: true,
  icons: true,
  execution: true,
  _meta: true,
} as const;
const schemaShape = { type: true } as const;

/** The list as it has to be written; undefined where it can stay as it is. */
export function sessionTools(tools: JsonView): JsonParts | undefined {
  let isChanged = false;
  const items = itemsOf(tools, toolShape).map((tool): JsonParts => {
    const changes = toolChanges(tool);
    if (Object.keys(changes).length === 0) return [tool.span()];
    isChanged = true;
    return changeMembers(tool, changes);
  });
  if (!isChanged) return undefined;
  return ['[', ...items.flatMap((parts, i) => (i === 0 ? parts : [',', ...parts])), ']'];
}

function toolChanges(tool: JsonView): Changes {
  const changes: Changes = {};
  for (const { name, value } of tool.noted()) if (value.kind === 'null') changes[name] = null;
  const input = inputChange(tool.present('inputSchema'));
  if (input !== undefined) changes.inputSchema = input;
  const output = tool.present('outputSchema');
  const older = output && outputChange(output);
  if (older !== undefined) changes.outputSchema = older;
  return changes;
}

/** A tool's schema, given as text, for clients that want an object of type `object` with objects in it. */
export function sessionInputSchema(text: string): JsonParts {
  return inputChange(scanJson(Buffer.from(text), schemaShape)) ?? [text];
}

function inputChange(schema: JsonView | undefined): JsonParts | undefined {
  if (schema?.kind !== 'object') return ['{"type":"object"}'];
  const isObject = schema.get('type')?.string() === 'object';
  return withObjects(schema, isObject ? {} : { type: ['"object"'] });
}

/** Results are wrapped where they are no objects (2026-07-28 allows any), and so is the schema of such. */
function outputChange(schema: JsonView): JsonParts | undefined {
  if (schema.get('type')?.string() === 'object') return withObjects(schema, {});
  const inner = schema.kind === 'boolean' ? asObject(schema) : (withObjects(schema, {}) ?? [schema.span()]);
  return ['{"type":"object","properties":{"result":', ...inner, '},"required":["result"]}'];
}

/** Where a schema holds schemas by name, in a list, or one alone (JSON Schema 2020-12). Booleans are usual for `additionalProperties`, and read by all. */
const byName: ReadonlySet<string> = new Set([
  'properties',
  'patternProperties',
  '$defs',
  'definitions',
  'dependentSchemas',
]);
const inList: ReadonlySet<string> = new Set(['anyOf', 'oneOf', 'allOf', 'prefixItems']);
const alone: ReadonlySet<string> = new Set([
  'items',
  'not',
  'if',
  'then',
  'else',
  'contains',
  'propertyNames',
]);

/** The schema with these changes and with objects in place of all bare booleans; undefined where nothing changes. */
function withObjects(schema: JsonView, changes: Changes): JsonParts | undefined {
  // Most have none, and need not be looked through.
  if (/:\s*(true|false)|[[,]\s*(true|false)/.test(schema.text()))
    for (const { name, value } of membersOf(schema)) {
      const change = subschemaChange(name, value);
      if (change !== undefined) changes[name] = change;
    }
  return Object.keys(changes).length === 0 ? undefined : changeMembers(schema, changes);
}

function subschemaChange(name: string, value: JsonView): JsonParts | undefined {
  if (byName.has(name) && value.kind === 'object') {
    const changes: Changes = {};
    for (const { name: each, value: schema } of membersOf(value)) {
      const change = schemaChange(schema);
      if (change !== undefined) changes[each] = change;
    }
    return Object.keys(changes).length === 0 ? undefined : changeMembers(value, changes);
  }
  if (inList.has(name) || (name === 'items' && value.kind === 'array')) {
    const items = itemsOf(value).map((schema) => [schema, schemaChange(schema)] as const);
    if (items.every(([, change]) => change === undefined)) return undefined;
    return [
      '[',
      ...items.flatMap(([schema, change], i) => [i === 0 ? '' : ',', ...(change ?? [schema.span()])]),
      ']',
    ];
  }
  return alone.has(name) ? schemaChange(value) : undefined;
}

function schemaChange(schema: JsonView): JsonParts | undefined {
  if (schema.kind === 'boolean') return asObject(schema);
  return schema.kind === 'object' ? withObjects(schema, {}) : undefined;
}

/** `true` allows everything, `false` nothing. */
function asObject(schema: JsonView): JsonParts {
  return [schema.text() === 'true' ? '{}' : '{"not":{}}'];
}
