import { idfSeen, isKnown, type ViewMask } from '../query/seen-terms.ts';
import type { SearchIndex } from '../segments/search-index.ts';
import { queryCounts } from '../text/text.ts';
import type { QueryTerm } from './lexical.ts';
import type { RelevanceIndex } from './relevance-index.ts';

/** A query's words: those that the catalog knows (of it, what is seen), and how rare they are in sum, all and known ones. */
export type QueryTerms = {
  readonly terms: readonly QueryTerm[];
  readonly totalIdf: number;
  readonly coveredIdf: number;
};

/** How rare a word is in what is seen of the catalog; the highest for one that nothing there has. */
export function idfOf({ searched }: RelevanceIndex, stem: string, mask: ViewMask | null): number {
  return idfOfTerm(searched, searched.termOf(stem), mask);
}

function idfOfTerm(searched: SearchIndex, term: number, mask: ViewMask | null): number {
  if (isKnown(searched, term, mask)) return idfSeen(searched, term, mask);
  const documents = mask === null ? searched.documentCount : mask.serverCount + mask.toolCount;
  return Math.log(1 + 2 * documents);
}

/** A word said twice is more important, but not twice as important. */
export function termsOf(index: RelevanceIndex, text: string, mask: ViewMask | null): QueryTerms {
  const { searched } = index;
  const terms: QueryTerm[] = [];
  let totalIdf = 0;
  let coveredIdf = 0;
  queryCounts(text).forEach((count, stem) => {
    const term = searched.termOf(stem);
    const weight = Math.sqrt(count) * idfOfTerm(searched, term, mask);
    totalIdf += weight;
    if (!isKnown(searched, term, mask)) return;
    coveredIdf += weight;
    terms.push({ term, weight });
  });
  return { terms, totalIdf, coveredIdf };
}
