/** A long query is also asked sentence by sentence, of its best candidates only: who answers one sentence fully may drown in the whole. */
import type { ViewMask } from '../query/seen-terms.ts';
import { hideTools } from './hidden-tools.ts';
import { scoreTerms } from './lexical.ts';
import { termsOf } from './query-terms.ts';
import { normalisers, type RelevanceIndex } from './relevance-index.ts';
import { topK } from './top-k.ts';

/** How many of the best candidates are asked sentence by sentence. */
const sentenceCandidates = 400;

type Sentences = {
  readonly sentences: readonly string[];
  readonly vectors: Float32Array;
  readonly mask: ViewMask | null;
};

/** Mixes into the relevance of the best candidates how well they answer the sentence that they answer best. */
export function addBestSentence(index: RelevanceIndex, { sentences, vectors, mask }: Sentences): void {
  const { buffers, dims } = index;
  const { relevance } = buffers;
  const candidates = topK(relevance, sentenceCandidates);
  const best = new Float32Array(candidates.length);
  for (const [i, sentence] of sentences.entries()) {
    const vector = vectors.subarray(i * dims, (i + 1) * dims);
    const scores = scoreSentence(index, candidates, { sentence, vector, mask });
    for (const [k, score] of scores.entries()) best[k] = Math.max(best[k]!, score);
  }
  const share = index.weights.sentence;
  for (let s = 0; s < relevance.length; s++) relevance[s] = (1 - share) * relevance[s]!;
  for (const [k, s] of candidates.entries()) relevance[s] = relevance[s]! + share * best[k]!;
}

type Sentence = {
  readonly sentence: string;
  readonly vector: Float32Array;
  readonly mask: ViewMask | null;
};

function scoreSentence(
  index: RelevanceIndex,
  candidates: readonly number[],
  { sentence, vector, mask }: Sentence,
): number[] {
  const { segments, searched, weights } = index;
  const { whole } = weights;
  const { terms } = termsOf(index, sentence, mask);
  for (const { snapshot, scan, ofSentence } of segments) {
    scoreTerms(snapshot, terms, ofSentence);
    scan.setQuery(vector);
  }
  for (const s of candidates) segments[searched.segmentOf(s)]!.scan.compare(searched.localOf(s), 1);
  if (mask !== null)
    for (const [n, segment] of segments.entries()) {
      const here = candidates.filter((s) => searched.segmentOf(s) === n).map(searched.localOf);
      hideTools(segment, segment.ofSentence, mask.segments[n], Uint32Array.from(here));
    }
  const cosine = Float32Array.from(
    candidates,
    (s) => segments[searched.segmentOf(s)]!.scan.ofServer[searched.localOf(s)]!,
  );
  const lexical = Float32Array.from(candidates, (s) => {
    const { ofServer, bestTool, combinedTools } = segments[searched.segmentOf(s)]!.ofSentence;
    const local = searched.localOf(s);
    return ofServer[local]! + (1 - whole) * bestTool[local]! + whole * combinedTools[local]!;
  });
  const best = { bestLexical: Math.max(...lexical), bestCosine: Math.max(...cosine) };
  const [byLexical, byCosine] = normalisers(weights, best);
  return candidates.map((_, k) => byLexical * lexical[k]! + byCosine * cosine[k]!);
}
