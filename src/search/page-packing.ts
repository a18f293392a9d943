import type { StoredDocuments } from './index/stored-fields.ts';
import type { SearchHit } from './ranking/rank.ts';
import type { SearchPage } from './search-model.ts';

/**
 * A page as the cache keeps it. Thousands are kept, so the hits are one array of small integers and not a tree of objects,
 * which the collector would copy one by one. A hit after the other: `[server, semantic, popularity, final score
 * (ten-thousandths), 1 if strong, number of tools, the tools …]`.
 */
export type PackedPage = Omit<SearchPage, 'hits'> & {
  readonly numbers: readonly number[];
  /** Of each hit what few have; null where none has any. */
  readonly extras: readonly Extras[] | null;
  readonly documents: StoredDocuments | null;
};

type Extras = Pick<SearchHit, 'alsoAvailableFrom' | 'explanation'>;

/** Numbers of a hit before its tools; how many tools there are is the last of them. */
const leadLength = 6;
const whole = 10_000;
const noExtras: Extras = { alsoAvailableFrom: [], explanation: null };

export function packPage({ hits, ...page }: SearchPage): PackedPage {
  const numbers = new Array<number>(hits.reduce((sum, { tools }) => sum + leadLength + tools.length, 0));
  let at = 0;
  for (const { server, semantic, popularity, finalScore, match, tools } of hits) {
    numbers[at++] = server;
    numbers[at++] = packScore(semantic);
    numbers[at++] = packScore(popularity);
    numbers[at++] = packScore(finalScore);
    numbers[at++] = match === 'strong' ? 1 : 0;
    numbers[at++] = tools.length;
    for (const tool of tools) numbers[at++] = tool;
  }
  const documents = hits[0]?.documents ?? null;
  return { numbers, extras: extrasOf(hits), documents, ...page };
}

function packScore(score: number): number {
  return Math.round(score * whole);
}

function extrasOf(hits: readonly SearchHit[]): Extras[] | null {
  const isPlain = ({ alsoAvailableFrom, explanation }: Extras) =>
    alsoAvailableFrom.length === 0 && explanation === null;
  if (hits.every(isPlain)) return null;
  return hits.map(({ alsoAvailableFrom, explanation }) => ({ alsoAvailableFrom, explanation }));
}

/** The page again. Its hits are made when they are read: a reply that was rendered before does not need them. */
export class UnpackedPage implements SearchPage {
  readonly #packed: PackedPage;

  constructor(packed: PackedPage) {
    this.#packed = packed;
  }

  get hits(): SearchHit[] {
    return unpackHits(this.#packed);
  }
  get serverIds(): readonly string[] {
    return this.#packed.serverIds;
  }
  get firstRank(): number {
    return this.#packed.firstRank;
  }
  get total(): number {
    return this.#packed.total;
  }
  get correctedQuery(): string | null {
    return this.#packed.correctedQuery;
  }
  get nextCursor(): string | null {
    return this.#packed.nextCursor;
  }
}

function unpackHits({ numbers, extras, documents, serverIds }: PackedPage): SearchHit[] {
  if (documents === null) return [];
  let at = 0;
  return serverIds.map((serverId, i) => {
    const [server = 0, semantic = 0, popularity = 0, final = 0, isStrong, toolCount = 0] = numbers.slice(
      at,
      at + leadLength,
    );
    const tools = numbers.slice(at + leadLength, at + leadLength + toolCount);
    at += leadLength + toolCount;
    return {
      serverId,
      semantic: semantic / whole,
      popularity: popularity / whole,
      finalScore: final / whole,
      match: isStrong === 1 ? 'strong' : 'weak',
      ...(extras?.[i] ?? noExtras),
      documents,
      server,
      tools,
    };
  });
}

/** Estimates: what a page and an explanation take up as objects. */
const bytesOf = { page: 500, explanation: 1_500 };

export function packedBytes({ numbers, extras, serverIds }: PackedPage): number {
  let bytes = bytesOf.page + 8 * (numbers.length + serverIds.length);
  for (const { alsoAvailableFrom, explanation } of extras ?? [])
    bytes += 8 * alsoAvailableFrom.length + (explanation === null ? 0 : bytesOf.explanation);
  return bytes;
}
