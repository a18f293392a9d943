import { itemsOf, type JsonView, membersOf } from '../base/json-scanner.ts';
import { changeMembers, type JsonPart, type JsonParts } from '../base/json-splice.ts';
import { isReserved, withoutReservedMeta } from '../mcp/mcp.ts';
import { serverInfoKey } from './client-request.ts';

/** A result in the words of the client's revision: what its revision wants beside the server's own members, and nothing else changed. */

/** Results that a client may keep for a while (2026-07-28, "Caching"). */
const cacheable: ReadonlySet<string> = new Set([
  'server/discover',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
]);

/** A server's own result as it is passed on, or members of a result that we write ourselves. */
export type ResultBody = { readonly view: JsonView } | { readonly members: JsonParts };

/** Whether a result already says who answers (2026-07-28). */
export function namesItself(body: ResultBody): boolean {
  return 'view' in body && body.view.present('_meta')?.present(serverInfoKey) !== undefined;
}

export function modernResult(method: string, body: ResultBody, serverInfo: JsonPart): JsonParts {
  if ('members' in body) {
    const { members } = body;
    return [
      '{"resultType":"complete"',
      ...(cacheable.has(method) ? [cacheFields] : []),
      ...(members.length === 0 ? [] : [',', ...members]),
      `,"_meta":{${JSON.stringify(serverInfoKey)}:`,
      serverInfo,
      '}}',
    ];
  }
  const { view } = body;
  const meta = view.present('_meta');
  const added: Record<string, JsonParts> = {};
  const resultType = view.get('resultType')?.string();
  if (resultType === undefined) added.resultType = ['"complete"'];
  if (cacheable.has(method) && (resultType ?? 'complete') === 'complete') {
    if (view.get('ttlMs')?.kind !== 'number') added.ttlMs = ['0'];
    if (view.get('cacheScope')?.kind !== 'string') added.cacheScope = ['"private"'];
  }
  if (meta === undefined || meta.kind === 'object') added._meta = metaWith(meta, serverInfo);
  return changeMembers(view, added);
}

const cacheFields = ',"ttlMs":0,"cacheScope":"private"';

/** `_meta` without what is between neighbours, and with who answers: the server itself where it says so. */
function metaWith(meta: JsonView | undefined, serverInfo: JsonPart): JsonParts {
  if (meta === undefined) return [`{${JSON.stringify(serverInfoKey)}:`, serverInfo, '}'];
  const names = membersOf(meta).map(({ name }) => name);
  const reserved = names.filter((name) => isReserved(name) && name !== serverInfoKey);
  const changes: Record<string, JsonParts | null> = Object.fromEntries(reserved.map((name) => [name, null]));
  if (!names.includes(serverInfoKey)) changes[serverInfoKey] = [serverInfo];
  return changeMembers(meta, changes);
}

/** For clients of the revisions with a handshake. */
export function sessionResult(method: string, body: ResultBody): JsonParts {
  if ('members' in body) return ['{', ...body.members, '}'];
  const { view } = body;
  const structured = view.get('structuredContent');
  // These revisions know structured content as an object only; the SDK's own server wraps it alike.
  if (method === 'tools/call' && structured !== undefined && structured.kind !== 'object')
    return changeMembers(view, { structuredContent: ['{"result":', structured.span(), '}'] });
  if (method === 'tools/list') return sessionTools(view);
  return withoutReservedMeta(view);
}

const toolShape = {
  inputSchema: { properties: true },
  outputSchema: { type: true, properties: true },
} as const;

/** Tools as clients of those revisions can read them: output schemas are objects, and subschemas are never bare booleans. */
function sessionTools(view: JsonView): JsonParts {
  const tools = view.get('tools');
  if (tools === undefined) return withoutReservedMeta(view);
  let isChanged = false;
  const items = itemsOf(tools, toolShape).map((tool) => {
    const changes = {
      ...schemaChange('inputSchema', tool.get('inputSchema'), false),
      ...schemaChange('outputSchema', tool.get('outputSchema'), true),
    };
    if (Object.keys(changes).length === 0) return [tool.span()];
    isChanged = true;
    return changeMembers(tool, changes);
  });
  if (!isChanged) return withoutReservedMeta(view);
  const list = items.flatMap((parts, i) => (i === 0 ? parts : [',', ...parts]));
  return changeMembers(view, { tools: ['[', ...list, ']'] });
}

function schemaChange(
  name: string,
  schema: JsonView | undefined,
  isOutput: boolean,
): Record<string, JsonParts> {
  if (schema?.kind !== 'object') return {};
  if (isOutput && schema.get('type')?.string() !== 'object')
    return {
      [name]: ['{"type":"object","properties":{"result":', schema.span(), '},"required":["result"]}'],
    };
  const properties = schema.present('properties');
  const bare =
    properties === undefined ? [] : membersOf(properties).filter(({ value }) => value.kind === 'boolean');
  if (properties === undefined || bare.length === 0) return {};
  const written = bare.map(({ name: each, value }) => [
    each,
    [value.text() === 'true' ? '{}' : '{"not":{}}'],
  ]);
  return {
    [name]: changeMembers(schema, { properties: changeMembers(properties, Object.fromEntries(written)) }),
  };
}
