/**
 * Writes what of the Python client is not written by hand, beside sdk/api.ts and by the same command (`node sdk/generate.ts`):
 * its types, from the OpenAPI document, and its client without `await`, from the one with it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { OpenApi, Schema } from '../sdk/generate.ts';

export const pythonPackage = fileURLToPath(new URL('python/src/mcp_rank/', import.meta.url));

/** What methods take beside their own arguments: a named shape without these members. */
const derived: Readonly<Record<string, { readonly of: string; readonly without: readonly string[] }>> = {
  ConnectRequest: { of: 'SessionRequest', without: ['user_id'] },
  OwnCredentials: { of: 'UserCredentialsRequest', without: ['user_id'] },
  SearchOptions: { of: 'SearchQuery', without: ['query'] },
  ToolCallOptions: {
    of: 'ToolCall',
    without: ['server_id', 'name', 'arguments', 'continuation', 'input_responses'],
  },
};

const typesHeader = `"""Written by clients/generate.ts from the OpenAPI document. Do not edit."""

# ruff: noqa: E501, UP037
from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict`;

/** The text of types.py: a TypedDict for each shape of the document. */
export function pythonTypes({ components }: OpenApi): string {
  const named = { ...components.schemas };
  for (const [name, { of, without }] of Object.entries(derived)) {
    const { properties = {}, ...shape } = named[of] ?? {};
    const left = Object.entries(properties).filter(([member]) => !without.includes(member));
    named[name] = { ...shape, properties: Object.fromEntries(left) };
  }
  const out: string[] = [typesHeader];
  for (const [name, schema] of Object.entries(named).sort(([a], [b]) => (a < b ? -1 : 1)))
    declare(name, schema, out);
  return `${out.join('\n\n\n')}\n`;
}

function declare(name: string, schema: Schema, out: string[]): void {
  const { properties = {}, required = [], description } = schema;
  const comment = description === undefined ? '' : `# ${description}\n`;
  if (schema.type !== 'object' || Object.keys(properties).length === 0) {
    out.push(`${comment}${name}: TypeAlias = ${JSON.stringify(typeOf(schema, name, out))}`);
    return;
  }
  const fields = Object.entries(properties).map(([member, each]) => {
    const type = typeOf(each, `${name}${pascal(member)}`, out);
    return { member, each, type: required.includes(member) ? type : `NotRequired[${type}]` };
  });
  if (fields.every(({ member }) => isName(member))) {
    const lines = fields.map(
      ({ member, each, type }) =>
        `${each.description === undefined ? '' : `    # ${each.description}\n`}    ${member}: ${type}`,
    );
    out.push(`${comment}class ${name}(TypedDict):\n${lines.join('\n')}`);
    return;
  }
  // What Python cannot spell as a member, "from" for example.
  const entries = fields.map(({ member, type }) => `${JSON.stringify(member)}: ${JSON.stringify(type)}`);
  out.push(`${comment}${name} = TypedDict("${name}", {${entries.join(', ')}})`);
}

function typeOf(schema: Schema, name: string, out: string[]): string {
  if (schema.$ref !== undefined) return schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1);
  if (schema.const !== undefined) return `Literal[${literal(schema.const)}]`;
  if (schema.enum !== undefined) return `Literal[${schema.enum.map(literal).join(', ')}]`;
  if (schema.anyOf !== undefined) return unionOf(schema.anyOf, name, out);
  switch (schema.type) {
    case 'string':
      return 'str';
    case 'boolean':
      return 'bool';
    case 'null':
      return 'None';
    case 'integer':
      return 'int';
    case 'number':
      return 'float';
    case 'array':
      return `list[${schema.items === undefined ? 'Any' : typeOf(schema.items, name, out)}]`;
    case 'object':
      return objectOf(schema, name, out);
    default:
      return 'Any';
  }
}

function unionOf(alternatives: readonly Schema[], name: string, out: string[]): string {
  const parts = alternatives.map((each, i) => typeOf(each, i === 0 ? name : `${name}${i + 1}`, out));
  // One alternative of several objects bears the name of the whole.
  return [...new Set(parts)].join(' | ');
}

function objectOf(schema: Schema, name: string, out: string[]): string {
  if (Object.keys(schema.properties ?? {}).length === 0) {
    const [values] = Object.values(schema.patternProperties ?? {});
    return `dict[str, ${values === undefined ? 'Any' : typeOf(values, `${name}Value`, out)}]`;
  }
  const own = `${name}Object`;
  declare(own, schema, out);
  return own;
}

function literal(value: unknown): string {
  if (value === true) return 'True';
  if (value === false) return 'False';
  return value === null ? 'None' : JSON.stringify(value);
}

function pascal(text: string): string {
  return text.replace(/(?:^|[^A-Za-z0-9]+)([A-Za-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

const keywords = new Set([
  'from',
  'in',
  'is',
  'as',
  'class',
  'def',
  'global',
  'pass',
  'import',
  'return',
  'with',
]);

function isName(text: string): boolean {
  return /^[A-Za-z_]\w*$/.test(text) && !keywords.has(text);
}

/** What `await` stands for is left out; every name says the same without it. */
const withoutAwait: readonly (readonly [RegExp, string])[] = [
  [/^"""The client\. .*"""$/m, '"""Written by clients/generate.ts from _async_client.py. Do not edit."""'],
  [/\basync (def|with|for)\b/g, '$1'],
  [/\bawait /g, ''],
  [/\b_io_async\b/g, '_io_sync'],
  [/\bAsyncIterator\b/g, 'Iterator'],
  [/\bAsync(?=[A-Z])/g, ''],
  [/\baclose\b/g, 'close'],
  [/\b__a(enter|exit)__\b/g, '__$1__'],
];

/** The text of _client.py. */
export function blockingClient(asyncClient: string): string {
  return withoutAwait.reduce((text, [from, to]) => text.replace(from, to), asyncClient);
}

export function writePython(document: OpenApi): void {
  writeFileSync(`${pythonPackage}types.py`, pythonTypes(document));
  const source = readFileSync(`${pythonPackage}_async_client.py`, 'utf8');
  writeFileSync(`${pythonPackage}_client.py`, blockingClient(source));
}
