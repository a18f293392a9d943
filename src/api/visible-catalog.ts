import type { JsonObject } from '../base/json.ts';
import { Problem } from '../base/problem.ts';
import { hintsIn } from '../base/tool-hints.ts';
import type { Catalog, CatalogTool, ServerRecord } from '../catalog/catalog.ts';
import type { Policy, Subject, ToolOverride, View } from '../policy/policy.ts';

/** What a principal sees of the catalogue. */
export type VisibleCatalog = {
  /** null: everything. */
  readonly view: View | null;
  /** Throws `not_found` and `server_gone`; without the tools that are not seen. */
  get: Catalog['get'];
  list: Catalog['list'];
  /** Counts of what is seen. */
  summary(): Promise<Awaited<ReturnType<Catalog['stats']>> & Awaited<ReturnType<Catalog['facets']>>>;
  revision: Catalog['revision'];
  /** Tools that are listed also where there are too many to list. */
  pins(): ReturnType<Policy['pinsFor']>;
  /** A tool's description in the operator's words, where a toolset has some. */
  describe(serverId: string, tool: string): string | undefined;
};

const pageSize = 100;

export function visibleCatalog(
  { catalog, policy }: { readonly catalog: Catalog; readonly policy: Policy },
  subject: Subject,
): VisibleCatalog {
  const { get, list, revision } = catalog;
  const overrides = policy.overridesFor(subject);
  const narrow = (record: ServerRecord) => narrowTo(policy.viewFor(subject), record, overrides);
  const listSeen: Catalog['list'] = async ({ limit, cursor, filters, sort }) => {
    const servers: ServerRecord[] = [];
    let from = cursor;
    do {
      // No more than are missing: a cursor points behind what was read, whether it was seen or not.
      const page = await list({
        limit: limit - servers.length,
        asker: subject.developer,
        sort,
        ...(from !== undefined && { cursor: from }),
        ...(filters !== undefined && { filters }),
      });
      await catchUp(policy, page.servers);
      for (const record of page.servers) servers.push(...[narrow(record) ?? []].flat());
      from = page.nextCursor;
    } while (servers.length < limit && from !== undefined);
    return { servers, ...(from !== undefined && { nextCursor: from }) };
  };
  return {
    view: policy.viewFor(subject),
    revision,
    pins: () => policy.pinsFor(subject),
    describe: (serverId, tool) =>
      overrides.find((each) => each.server === serverId && each.tool === tool)?.description,
    list: listSeen,
    async get(id) {
      // Also where it is gone: what is hidden was never there.
      if (!policy.canSee(subject, id)) throw unknownServer();
      const found = await get(id);
      await catchUp(policy, [found]);
      const record = narrow(found);
      if (record === null) throw unknownServer();
      return record;
    },
    summary: async () =>
      policy.viewFor(subject) === null
        ? { ...(await catalog.stats(subject.developer)), ...(await catalog.facets(subject.developer)) }
        : countSeen(listSeen),
  };
}

/** A server that has just come may be somebody's own: its rights were written before it was. */
export async function catchUp(policy: Policy, records: readonly ServerRecord[]): Promise<void> {
  if (!records.every(({ revision }) => policy.isCurrent(revision))) await policy.start();
}

function narrowTo(
  view: View | null,
  record: ServerRecord,
  overrides: readonly ToolOverride[],
): ServerRecord | null {
  if (view === null) return record;
  const seen = view.toolsOf(record);
  if (typeof seen !== 'function') return seen === 'all' ? inOwnWords(record, overrides) : null;
  // Of many servers no tools are known yet.
  if (record.tools.length === 0) return seen(null) ? record : null;
  const tools = record.tools.filter(({ name, details }) => seen({ name, hints: hintsIn(details) }));
  return tools.length === 0 ? null : inOwnWords({ ...record, tools }, overrides);
}

/** With the operator's words where a toolset has some. */
function inOwnWords(record: ServerRecord, overrides: readonly ToolOverride[]): ServerRecord {
  const own = overrides.filter(({ server }) => server === record.id);
  if (own.length === 0) return record;
  const tools = record.tools.map((tool) => {
    const said = own.find((override) => override.tool === tool.name);
    return said === undefined ? tool : { ...tool, ...wordsOf(tool, said) };
  });
  return { ...record, tools };
}

function wordsOf(
  { details = '{}' }: CatalogTool,
  { title, description }: ToolOverride,
): Partial<CatalogTool> {
  return {
    ...(description !== undefined && { description }),
    ...(title !== undefined && {
      details: JSON.stringify({ ...(JSON.parse(details) as JsonObject), title }),
    }),
  };
}

async function countSeen(list: Catalog['list']): ReturnType<VisibleCatalog['summary']> {
  const counts = { category: new Map(), transport: new Map(), auth: new Map(), source: new Map() } as const;
  const add = (facet: keyof typeof counts, name: string | null) => {
    const of: Map<string | null, number> = counts[facet];
    of.set(name, (of.get(name) ?? 0) + 1);
  };
  let [servers, tools] = [0, 0];
  let cursor: string | undefined;
  do {
    const page = await list({ limit: pageSize, ...(cursor !== undefined && { cursor }) });
    for (const record of page.servers) {
      servers++;
      tools += record.tools.length;
      add('category', record.category);
      add('transport', record.transport);
      add('auth', record.authType);
      add('source', record.source);
    }
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  const sorted = (of: ReadonlyMap<string | null, number>) =>
    [...of].sort(([, a], [, b]) => b - a).map(([name, count]) => ({ name, servers: count }));
  return {
    servers,
    tools,
    removed: 0,
    category: sorted(counts.category),
    transport: sorted(counts.transport),
    auth: sorted(counts.auth),
    source: sorted(counts.source),
  };
}

export function unknownServer(): Problem {
  return new Problem('not_found', 'Server not found');
}
