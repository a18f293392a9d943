/**
 * Moves the arrays of many servers into one large array each. Tens of thousands of small allocations that live until
 * the first build would never be given back to the system; of these the next batch takes the place.
 */
import type { Analysis } from './document-analysis.ts';
import type { Snapshot } from './snapshot.ts';
import { type QuantisedVectors, vectorsAt } from './vector-store.ts';

/** One server as the builder keeps it. */
export type IndexedServer = QuantisedVectors & { readonly analysis: Analysis };
type Mutable = { -readonly [K in keyof IndexedServer]: IndexedServer[K] };

/** After a batch: everything into pools of its own. */
export function packServers(batch: readonly Mutable[]): void {
  const before = buffersOf(batch);
  const bytes = pool(batch.map(({ analysis }) => analysis.stored.bytes));
  const vectors = pool(batch.map((one) => one.vectors));
  const scales = pool(batch.map((one) => one.scales));
  packAnalyses(batch, bytes);
  for (const [i, one] of batch.entries()) Object.assign(one, { vectors: vectors[i], scales: scales[i] });
  release(before);
}

/** After a build: the same, but bytes and vectors become views of the snapshot, which has them anyway. */
export function shareWithSnapshot(sorted: readonly Mutable[], { stored, vectors }: Snapshot): void {
  const before = buffersOf(sorted);
  let [doc, byte] = [0, 0];
  const bytes = sorted.map(({ analysis }) => {
    byte += analysis.stored.bytes.length;
    return stored.bytes.subarray(byte - analysis.stored.bytes.length, byte);
  });
  packAnalyses(sorted, bytes);
  for (const one of sorted) {
    Object.assign(one, vectorsAt(vectors, doc, one.scales.length));
    doc += one.scales.length;
  }
  release(before);
}

function packAnalyses(servers: readonly Mutable[], bytes: readonly Uint8Array[]): void {
  const poolOf = <T extends Pooled>(pick: (analysis: Analysis) => T) =>
    pool(servers.map(({ analysis }) => pick(analysis)));
  const starts = poolOf((analysis) => analysis.starts);
  const terms = poolOf((analysis) => analysis.terms);
  const counts = poolOf((analysis) => analysis.counts);
  const lengths = poolOf((analysis) => analysis.lengths);
  const fieldStarts = poolOf((analysis) => analysis.stored.starts);
  for (const [i, one] of servers.entries())
    one.analysis = {
      ...one.analysis,
      starts: starts[i]!,
      terms: terms[i]!,
      counts: counts[i]!,
      lengths: lengths[i]!,
      stored: { bytes: bytes[i]!, starts: fieldStarts[i]! },
    };
}

type Pooled = Uint8Array | Uint16Array | Uint32Array | Int8Array | Float32Array;

/** Copies of the arrays, end to end in one. */
function pool<T extends Pooled>(arrays: readonly T[]): T[] {
  const [first] = arrays;
  if (first === undefined) return [];
  const length = arrays.reduce((sum, array) => sum + array.length, 0);
  const all = new (first.constructor as new (length: number) => T)(length);
  let at = 0;
  return arrays.map((array) => {
    all.set(array, at);
    at += array.length;
    return all.subarray(at - array.length, at) as T;
  });
}

function buffersOf(servers: readonly IndexedServer[]): Set<ArrayBufferLike> {
  return new Set(
    servers.flatMap(({ analysis: { starts, terms, counts, lengths, stored }, vectors, scales }) =>
      [starts, terms, counts, lengths, stored.bytes, stored.starts, vectors, scales].map(
        ({ buffer }) => buffer,
      ),
    ),
  );
}

/** At once: an idle thread collects no garbage. What is shared with a snapshot stays. */
function release(buffers: ReadonlySet<ArrayBufferLike>): void {
  for (const buffer of buffers) if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}
