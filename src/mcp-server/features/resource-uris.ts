import { itemsOf, JsonFault, type JsonView, scanJson } from '../../base/json-scanner.ts';
import { changeMembers, type JsonParts, joinJson } from '../../base/json-splice.ts';
import { messageShape } from '../../mcp/mcp.ts';

/**
 * URIs of resources as they are said where many servers stand behind one door: the server is part of each, so no two are ever
 * one, and none depends on what else is there. `ui://` stays `ui://`: hosts know the pages of tools by it (MCP Apps).
 */
const ownScheme = 'mcprank://';
const pageScheme = 'ui://';

/** For templates, too: what stands in braces is kept. */
export function qualifyUri(serverId: string, uri: string): string {
  const server = encodeURIComponent(serverId);
  return uri.startsWith(pageScheme)
    ? `${pageScheme}${server}/${uri.slice(pageScheme.length)}`
    : `${ownScheme}${server}/${uri}`;
}

export type OwnUri = { readonly serverId: string; readonly uri: string };

/** Whose it is, and what its server calls it; null for what is none of ours. */
export function readUri(qualified: string): OwnUri | null {
  const [, scheme = '', server = '', rest = ''] =
    /^(mcprank:\/\/|ui:\/\/)([^/]+)\/(.*)$/s.exec(qualified) ?? [];
  if (server === '') return null;
  try {
    return {
      serverId: decodeURIComponent(server),
      uri: scheme === pageScheme ? `${pageScheme}${rest}` : rest,
    };
  } catch {
    return null;
  }
}

/** Whether a URI may be an expansion of a template (RFC 6570): what stands between its expressions is there in that order. */
export function fitsTemplate(template: string, uri: string): boolean {
  const [first = '', ...others] = template.split(/\{[^{}]*\}/);
  const last = others.pop();
  if (last === undefined) return template === uri;
  if (!uri.startsWith(first) || !uri.endsWith(last)) return false;
  let at = first.length;
  for (const part of others) {
    const found = uri.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= uri.length - last.length;
}

const linkShape = { type: true, uri: true, resource: { uri: true } } as const;

/** What a tool answers, with links that can be read here; the very same where it has none. */
export function withQualifiedLinks(result: JsonView, serverId: string): JsonView {
  const content = result.present('content');
  if (content === undefined || !mayLink(content)) return result;
  return orAsItCame(result, () => {
    const blocks = qualifiedBlocks(content, serverId);
    return blocks === undefined ? result : changed(result, { content: blocks });
  });
}

/** The messages of a prompt, likewise. */
export function withQualifiedMessages(result: JsonView, serverId: string): JsonView {
  return orAsItCame(result, () => {
    const messages = scanJson(result.span(), { messages: true }).present('messages');
    if (messages?.kind !== 'array' || !mayLink(messages)) return result;
    const spans = itemsOf(messages, { content: true }).map((message): JsonParts => {
      const content = message.present('content');
      const blocks = content === undefined ? undefined : qualifiedBlocks(content, serverId);
      return blocks === undefined ? [message.span()] : changeMembers(message, { content: blocks });
    });
    return changed(result, { messages: joinItems(spans) });
  });
}

/** What was read, under the URIs by which it can be read again. */
export function withQualifiedContents(result: JsonView, serverId: string): JsonView {
  return orAsItCame(result, () => {
    const contents = scanJson(result.span(), { contents: true }).present('contents');
    if (contents?.kind !== 'array') return result;
    const spans = itemsOf(contents, linkShape).map((item) => withUri(item, serverId) ?? [item.span()]);
    return changed(result, { contents: joinItems(spans) });
  });
}

/** What says one of these members twice has no one reading: it is passed on, and not looked into. */
function orAsItCame<T>(came: T, change: () => T): T {
  try {
    return change();
  } catch (error) {
    if (error instanceof JsonFault) return came;
    throw error;
  }
}

function changed(result: JsonView, changes: Readonly<Record<string, JsonParts>>): JsonView {
  return scanJson(joinJson(changeMembers(result, changes)), messageShape.result);
}

/** Whether there can be a link in it at all: most answers have none, and are not looked into. */
function mayLink(content: JsonView): boolean {
  return content.span().includes('"resource');
}

function qualifiedBlocks(content: JsonView, serverId: string): JsonParts | undefined {
  if (content.kind === 'object') return qualifiedBlock(scanJson(content.span(), linkShape), serverId);
  if (content.kind !== 'array') return undefined;
  return joinItems(
    itemsOf(content, linkShape).map((block) => qualifiedBlock(block, serverId) ?? [block.span()]),
  );
}

function qualifiedBlock(block: JsonView, serverId: string): JsonParts | undefined {
  const type = block.get('type')?.string();
  if (type === 'resource_link') return withUri(block, serverId);
  const resource = type === 'resource' ? block.get('resource') : undefined;
  const qualified = resource && withUri(resource, serverId);
  return qualified && changeMembers(block, { resource: qualified });
}

function withUri(holder: JsonView, serverId: string): JsonParts | undefined {
  const uri = holder.get('uri')?.string();
  return uri === undefined
    ? undefined
    : changeMembers(holder, { uri: [JSON.stringify(qualifyUri(serverId, uri))] });
}

/** A list of them. */
export function joinItems(items: readonly JsonParts[]): JsonParts {
  return ['[', ...items.flatMap((parts, i) => (i === 0 ? parts : [',', ...parts])), ']'];
}

/** Where a tool names the page that shows what it answers: MCP Apps, its first draft, and the Apps SDK. */
const pageShape = {
  _meta: { ui: { resourceUri: true }, 'ui/resourceUri': true, 'openai/outputTemplate': true },
} as const;

/** What a server says of its tool (the text of an object), with the pages it names at our URIs and nothing else changed. */
export function withQualifiedPages(details: string, serverId: string): string {
  return details.includes(pageScheme)
    ? orAsItCame(details, () => qualifiedPages(details, serverId))
    : details;
}

function qualifiedPages(details: string, serverId: string): string {
  const view = scanJson(Buffer.from(details), pageShape);
  const meta = view.present('_meta');
  if (meta?.kind !== 'object') return details;
  const changes: Record<string, JsonParts> = {};
  for (const name of ['ui/resourceUri', 'openai/outputTemplate'] as const) {
    const page = pageIn(meta.get(name), serverId);
    if (page !== undefined) changes[name] = [page];
  }
  const ui = meta.get('ui');
  const page = pageIn(ui?.get('resourceUri'), serverId);
  if (page !== undefined) changes.ui = changeMembers(ui, { resourceUri: [page] });
  return joinJson(changeMembers(view, { _meta: changeMembers(meta, changes) })).toString();
}

function pageIn(view: JsonView | undefined, serverId: string): string | undefined {
  const uri = view?.string();
  return uri?.startsWith(pageScheme) === true ? JSON.stringify(qualifyUri(serverId, uri)) : undefined;
}
