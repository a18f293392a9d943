/**
 * BM25F over the snapshot's postings: every tool as if it were written together with its server's name and
 * description, without storing them with each tool. Per term a tool's own weight t and its server's weight s
 * add up before saturation, (s + t) / (k + s + t); what the server's fields give alone is added per server,
 * and only the difference per tool.
 */
import { firstFrom, type Postings, weightUnit } from '../index/postings.ts';
import type { Snapshot } from '../index/snapshot.ts';

/** Saturation: how soon a repeated word stops counting. */
const saturation = 2;

export type QueryTerm = { readonly term: number; readonly weight: number };

/** Scores of one query, filled by `scoreTerms`. */
export type LexicalScores = {
  readonly ofServer: Float32Array;
  readonly ofTool: Float32Array;
  /** The best of each server's tools. */
  readonly bestTool: Float32Array;
  readonly combinedTools: Float32Array;
  /** The weight of the term at hand in each server's own fields; all zeros between terms. */
  readonly present: Uint16Array;
};

export function createLexicalScores({ serverCount, documentCount }: Snapshot): LexicalScores {
  return {
    ofServer: new Float32Array(serverCount),
    ofTool: new Float32Array(documentCount),
    bestTool: new Float32Array(serverCount),
    combinedTools: new Float32Array(serverCount),
    present: new Uint16Array(serverCount),
  };
}

export function scoreTerms(snapshot: Snapshot, terms: readonly QueryTerm[], scores: LexicalScores): void {
  const { serverPostings, toolPostings, combinedToolsPostings, docServer } = snapshot;
  const { ofServer, ofTool, bestTool, combinedTools, present } = scores;
  for (const array of [ofServer, ofTool, bestTool, combinedTools]) array.fill(0);
  for (const query of terms) {
    if (query.term >= snapshot.termCount) continue;
    addServers(serverPostings, query, scores);
    addTools(toolPostings, query, scores, docServer);
    addCombined(combinedToolsPostings, query, scores);
    const { starts, documents } = serverPostings;
    for (let i = starts[query.term]!; i < starts[query.term + 1]!; i++) present[documents[i]!] = 0;
  }
}

function addServers(
  { starts, documents, weights }: Postings,
  { term, weight }: QueryTerm,
  { ofServer, present }: LexicalScores,
): void {
  const to = starts[term + 1]!;
  for (let i = starts[term]!; i < to; i++) {
    const server = documents[i]!;
    present[server] = weights[i]!;
    ofServer[server] = ofServer[server]! + weight * saturated[weights[i]!]!;
  }
}

function addTools(
  { starts, documents, weights }: Postings,
  { term, weight }: QueryTerm,
  { ofTool, bestTool, present }: LexicalScores,
  docServer: Uint32Array,
): void {
  const to = starts[term + 1]!;
  for (let i = starts[term]!; i < to; i++) {
    const doc = documents[i]!;
    const server = docServer[doc]!;
    const sum = ofTool[doc]! + weight * gain(present[server]!, weights[i]!);
    ofTool[doc] = sum;
    // Sums only grow, so the best so far is found on the way.
    if (sum > bestTool[server]!) bestTool[server] = sum;
  }
}

function addCombined(
  { starts, documents, weights }: Postings,
  { term, weight }: QueryTerm,
  { combinedTools, present }: LexicalScores,
): void {
  const to = starts[term + 1]!;
  for (let i = starts[term]!; i < to; i++) {
    const server = documents[i]!;
    combinedTools[server] = combinedTools[server]! + weight * gain(present[server]!, weights[i]!);
  }
}

/** `w / (k + w)` for every weight that postings can hold: a look-up is cheaper than a division per posting. */
const saturated = Float32Array.from({ length: 65_536 }, (_, w) => w / (saturation * weightUnit + w));
const maxWeight = saturated.length - 1;

/** What `more` adds to a score that has `there` already. */
function gain(there: number, more: number): number {
  if (there === 0) return saturated[more]!;
  return saturated[Math.min(maxWeight, there + more)]! - saturated[there]!;
}

/** Documents by number, from the first up to another. */
export type DocumentRange = { readonly from: number; readonly to: number };

/**
 * Scores one server's tools against each other. A word weighs by the square root of its rarity among them, too: one that all of
 * them have tells nothing. `seen`: 1 for those that are, where not all are; what is hidden does not count.
 */
export function scoreToolsOf(
  { toolPostings, termCount }: Snapshot,
  terms: readonly QueryTerm[],
  on: { readonly range: DocumentRange; readonly seen: Uint8Array | null; readonly ofTool: Float32Array },
): void {
  const { starts, documents, weights } = toolPostings;
  const { range, seen, ofTool } = on;
  const tools = countSeen(range, seen);
  ofTool.fill(0, range.from, range.to);
  for (const { term, weight } of terms) {
    if (term >= termCount) continue;
    const end = starts[term + 1]!;
    const first = firstFrom(documents, starts[term]!, end, range.from);
    if (first === end || documents[first]! >= range.to) continue;
    let last = first;
    let having = 0;
    for (; last < end && documents[last]! < range.to; last++)
      if (seen === null || seen[documents[last]!] === 1) having++;
    const local = weight * Math.sqrt(Math.log(1 + (tools - having + 0.5) / (having + 0.5)));
    for (let i = first; i < last; i++) ofTool[documents[i]!]! += local * saturated[weights[i]!]!;
  }
}

function countSeen({ from, to }: DocumentRange, seen: Uint8Array | null): number {
  if (seen === null) return to - from;
  let count = 0;
  for (let d = from; d < to; d++) count += seen[d]!;
  return count;
}
