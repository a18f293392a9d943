/** Which words the caller's part of the catalog has, and how rare they are there. */
import { documentsOf, inverseDocumentFrequency, type Postings } from '../index/postings.ts';
import type { SearchIndex, Segment } from '../segments/search-index.ts';

/** What the caller sees of the index: what it does not see takes no part in any score. */
export type ViewMask = {
  /** By number, 1 for every server of which something is seen. */
  readonly servers: Uint8Array;
  readonly segments: readonly SegmentMask[];
  readonly serverCount: number;
  readonly toolCount: number;
  /** As how many documents what is seen counts. */
  readonly documentCount: number;
  /** By term, those that were asked for. */
  readonly words: Map<number, SeenWord>;
};

/** The same of one segment, by its own numbers, whatever of it is outdated. */
export type SegmentMask = {
  readonly servers: Uint8Array;
  /** How many tools are seen of each server. */
  readonly toolCounts: Uint32Array;
  /** By document, 1 for a tool that is seen. */
  readonly tools: Uint8Array;
  readonly partial: PartialServers | null;
};

/** Servers of which only some tools are seen, and the documents of those that are not: from one start up to the next. */
export type PartialServers = {
  readonly locals: Uint32Array;
  readonly starts: Uint32Array;
  readonly hidden: Uint32Array;
  /** By server, its place among them, counted from one; 0: it is none of them. */
  readonly places: Uint32Array;
};

/** `servers` that have it in their own texts or in their tools', whichever are more; `idf` among all that is seen. */
type SeenWord = { readonly servers: number; readonly idf: number };

/** Whether anything that is seen has the word: else it is as unknown as one that nothing has. */
export function isKnown(index: SearchIndex, term: number, mask: ViewMask | null): boolean {
  if (term >= index.termCount) return false;
  return mask === null || seenWord(index, term, mask).servers > 0;
}

/** How rare a word of the index is in what is seen. */
export function idfSeen(index: SearchIndex, term: number, mask: ViewMask | null): number {
  return mask === null ? index.idf[term]! : seenWord(index, term, mask).idf;
}

/** How many of the servers that are seen have the word: in their own texts, or in their tools', whichever are more. */
export function serversWith(index: SearchIndex, term: number, mask: ViewMask | null): number {
  if (mask !== null) return term < index.termCount ? seenWord(index, term, mask).servers : 0;
  let [own, tools] = [0, 0];
  for (const { snapshot, outdatedWith } of index.segments) {
    if (term >= snapshot.termCount) continue;
    const less = outdatedWith.get(term);
    own += count(snapshot.serverPostings, term) - (less?.own ?? 0);
    tools += count(snapshot.combinedToolsPostings, term) - (less?.tools ?? 0);
  }
  return Math.max(own, tools);
}

function count({ starts }: Postings, term: number): number {
  return starts[term + 1]! - starts[term]!;
}

/** Of each view; the words of a day's queries are fewer. */
const wordsKept = 5_000;

type Counts = { own: number; tools: number; documents: number };

/** The postings of a word are walked once a view and index: who asks again pays nothing. */
function seenWord(index: SearchIndex, term: number, mask: ViewMask): SeenWord {
  const known = mask.words.get(term);
  if (known !== undefined) return known;
  const counts: Counts = { own: 0, tools: 0, documents: 0 };
  for (const [i, segment] of index.segments.entries())
    if (term < segment.snapshot.termCount) countSeen(segment, mask.segments[i]!, term, counts);
  const word = {
    servers: Math.max(counts.own, counts.tools),
    // As exact as those of the whole index, so that who sees everything is answered alike.
    idf: Math.fround(inverseDocumentFrequency(counts.documents, mask.documentCount)),
  };
  if (mask.words.size >= wordsKept) mask.words.clear();
  mask.words.set(term, word);
  return word;
}

/** As `documentFrequencies` counts them: a tool as its own words and its server's. */
function countSeen(
  { snapshot, numbers }: Segment,
  { servers, toolCounts, tools }: SegmentMask,
  term: number,
  counts: Counts,
): void {
  const { serverPostings, toolPostings, docServer } = snapshot;
  // What is outdated has no number in the index.
  const isSeen = (server: number) => servers[server] === 1 && (numbers === null || numbers[server]! >= 0);
  const having = documentsWith(serverPostings, term);
  for (const server of having) {
    if (!isSeen(server)) continue;
    counts.own++;
    counts.documents += documentsOf(toolCounts[server]!);
  }
  let last = -1;
  let next = 0;
  // Both are posted server by server.
  for (const tool of documentsWith(toolPostings, term)) {
    if (tools[tool] !== 1) continue;
    const server = docServer[tool]!;
    if (!isSeen(server)) continue;
    if (server !== last) counts.tools++;
    last = server;
    while (next < having.length && having[next]! < server) next++;
    if (having[next] !== server) counts.documents++;
  }
}

function documentsWith({ starts, documents }: Postings, term: number): Uint32Array {
  return documents.subarray(starts[term]!, starts[term + 1]!);
}
