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
  const { columns, docBase, documents, documentCount, serverCount } = index;
  const servers = new Uint8Array(serverCount);
  const tools = new Uint8Array(documentCount);
  const toolCounts = new Uint32Array(serverCount);
  const partial = new Set<number>();
  for (let s = 0; s < serverCount; s++) {
    const seen = view.toolsOf(factsOf(index, s));
    if (seen === 'all') {
      servers[s] = 1;
      toolCounts[s] = docBase[s + 1]! - docBase[s]! - 1;
    }
    if (typeof seen !== 'function') continue;
    partial.add(s);
    // Of many servers no tools are known yet.
    if (docBase[s]! + 1 === docBase[s + 1]! && seen(null)) servers[s] = 1;
    for (let d = docBase[s]! + 1; d < docBase[s + 1]!; d++)
      if (seen({ name: documents.tool(d).name, hints: unpackHints(columns.hints[d]!) })) {
        servers[s] = tools[d] = 1;
        toolCounts[s]! += 1;
      }
  }
  return {
    servers,
    partial: partial.size === 0 ? null : { servers: partial, tools },
    toolCounts,
    ...countsOf(servers, toolCounts),
    words: new Map(),
  };
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
