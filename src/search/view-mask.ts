import { createBoundedCache } from '../base/bounded-cache.ts';
import { unpackHints } from '../base/tool-hints.ts';
import { documentsOf } from './index/postings.ts';
import type { ViewMask } from './query/seen-terms.ts';
import type { SearchView } from './search-model.ts';
import type { SearchIndex } from './segments/search-index.ts';

/** Each takes five bytes for every server and one for every tool. */
const masksKept = 50;

/** The masks of one index, each made when it is first asked for. */
export function createViewMasks(
  index: SearchIndex,
): (view: SearchView | null | undefined) => ViewMask | null {
  const masks = createBoundedCache<ViewMask>(masksKept);
  return (view) => {
    if (view == null) return null;
    let mask = masks.get(view.key);
    if (mask === undefined) {
      mask = createViewMask(index, view);
      masks.set(view.key, mask);
    }
    return mask;
  };
}

/** Asked once a view and index, of every server; no query looks at a rule. */
function createViewMask(index: SearchIndex, view: SearchView): ViewMask {
  const { docBase, documentCount, serverCount } = index;
  const servers = new Uint8Array(serverCount);
  const tools = new Uint8Array(documentCount);
  const toolCounts = new Uint32Array(serverCount);
  const partial: number[] = [];
  for (let s = 0; s < serverCount; s++) {
    const seen = view.toolsOf(factsOf(index, s));
    if (seen === 'none') continue;
    const count = docBase[s + 1]! - docBase[s]! - 1;
    toolCounts[s] = seen === 'all' ? count : markTools(index, s, seen, tools);
    // Of many servers no tools are known yet.
    if (toolCounts[s]! > 0 || (count === 0 && (seen === 'all' || seen(null)))) servers[s] = 1;
    // One of which all are seen, however many were looked at, is one as any other.
    if (servers[s] === 1 && toolCounts[s]! < count) partial.push(s);
  }
  return {
    servers,
    partial: partial.length === 0 ? null : { ...partsOf(index, partial, tools), tools },
    toolCounts,
    ...countsOf(servers, toolCounts),
    words: new Map(),
  };
}

/** Answers how many of them are seen. */
function markTools(
  { columns, docBase, documents }: SearchIndex,
  server: number,
  sees: Exclude<ReturnType<SearchView['toolsOf']>, string>,
  tools: Uint8Array,
): number {
  let count = 0;
  for (let d = docBase[server]! + 1; d < docBase[server + 1]!; d++) {
    if (!sees({ name: documents.tool(d).name, hints: unpackHints(columns.hints[d]!) })) continue;
    tools[d] = 1;
    count++;
  }
  return count;
}

function partsOf(
  { docBase, localOf, segmentOf, segments }: SearchIndex,
  partial: readonly number[],
  tools: Uint8Array,
) {
  const servers = new Map<number, number>();
  const parts = segments.map(({ snapshot }) => ({
    base: snapshot.docBase,
    locals: [] as number[],
    starts: [0],
    documents: [] as number[],
  }));
  for (const server of partial) {
    const { base, locals, starts, documents } = parts[segmentOf(server)]!;
    const local = localOf(server);
    servers.set(server, locals.length);
    locals.push(local);
    for (let d = docBase[server]!; d < docBase[server + 1]!; d++)
      if (tools[d] === 1) documents.push(d - docBase[server]! + base[local]!);
    starts.push(documents.length);
  }
  const packed = parts.map(({ locals, starts, documents }) => ({
    locals: Uint32Array.from(locals),
    starts: Uint32Array.from(starts),
    documents: Uint32Array.from(documents),
  }));
  return { servers, segments: packed };
}

function countsOf(servers: Uint8Array, toolCounts: Uint32Array) {
  let [serverCount, toolCount, documentCount] = [0, 0, 0];
  for (const [s, seen] of servers.entries()) {
    if (seen !== 1) continue;
    serverCount++;
    toolCount += toolCounts[s]!;
    documentCount += documentsOf(toolCounts[s]!);
  }
  return { serverCount, toolCount, documentCount };
}

function factsOf({ columns, ids, tagsOf }: SearchIndex, server: number) {
  const { names, category, trusted } = columns;
  const inCategory = names[category[server]!] ?? 'none';
  return {
    id: ids[server]!,
    category: inCategory === 'none' ? null : inCategory,
    tags: tagsOf(server),
    trusted: trusted[server] === 1,
  };
}
