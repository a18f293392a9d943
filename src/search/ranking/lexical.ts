/**
 * BM25F over the snapshot's postings: every tool as if it were written together with its server's name and
 * description, without storing them with each tool. Per term a tool's own weight t and its server's weight s
 * add up before saturation, (s + t) / (k + s + t); what the server's fields give alone is added per server,
 * and only the difference per tool.
 */
import { type Snapshot, weightUnit } from '../index/snapshot.ts';

/** Saturation: how soon a repeated word stops counting. */
const saturation = 2;

export type QueryTerm = { readonly term: number; readonly weight: number };

/** Scores as fractions of the query's whole weight, 0..1; the arrays are reused by the next call. */
export type LexicalScores = {
  readonly ofServer: Float32Array;
  readonly ofTool: Float32Array;
  /** The best of each server's tools. */
  readonly bestTool: Float32Array;
  readonly together: Float32Array;
};

export type Lexical = (terms: readonly QueryTerm[]) => LexicalScores;

/** `w / (k + w)` for every weight that postings can hold: a look-up is cheaper than a division per posting. */
const saturated = Float32Array.from({ length: 65_536 }, (_, w) => w / (saturation * weightUnit + w));
const mostWeight = saturated.length - 1;

export function createLexical(snapshot: Snapshot): Lexical {
  const { serverCount, documentCount, docServer, serverPostings, toolPostings, togetherPostings } = snapshot;
  const ofServer = new Float32Array(serverCount);
  const ofTool = new Float32Array(documentCount);
  const bestTool = new Float32Array(serverCount);
  const together = new Float32Array(serverCount);
  /** The term at hand in each server's own fields. */
  const present = new Uint16Array(serverCount);

  return (terms) => {
    for (const scores of [ofServer, ofTool, bestTool, together]) scores.fill(0);
    for (const { term, weight } of terms) {
      const { starts, documents, weights } = serverPostings;
      const [from, to] = [starts[term]!, starts[term + 1]!];
      for (let i = from; i < to; i++) {
        const s = documents[i]!;
        present[s] = weights[i]!;
        ofServer[s] = ofServer[s]! + weight * saturated[weights[i]!]!;
      }
      addTools(term, weight);
      addTogether(term, weight);
      for (let i = from; i < to; i++) present[documents[i]!] = 0;
    }
    return { ofServer, ofTool, bestTool, together };
  };

  function addTools(term: number, weight: number): void {
    const { starts, documents, weights } = toolPostings;
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

  function addTogether(term: number, weight: number): void {
    const { starts, documents, weights } = togetherPostings;
    const to = starts[term + 1]!;
    for (let i = starts[term]!; i < to; i++) {
      const server = documents[i]!;
      together[server] = together[server]! + weight * gain(present[server]!, weights[i]!);
    }
  }
}

/** What `more` adds to a score that has `there` already. */
function gain(there: number, more: number): number {
  if (there === 0) return saturated[more]!;
  return saturated[Math.min(mostWeight, there + more)]! - saturated[there]!;
}
