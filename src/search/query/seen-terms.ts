/** Which words the caller's part of the catalog has, and how rare they are there. */
import { documentsOf, inverseDocumentFrequency, type Postings } from '../index/postings.ts';
import type { SearchIndex, Segment } from '../segments/search-index.ts';

/** What the caller sees of the snapshot, by its numbers: what it does not see takes no part in any score. */
export type ViewMask = {
  /** 1 for every server of which something is seen. */
  readonly servers: Uint8Array;
  readonly partial: PartialServers | null;
  /** How many tools are seen of each server. */
  readonly toolCounts: Uint32Array;
  readonly serverCount: number;
  readonly toolCount: number;
  /** As how many documents what is seen counts. */
  readonly documentCount: number;
  /** By term, those that were asked for. */
  readonly words: Map<number, SeenWord>;
};

/** Servers of which only some tools are seen. */
export type PartialServers = {
  /** Each with its place among those of its segment. */
  readonly servers: ReadonlyMap<number, number>;
  /** By document: 1 for a tool that is seen; meaningful for those servers alone. */
  readonly tools: Uint8Array;
  readonly segments: readonly SeenParts[];
};

/** Servers of one segment, by its numbers, and the tools that are seen of each: those from one start up to the next. */
export type SeenParts = {
  readonly locals: Uint32Array;
  readonly starts: Uint32Array;
  readonly documents: Uint32Array;
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
  for (const segment of index.segments)
    if (term < segment.snapshot.termCount) countSeen(segment, term, { mask, docBase: index.docBase }, counts);
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
  term: number,
  { mask, docBase }: { readonly mask: ViewMask; readonly docBase: Uint32Array },
  counts: Counts,
): void {
  const { serverPostings, toolPostings, docServer, docBase: ownBase } = snapshot;
  const { servers, partial, toolCounts } = mask;
  // What is outdated has no number there, and is not seen.
  const seenNumber = (own: number) => {
    const server = numbers === null ? own : numbers[own]!;
    return servers[server] === 1 ? server : -1;
  };
  const having = new Set<number>();
  for (const own of documentsWith(serverPostings, term)) {
    const server = seenNumber(own);
    if (server === -1) continue;
    having.add(own);
    counts.documents += documentsOf(toolCounts[server]!);
  }
  counts.own += having.size;
  let last = -1;
  // Posted server by server.
  for (const tool of documentsWith(toolPostings, term)) {
    const own = docServer[tool]!;
    const server = seenNumber(own);
    if (server === -1) continue;
    const number = docBase[server]! + tool - ownBase[own]!;
    if (partial?.servers.has(server) === true && partial.tools[number] !== 1) continue;
    if (own !== last) counts.tools++;
    last = own;
    if (!having.has(own)) counts.documents++;
  }
}

function documentsWith({ starts, documents }: Postings, term: number): Uint32Array {
  return documents.subarray(starts[term]!, starts[term + 1]!);
}
