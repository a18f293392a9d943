import { type JsonView, membersOf } from '../../base/json-scanner.ts';
import type { RpcRequest } from '../mcp-model.ts';

/** Header fields in which the 2026-07-28 revision repeats parts of the body, for whoever stands between. */

/** What `Mcp-Name` repeats, by method ("Standard request headers"). */
export function nameHeader({ method, params }: RpcRequest): string | undefined {
  if (method === 'tools/call' || method === 'prompts/get') return params?.name;
  return method === 'resources/read' ? params?.uri : undefined;
}

const plain = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;
const base64Form = /^=\?base64\?(.*)\?=$/s;
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** As it is where a header can carry it, else in the revision's Base64 form. */
export function encodeHeader(value: string): string {
  if (plain.test(value) && !base64Form.test(value)) return value;
  return `=?base64?${Buffer.from(value).toString('base64')}?=`;
}

/** What such a header says; undefined where its Base64 form is broken. */
export function decodeHeader(value: string): string | undefined {
  const coded = base64Form.exec(value)?.[1];
  if (coded === undefined) return value;
  return base64.test(coded) ? Buffer.from(coded, 'base64').toString() : undefined;
}

/** Where in a tool's arguments a header's value stands. */
export type MirroredParam = { readonly header: string; readonly path: readonly string[] };

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const primitive = new Set(['string', 'integer', 'boolean']);
const maxDepth = 16;
const annotation = 'x-mcp-header';

/** The `x-mcp-header` annotations of a tool's schema; null when one breaks the revision's rules (the tool is unusable then). */
export function mirroredParams(schema: string): readonly MirroredParam[] | null {
  if (!schema.includes(annotation)) return [];
  const found: MirroredParam[] = [];
  if (!collect(JSON.parse(schema), [], found)) return null;
  return new Set(found.map(({ header }) => header)).size === found.length ? found : null;
}

/** False where an annotation breaks the rules. */
function collect(node: unknown, path: readonly string[], found: MirroredParam[]): boolean {
  if (typeof node !== 'object' || node === null || path.length > maxDepth) return true;
  const { properties } = node as { properties?: unknown };
  if (typeof properties !== 'object' || properties === null) return true;
  return Object.entries(properties).every(([name, property]) => {
    const { [annotation]: header, type } = (property ?? {}) as Record<string, unknown>;
    const here = [...path, name];
    if (header !== undefined) {
      if (typeof header !== 'string' || !token.test(header) || !primitive.has(String(type))) return false;
      found.push({ header: `mcp-param-${header.toLowerCase()}`, path: here });
    }
    return collect(property, here, found);
  });
}

/** The header fields of one call; a number is written as it came. */
export function mirror(params: readonly MirroredParam[], args: JsonView | undefined): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const { header, path } of params) {
    const value = valueAt(args, path);
    if (value === undefined || !['string', 'number', 'boolean'].includes(value.kind)) continue;
    headers[header] = encodeHeader(value.string() ?? value.text());
  }
  return headers;
}

function valueAt(args: JsonView | undefined, path: readonly string[]): JsonView | undefined {
  let value = args;
  // Of a name that stands twice, the last: that is what most readers take.
  for (const step of path) value = value && membersOf(value).findLast(({ name }) => name === step)?.value;
  return value;
}
