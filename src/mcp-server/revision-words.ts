import { type JsonView, membersOf } from '../base/json-scanner.ts';
import { changeMembers, type JsonPart, type JsonParts } from '../base/json-splice.ts';
import { contentOf, isReserved, keptMeta, serverInfoKey, structuredIn } from '../mcp/mcp.ts';
import { sessionTools } from './session-schemas.ts';

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
  const changes = mended(method, view);
  const resultType = view.get('resultType')?.string();
  if (resultType === undefined) changes.resultType = ['"complete"'];
  if (cacheable.has(method) && (resultType ?? 'complete') === 'complete') {
    if (view.get('ttlMs')?.kind !== 'number') changes.ttlMs = ['0'];
    if (view.get('cacheScope')?.kind !== 'string') changes.cacheScope = ['"private"'];
  }
  if (meta === undefined || meta.kind === 'object') changes._meta = metaWith(meta, serverInfo);
  return changeMembers(view, changes);
}

const cacheFields = ',"ttlMs":0,"cacheScope":"private"';

/** `_meta` without what is between neighbours, and with who answers: the server itself where it says so. */
function metaWith(meta: JsonView | undefined, serverInfo: JsonPart): JsonParts {
  if (meta === undefined) return [`{${JSON.stringify(serverInfoKey)}:`, serverInfo, '}'];
  const names = membersOf(meta).map(({ name }) => name);
  const reserved = names.filter((name) => isReserved(name) && name !== serverInfoKey);
  const changes: Changes = Object.fromEntries(reserved.map((name) => [name, null]));
  if (!names.includes(serverInfoKey)) changes[serverInfoKey] = [serverInfo];
  return changeMembers(meta, changes);
}

/** For clients of the revisions with a handshake. */
export function sessionResult(method: string, body: ResultBody): JsonParts {
  if ('members' in body) return ['{', ...body.members, '}'];
  const { view } = body;
  const changes = mended(method, view);
  const meta = keptMeta(view);
  if (meta !== undefined) changes._meta = meta;
  const structured = method === 'tools/call' ? structuredIn(view) : undefined;
  // These revisions know structured content as an object only; the SDK's own server wraps it alike.
  if (structured !== undefined && structured.kind !== 'object')
    changes.structuredContent = ['{"result":', structured.span(), '}'];
  const tools = method === 'tools/list' ? view.get('tools') : undefined;
  const olderTools = tools && sessionTools(tools);
  if (olderTools !== undefined) changes.tools = olderTools;
  return isEmpty(changes) ? [view.span()] : changeMembers(view, changes);
}

type Changes = Record<string, JsonParts | null>;

function isEmpty(changes: Changes): boolean {
  for (const _ in changes) return false;
  return true;
}

/** A null member says what an absent one says, but clients refuse it; some servers answer with a bare text for content. */
function mended(method: string, view: JsonView): Changes {
  const changes: Changes = {};
  for (const { name, value } of view.noted()) if (value.kind === 'null') changes[name] = null;
  if (method === 'tools/call') {
    const content = view.get('content');
    if (content !== undefined && content.kind !== 'array') changes.content = contentOf(content);
    if (structuredIn(view) !== undefined) delete changes.structuredContent;
  }
  if (method === 'tools/list' && view.present('tools') === undefined) changes.tools = ['[]'];
  return changes;
}
