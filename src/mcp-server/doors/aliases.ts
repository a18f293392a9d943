import { sha256Hex } from '../../base/id.ts';
import type { CatalogTool, ServerRecord } from '../../catalog/catalog.ts';

/** One tool under the name that our own list gives it. */
export type AliasedTool = { readonly alias: string; readonly serverId: string; readonly tool: CatalogTool };

/** What every client accepts as a tool's name. */
const maxAlias = 64;
const plain = /^[A-Za-z0-9_-]{1,64}$/;

/** Every tool under its own name where that is the only one, else under `server__tool`; the same catalogue gives the same names. */
export function aliasTools(servers: readonly ServerRecord[]): AliasedTool[] {
  const tools = servers.flatMap((server) => server.tools.map((tool) => ({ serverId: server.id, tool })));
  const count = new Map<string, number>();
  for (const { tool } of tools) count.set(tool.name, (count.get(tool.name) ?? 0) + 1);
  const taken = new Set<string>();
  return tools.map(({ serverId, tool }) => {
    const own =
      plain.test(tool.name) && count.get(tool.name) === 1 ? tool.name : qualified(serverId, tool.name);
    const alias = taken.has(own) ? marked(own, serverId, tool.name) : own;
    taken.add(alias);
    return { alias, serverId, tool };
  });
}

function qualified(serverId: string, name: string): string {
  const slug = (text: string) => text.replace(/[^A-Za-z0-9_-]+/g, '_').replace(/^_+|_+$/g, '');
  const whole = `${slug(serverId.split('/').at(-1) ?? serverId)}__${slug(name)}`;
  return whole.length <= maxAlias ? whole : marked(whole, serverId, name);
}

/** Cut, with a mark of what it stood for. */
function marked(text: string, serverId: string, name: string): string {
  return `${text.slice(0, maxAlias - 9)}_${sha256Hex(`${serverId}\n${name}`).slice(0, 8)}`;
}
