import { type BoundedCache, createBoundedCache } from '../base/bounded-cache.ts';
import { unpackHints } from '../base/tool-hints.ts';
import { documentsOf } from './index/postings.ts';
import { type Snapshot, serverIds } from './index/snapshot.ts';
import { openDocuments } from './index/stored-fields.ts';
import type { PartialServers, SegmentMask, ViewMask } from './query/seen-terms.ts';
import type { SearchView } from './search-model.ts';
import { type SearchIndex, tagReader } from './segments/search-index.ts';

/** Each takes nine bytes for every server and one for every tool. */
const masksKept = 50;

/** Of each snapshot by view: with the next change of the catalogue, most of what is searched is the same snapshot. */
const segmentMasks = new WeakMap<Snapshot, BoundedCache<SegmentMask>>();

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

function createViewMask({ segments, runs, serverCount }: SearchIndex, view: SearchView): ViewMask {
  const parts = segments.map(({ snapshot }) => segmentMask(snapshot, view));
  const servers = new Uint8Array(serverCount);
  const counts = { serverCount: 0, toolCount: 0, documentCount: 0 };
  for (const { segment, from, to, count } of runs) {
    const { servers: seen, toolCounts } = parts[segment]!;
    servers.set(seen.subarray(from, from + count), to);
    for (let s = from; s < from + count; s++) {
      if (seen[s] !== 1) continue;
      counts.serverCount++;
      counts.toolCount += toolCounts[s]!;
      counts.documentCount += documentsOf(toolCounts[s]!);
    }
  }
  return { servers, segments: parts, ...counts, words: new Map() };
}

function segmentMask(snapshot: Snapshot, view: SearchView): SegmentMask {
  const masks = segmentMasks.get(snapshot) ?? createBoundedCache<SegmentMask>(masksKept);
  segmentMasks.set(snapshot, masks);
  const known = masks.get(view.key);
  if (known !== undefined) return known;
  const mask = createSegmentMask(snapshot, view);
  masks.set(view.key, mask);
  return mask;
}

/** Asks the view of every server, and of the tools of those of which not all are seen; no query looks at a rule. */
function createSegmentMask(snapshot: Snapshot, view: SearchView): SegmentMask {
  const { docBase, documentCount, serverCount } = snapshot;
  const servers = new Uint8Array(serverCount);
  const toolCounts = new Uint32Array(serverCount);
  const tools = new Uint8Array(documentCount);
  const partial: number[] = [];
  const factsOf = factsReader(snapshot);
  const toolOf = toolReader(snapshot);
  for (let s = 0; s < serverCount; s++) {
    const seen = view.toolsOf(factsOf(s));
    if (seen === 'none') continue;
    const range = { from: docBase[s]! + 1, to: docBase[s + 1]! };
    const all = range.to - range.from;
    const count = seen === 'all' ? all : markTools(range, (tool) => seen(toolOf(tool)), tools);
    if (count === all) tools.fill(1, range.from, range.to);
    toolCounts[s] = count;
    // Of many servers no tools are known yet.
    if (count > 0 || (all === 0 && (seen === 'all' || seen(null)))) servers[s] = 1;
    // One of which all are seen, however many were looked at, is one as any other.
    if (servers[s] === 1 && count < all) partial.push(s);
  }
  return { servers, toolCounts, tools, partial: partsOf(snapshot, partial, tools) };
}

/** Answers how many of them are seen. */
function markTools(
  { from, to }: { readonly from: number; readonly to: number },
  sees: (tool: number) => boolean,
  tools: Uint8Array,
): number {
  let count = 0;
  for (let d = from; d < to; d++) {
    if (!sees(d)) continue;
    tools[d] = 1;
    count++;
  }
  return count;
}

function partsOf(
  { docBase, serverCount }: Snapshot,
  partial: readonly number[],
  tools: Uint8Array,
): PartialServers | null {
  if (partial.length === 0) return null;
  const places = new Uint32Array(serverCount);
  const starts = [0];
  const hidden: number[] = [];
  for (const [i, s] of partial.entries()) {
    places[s] = i + 1;
    for (let d = docBase[s]! + 1; d < docBase[s + 1]!; d++) if (tools[d] !== 1) hidden.push(d);
    starts.push(hidden.length);
  }
  return {
    locals: Uint32Array.from(partial),
    starts: Uint32Array.from(starts),
    hidden: Uint32Array.from(hidden),
    places,
  };
}

function factsReader(snapshot: Snapshot) {
  const { names, category, trusted } = snapshot.columns;
  const ids = serverIds(snapshot);
  const tagsOf = tagReader(snapshot);
  return (server: number) => {
    const inCategory = names[category[server]!] ?? 'none';
    return {
      id: ids[server]!,
      category: inCategory === 'none' ? null : inCategory,
      tags: tagsOf(server),
      trusted: trusted[server] === 1,
    };
  };
}

function toolReader({ stored, columns: { hints } }: Snapshot) {
  const documents = openDocuments(stored);
  return (document: number) => ({
    name: documents.toolName(document),
    hints: unpackHints(hints[document]!),
  });
}
