/** Scores of servers of whose tools the caller sees a part. */
import type { Scan } from '../index/scan.ts';
import type { PartialServers, SegmentMask } from '../query/seen-terms.ts';
import type { LexicalScores } from './lexical.ts';
import type { SegmentScores } from './relevance-index.ts';

/**
 * Servers' scores as if they had the seen tools alone. Their words combined are not at hand, and a server's own vector has taken
 * on all its tools: the best of those that are seen stands for both. `among`: of these servers alone.
 */
export function hideTools(
  { snapshot, scan }: SegmentScores,
  scores: LexicalScores,
  mask: SegmentMask | undefined,
  among?: Uint32Array,
): void {
  if (mask?.partial == null) return;
  const { locals, places, starts, hidden } = mask.partial;
  const { docBase } = snapshot;
  const { ofServer, ofBestTool, ofDocument } = scan;
  const { bestTool, combinedTools, ofTool } = scores;
  const asked = among ?? locals;
  for (let i = 0; i < asked.length; i++) {
    const local = asked[i]!;
    const place = places[local]!;
    if (place === 0) continue;
    let words = 0;
    let nearest = 0;
    for (let at = starts[place - 1]!; at < starts[place]!; at++) {
      const document = hidden[at]!;
      words = Math.max(words, ofTool[document]!);
      nearest = Math.max(nearest, ofDocument[document]!);
      ofTool[document] = 0;
      ofDocument[document] = Number.NEGATIVE_INFINITY;
    }
    // Only where a hidden one was the best is another to be found.
    if (words > 0 && words >= bestTool[local]!) bestTool[local] = bestOfTools(ofTool, docBase, local);
    combinedTools[local] = bestTool[local]!;
    const best = ofBestTool[local]!;
    ofServer[local] =
      nearest < best || best < 0 ? Math.max(0, best) : bestOfTools(ofDocument, docBase, local);
  }
}

/** At least 0. */
function bestOfTools(scores: Float32Array, docBase: Uint32Array, server: number): number {
  let best = 0;
  for (let d = docBase[server]! + 1; d < docBase[server + 1]!; d++) best = Math.max(best, scores[d]!);
  return best;
}

/** A server's hidden tools are the least near of all. */
export function hideCosines({ starts, hidden }: PartialServers, place: number, { ofDocument }: Scan): void {
  for (let at = starts[place - 1]!; at < starts[place]!; at++)
    ofDocument[hidden[at]!] = Number.NEGATIVE_INFINITY;
}
