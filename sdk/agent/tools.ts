import type { SearchHit, ToolResult } from '../api.ts';
import type { OfferedTool } from './model-adapter.ts';

export type FoundTool = OfferedTool & { readonly serverId: string; readonly name: string };

/** What both families of models take as a tool's name. */
const maxAlias = 64;

/** The tools of found servers, best server first, each under a name of its own that a model can call. */
export function offerTools(servers: readonly SearchHit[], maxTools: number): readonly FoundTool[] {
  const taken = new Set<string>();
  return servers
    .flatMap((server) => server.tools.map((tool) => ({ server, tool })))
    .slice(0, maxTools)
    .map(({ server, tool }) => ({
      alias: aliasOf(tool.name, server.id, taken),
      description: `${tool.description} (${server.name})`,
      schema: { type: 'object', ...tool.input_schema },
      serverId: server.id,
      name: tool.name,
    }));
}

/** The tool's own name; where that is taken, with its server's before it; where that is too, with a number. */
function aliasOf(name: string, serverId: string, taken: Set<string>): string {
  const own = plain(name);
  const qualified = plain(`${serverId.split('/').at(-1) ?? serverId}__${name}`);
  let alias = taken.has(own) ? qualified : own;
  for (let n = 2; taken.has(alias); n++)
    alias = `${qualified.slice(0, maxAlias - 1 - String(n).length)}_${n}`;
  taken.add(alias);
  return alias;
}

function plain(text: string): string {
  return text.replace(/[^A-Za-z0-9_-]+/g, '_').slice(0, maxAlias) || 'tool';
}

/** What a model gets to read of a result. */
export function textOf({ content, structuredContent }: ToolResult, most: number): string {
  const text = content
    .map((block) => (typeof block.text === 'string' ? block.text : `[${String(block.type)}]`))
    .join('\n');
  const whole = text === '' && structuredContent !== undefined ? JSON.stringify(structuredContent) : text;
  return whole.length <= most
    ? whole
    : `${whole.slice(0, most)}\n[cut: ${whole.length - most} more characters]`;
}
