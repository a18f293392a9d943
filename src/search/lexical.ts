/**
 * BM25F over the snapshot's postings: every tool as if it were written together with its server's name and
 * description, without storing them with each tool. Per term a tool's own weight t and its server's weight s
 * add up before saturation, (s + t) / (k + s + t); what the server's fields give alone is added per server,
 * and only the difference per tool.
 */
import { type Snapshot, weightUnit } from './snapshot.ts';

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

export function createLexical(snapshot: Snapshot): Lexical {
  const { serverCount, documentCount, docServer, serverPostings, toolPostings, togetherPostings } = snapshot;
  const ofServer = new Float32Array(serverCount);
  const ofTool = new Float32Array(documentCount);
  const bestTool = new Float32Array(serverCount);
  const together = new Float32Array(serverCount);
  const present = new Float32Array(serverCount);

  return (terms) => {
    ofServer.fill(0);
    ofTool.fill(0);
    bestTool.fill(0);
    together.fill(0);
    for (const { term, weight } of terms) {
      const { starts, documents, weights } = serverPostings;
      const [from, to] = [starts[term]!, starts[term + 1]!];
      for (let i = from; i < to; i++) {
        const s = documents[i]!;
        const w = weights[i]! / weightUnit;
        present[s] = w;
        ofServer[s] = ofServer[s]! + (weight * w) / (saturation + w);
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
      const s = present[server]!;
      const both = s + weights[i]! / weightUnit;
      const sum = ofTool[doc]! + weight * (both / (saturation + both) - s / (saturation + s));
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
      const s = present[server]!;
      const both = s + weights[i]! / weightUnit;
      together[server] = together[server]! + weight * (both / (saturation + both) - s / (saturation + s));
    }
  }
}
