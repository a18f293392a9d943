import { sha256Hex } from '../../base/id.ts';
import type { CatalogTool, ServerRecord } from '../../catalog/catalog.ts';

/** One tool under the name that our own list gives it. */
export type AliasedTool = { readonly alias: string; readonly serverId: string; readonly tool: CatalogTool };

/** What every client accepts as a tool's name. */
const maxAlias = 64;
const plainName = /^[A-Za-z0-9_-]+$/;
/** Where the first `__` ends it, whatever follows. */
const plainId = /^(?!.*__)[A-Za-z0-9_-]*[A-Za-z0-9-]$/;

/** Every tool as `server__tool`: its name depends on nothing but itself, so no neighbour that comes or goes changes it. */
export function aliasTools(servers: readonly ServerRecord[]): AliasedTool[] {
  return servers.flatMap((server) =>
    server.tools.map((tool) => ({ alias: aliasOf(server.id, tool.name), serverId: server.id, tool })),
  );
}

/** Of a tool or a prompt. What cannot stand as it is carries a mark of what it stands for. */
export function aliasOf(serverId: string, name: string): string {
  const whole = `${serverId}__${name}`;
  if (plainId.test(serverId) && plainName.test(name) && whole.length <= maxAlias) return whole;
  const slug = (text: string) => text.replace(/[^A-Za-z0-9_-]+/g, '_').replace(/^_+|_+$/g, '');
  const near = `${slug(serverId.split('/').at(-1) ?? serverId)}__${slug(name)}`;
  return `${near.slice(0, maxAlias - 9)}_${sha256Hex(`${serverId}\n${name}`).slice(0, 8)}`;
}

/** Whose name it is, where it says so itself. `isMarked`: it may be one with a mark, too. */
export function splitAlias(
  alias: string,
): { readonly serverId: string; readonly own: string; readonly isMarked: boolean } | null {
  const at = alias.indexOf('__');
  const [serverId, own] = [alias.slice(0, at), alias.slice(at + 2)];
  if (at < 1 || own === '' || aliasOf(serverId, own) !== alias) return null;
  return { serverId, own, isMarked: /_[0-9a-f]{8}$/.test(alias) };
}
