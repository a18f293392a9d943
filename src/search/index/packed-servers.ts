/**
 * Every server's analysis and vectors, each kind of array of all of them end to end in one. An array a server would be 200,000
 * objects at 28,000 servers, which each collection of garbage looks at, and allocations that are never given back to the
 * system. Whoever builds copies them into new arrays, run by run.
 */
import { type Analysis, type Facets, fieldCount } from './document-analysis.ts';
import type { QuantisedVectors } from './vector-store.ts';

/** Of servers one after the other; `starts` and `storedStarts` count from where each server's own begin. */
export type ServerArrays = Pick<Analysis, 'starts' | 'terms' | 'counts' | 'lengths'> &
  QuantisedVectors & { readonly storedStarts: Uint32Array; readonly storedBytes: Uint8Array };

/** Where a server lies: in which arrays, and how many servers, documents, terms and bytes lie before it there. */
type Place = {
  readonly arrays: ServerArrays;
  readonly server: number;
  readonly document: number;
  readonly term: number;
  readonly byte: number;
};
export type PackedServer = {
  readonly facets: Facets;
  readonly termCount: number;
  readonly byteCount: number;
  place: Place;
};

/** One more for the end. */
type Totals = Omit<Place, 'arrays'>;
const nothing: Totals = { server: 0, document: 0, term: 0, byte: 0 };

/** A server just analysed, in arrays of its own until the next `pack`. */
export function packAlone(analysis: Analysis, vectors: QuantisedVectors): PackedServer {
  const { facets, stored, starts, terms, counts, lengths } = analysis;
  const arrays = {
    ...{ starts, terms, counts, lengths, ...vectors },
    ...{ storedStarts: stored.starts, storedBytes: stored.bytes },
  };
  return {
    facets,
    termCount: terms.length,
    byteCount: stored.bytes.length,
    place: { arrays, ...nothing },
  };
}

export function totalsOf(servers: readonly PackedServer[]): Totals {
  return servers.reduce(after, nothing);
}

function after(
  { server, document, term, byte }: Totals,
  { facets, termCount, byteCount }: PackedServer,
): Totals {
  return {
    server: server + 1,
    document: document + facets.toolCount + 1,
    term: term + termCount,
    byte: byte + byteCount,
  };
}

type Shared = QuantisedVectors & Pick<ServerArrays, 'storedBytes' | 'lengths'>;

/**
 * Copies servers into arrays of their own, and lets go of those where they lay; `shared`, where it is given, takes what a
 * snapshot has too.
 */
export function pack(servers: readonly PackedServer[], dims: number, shared?: Shared): ServerArrays {
  const { server, document, term, byte } = totalsOf(servers);
  const arrays: ServerArrays = {
    starts: new Uint32Array(document + 2 * server),
    terms: new Uint32Array(term),
    counts: new Uint32Array(term),
    storedStarts: new Uint32Array(2 * document + server),
    ...(shared ?? {
      lengths: new Uint16Array(lengthsOf({ document, server })),
      storedBytes: new Uint8Array(byte),
      vectors: new Int8Array(document * dims),
      scales: new Float32Array(document),
      biases: new Float32Array(document),
    }),
  };
  const left = new Set(servers.map(({ place }) => place.arrays));
  let to = nothing;
  for (let first = 0; first < servers.length; ) {
    const last = endOfRun(servers, first);
    copyRun(servers[first]!.place, after(servers[last - 1]!.place, servers[last - 1]!), arrays, to, dims);
    for (; first < last; first++) {
      const one = servers[first]!;
      one.place = { arrays, ...to };
      to = after(to, one);
    }
  }
  for (const each of left) release(each);
  return arrays;
}

/** Servers that lie side by side already. */
function endOfRun(servers: readonly PackedServer[], first: number): number {
  const { arrays, server } = servers[first]!.place;
  let last = first + 1;
  for (; last < servers.length; last++) {
    const { place } = servers[last]!;
    if (place.arrays !== arrays || place.server !== server + last - first) break;
  }
  return last;
}

