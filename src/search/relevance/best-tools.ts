/** Which tools of one server fit a query best. */

import { hideCosines } from './hidden-tools.ts';
import { scoreToolsOf } from './lexical.ts';
import type { ServerScores } from './relevance.ts';
import { normalisers, placeOf, type RelevanceIndex } from './relevance-index.ts';
import { topOfSum } from './top-k.ts';

/** The vectors' share beside that of the servers' ranking: of tools of one server words tell more (`npm run eval`). */
const vectorShare = 0.7;

/**
 * Document numbers of the server's tools that fit the query last scored best, best first; asked once a query and server. What tells
 * them from each other counts more than what all of them say.
 */
export function bestTools(
  index: RelevanceIndex,
  scores: ServerScores,
  tools: { readonly server: number; readonly limit: number },
): number[] {
  const { server, limit } = tools;
  if (limit === 0) return [];
  const { segment, segmentNumber, local, offset } = placeOf(index, server);
  const { snapshot, scan, ofQuery } = segment;
  const [byLexical, byCosine] = normalisers(index.weights, scores);
  const mask = scores.mask?.segments[segmentNumber];
  const place = mask?.partial?.places[local] ?? 0;
  if (scores.bySentence) scan.compare(local, 1);
  if (mask?.partial != null && place !== 0) hideCosines(mask.partial, place, scan);
  const range = { from: snapshot.docBase[local]! + 1, to: snapshot.docBase[local + 1]! };
  const seen = place === 0 ? null : mask!.tools;
  if (range.to - range.from > 1)
    scoreToolsOf(snapshot, scores.terms, { range, seen, ofTool: ofQuery.ofTool });
  const sum = { a: ofQuery.ofTool, byA: byLexical, b: scan.ofDocument, byB: vectorShare * byCosine };
  const best = topOfSum(range, limit, sum);
  return (seen === null ? best : best.filter((tool) => seen[tool] === 1)).map((tool) => tool + offset);
}
