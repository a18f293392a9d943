import type { ServerScores } from '../relevance/relevance.ts';
import { type Evidence, noEvidence } from './score.ts';

/** The best by text whose lead is part of the evidence. */
const evidenceTopN = 20;

/** What a query's scores say of whether anything fits. `window`: the best servers by text, best first. */
export function gatherEvidence(scores: ServerScores, window: readonly number[]): Evidence {
  const { relevance, lexical, totalIdf, coveredIdf, bestLexical, bestCosine, standout, terms } = scores;
  const [top] = window;
  if (top === undefined) return noEvidence;
  const total = totalIdf || 1;
  const relevanceAt = (i: number) => relevance[window[i] ?? -1] ?? 0;
  const topLexical = lexical[top]!;
  const others = highestFirst(lexical, window.slice(1, evidenceTopN));
  const [second, tenth] = [others[0] ?? 0, others[8] ?? 0];
  return {
    agreement: relevanceAt(0),
    lexical: bestLexical / total,
    covered: topLexical / total,
    cosine: bestCosine,
    standout,
    both: (topLexical / total) * bestCosine,
    known: coveredIdf / total,
    lead: relevanceAt(0) - relevanceAt(9),
    wordsLead: (topLexical - second) / total,
    wordsLeadOfTen: (topLexical - tenth) / total,
    logWords: Math.log(1 + terms.length),
  };
}

/** The values of these few servers: an insertion sort, because a callback would cost more than all else here. */
function highestFirst(values: Float32Array, servers: readonly number[]): number[] {
  const sorted: number[] = [];
  for (const server of servers) {
    const value = values[server]!;
    let at = sorted.length;
    for (; at > 0 && sorted[at - 1]! < value; at--) sorted[at] = sorted[at - 1]!;
    sorted[at] = value;
  }
  return sorted;
}
