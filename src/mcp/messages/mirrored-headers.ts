import type { Json, RpcRequest, SendOptions } from '../mcp-model.ts';
import type { Posted, Poster } from '../transports/streamable-http.ts';
import { modernRequestText, modernRevision } from './rpc-message.ts';

/** The 2026-07-28 revision over HTTP: no handshake, no session; each request says all there is to know. */
export function createModern(post: Poster): (request: RpcRequest, options: SendOptions) => Promise<Posted> {
  let lastId = 0;
  return (request, { signal, mirrored, notice }) => {
    const id = ++lastId;
    const name = nameOf(request);
    return post({
      id,
      text: modernRequestText(id, request),
      headers: {
        'mcp-protocol-version': modernRevision,
        'mcp-method': headerValue(request.method),
        ...(name === undefined ? {} : { 'mcp-name': headerValue(name) }),
        ...mirrored,
      },
      signal,
      notice,
    });
  };
}

function nameOf({ method, params }: RpcRequest): string | undefined {
  const name =
    method === 'tools/call' || method === 'prompts/get'
      ? params?.name
      : method === 'resources/read'
        ? params?.uri
        : undefined;
  return typeof name === 'string' ? name : undefined;
}

const plain = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;

/** As it is where a header can carry it, else in the revision's Base64 form. */
function headerValue(value: string): string {
  if (plain.test(value) && !(value.startsWith('=?base64?') && value.endsWith('?='))) return value;
  return `=?base64?${Buffer.from(value).toString('base64')}?=`;
}

/** Where in a tool's arguments a header's value stands. */
export type MirroredParam = { readonly header: string; readonly path: readonly string[] };

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const primitive = new Set(['string', 'integer', 'boolean']);
const maxDepth = 16;

/** The `x-mcp-header` annotations of a tool's schema; null when one breaks the revision's rules (the tool is unusable then). */
export function mirroredParams(schema: unknown): readonly MirroredParam[] | null {
  const found: MirroredParam[] = [];
  const walk = (node: unknown, path: readonly string[]): boolean => {
    if (typeof node !== 'object' || node === null || path.length > maxDepth) return true;
    const { properties = {} } = node as { properties?: Record<string, unknown> };
    if (typeof properties !== 'object' || properties === null) return true;
    return Object.entries(properties).every(([name, property]) => {
      const { 'x-mcp-header': header, type } = (property ?? {}) as Json;
      const here = [...path, name];
      if (header !== undefined) {
        if (typeof header !== 'string' || !token.test(header) || !primitive.has(String(type))) return false;
        found.push({ header: `mcp-param-${header.toLowerCase()}`, path: here });
      }
      return walk(property, here);
    });
  };
  if (!walk(schema, [])) return null;
  return new Set(found.map(({ header }) => header)).size === found.length ? found : null;
}

export function mirror(params: readonly MirroredParam[], args: unknown): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const { header, path } of params) {
    let value = args;
    for (const name of path)
      value =
        typeof value === 'object' && value !== null && Object.hasOwn(value, name)
          ? (value as Json)[name]
          : undefined;
    if (['string', 'number', 'boolean'].includes(typeof value)) headers[header] = headerValue(String(value));
  }
  return headers;
}