function copyRun(from: Place, end: Totals, into: ServerArrays, to: Totals, dims: number): void {
  const copy = (name: keyof ServerArrays, begins: (at: Totals) => number) =>
    into[name].set(from.arrays[name].subarray(begins(from), begins(end)), begins(to));
  copy('starts', startsOf);
  copy('terms', ({ term }) => term);
  copy('counts', ({ term }) => term);
  copy('lengths', lengthsOf);
  copy('storedStarts', storedStartsOf);
  copy('storedBytes', ({ byte }) => byte);
  copy('vectors', ({ document }) => document * dims);
  copy('scales', ({ document }) => document);
  copy('biases', ({ document }) => document);
}

/** At once: an idle thread collects no garbage. What is shared with a snapshot stays. */
function release(arrays: ServerArrays): void {
  for (const { buffer } of Object.values(arrays))
    if (buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0);
}

/** Where a server's own begin: it has two starts more than documents, and counts lengths of its tools combined, too. */
const startsOf = ({ document, server }: Totals) => document + 2 * server;
export const lengthsOf = ({ document, server }: Pick<Totals, 'document' | 'server'>) =>
  (document + server) * fieldCount;
const storedStartsOf = ({ document, server }: Totals) => 2 * document + server;

/** The servers of an index in their order, in one set of arrays. */
export type Corpus = { readonly servers: readonly PackedServer[]; readonly arrays: ServerArrays };

export type DocumentKind = 'server' | 'tool' | 'combinedTools';
/** The document's number (a server's for all but tools), its terms from a number up to another, and where its lengths begin. */
type VisitDocument = (document: number, from: number, to: number, lengths: number) => void;

export function eachDocument(
  kind: DocumentKind,
  { servers, arrays: { starts } }: Corpus,
  visit: VisitDocument,
): void {
  for (const { facets, place } of servers) {
    const [first, end] = rangeOf(kind, facets.toolCount);
    const own = startsOf(place);
    const lengths = lengthsOf(place);
    for (let d = first; d < end; d++)
      visit(
        kind === 'tool' ? place.document + d : place.server,
        place.term + starts[own + d]!,
        place.term + starts[own + d + 1]!,
        lengths + d * fieldCount,
      );
  }
}

/** Where a server's own terms begin, those of its tools, and those of its tools combined. */
export function termsOf({
  facets,
  place,
}: PackedServer): readonly [own: number, tools: number, combined: number] {
  const { starts } = place.arrays;
  const at = startsOf(place);
  return [place.term, place.term + starts[at + 1]!, place.term + starts[at + facets.toolCount + 1]!];
}

/** Document 0 is the server, the last one all tools' words combined. */
function rangeOf(kind: DocumentKind, toolCount: number): readonly [from: number, to: number] {
  if (kind === 'server') return [0, 1];
  return kind === 'tool' ? [1, toolCount + 1] : [toolCount + 1, toolCount + 2];
}

/** Where each stored field begins, counted from the first server's; one more for the end. */
export function joinStoredStarts({ servers, arrays: { storedStarts } }: Corpus, into: Float64Array): void {
  let field = 0;
  for (const { facets, place } of servers) {
    const own = storedStartsOf(place);
    const fields = 2 * (facets.toolCount + 1);
    for (let i = 0; i < fields; i++) into[field++] = place.byte + storedStarts[own + i]!;
  }
  into[field] = totalsOf(servers).byte;
}

/** What was packed and kept, taken back: `facets` in the order of the arrays. */
export function unpack(arrays: ServerArrays, facets: readonly Facets[]): PackedServer[] {
  let at = nothing;
  return facets.map((own) => {
    const documents = own.toolCount + 1;
    const one = {
      facets: own,
      termCount: arrays.starts[startsOf(at) + documents + 1]!,
      byteCount: arrays.storedStarts[storedStartsOf(at) + 2 * documents]!,
      place: { arrays, ...at },
    };
    at = after(at, one);
    return one;
  });
}
