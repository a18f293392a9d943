import type { CatalogTool } from '../catalog-model.ts';
import type { Drift } from './health-model.ts';

/** A list of tools at one time; `destructive` are the names that the server itself marks so. */
export type Listing = { readonly tools: readonly CatalogTool[]; readonly destructive: ReadonlySet<string> };

/** Text kept of a description or schema before and after. */
const textKept = 2_000;

/** What changed from one listing to the next, tool by tool, in the order of the newer one. */
export function driftBetween(before: Listing, after: Listing): Drift[] {
  const old = new Map(before.tools.map((tool) => [tool.name, tool]));
  const names = new Set(after.tools.map(({ name }) => name));
  const changed = after.tools.flatMap((tool) => changesOf(old.get(tool.name), tool, before, after));
  const vanished = before.tools
    .filter(({ name }) => !names.has(name))
    .map(
      (tool): Drift => ({ kind: 'vanished', tool: tool.name, before: cut(tool.description), after: null }),
    );
  return [...changed, ...vanished];
}

function changesOf(
  old: CatalogTool | undefined,
  tool: CatalogTool,
  before: Listing,
  after: Listing,
): Drift[] {
  const { name } = tool;
  if (old === undefined)
    return [{ kind: 'appeared', tool: name, before: null, after: cut(tool.description) }];
  const found: Drift[] = [];
  const note = (kind: Drift['kind'], was: string, is: string) =>
    found.push({ kind, tool: name, before: cut(was), after: cut(is) });
  if (old.description !== tool.description) note('description', old.description, tool.description);
  if (old.inputSchema !== tool.inputSchema) note('schema', old.inputSchema, tool.inputSchema);
  if (after.destructive.has(name) && !before.destructive.has(name)) note('destructive', 'false', 'true');
  return found;
}

function cut(text: string): string {
  return text.length <= textKept ? text : text.slice(0, textKept).toWellFormed();
}
