/** Replies spliced from the snapshot's fragments: nothing is serialised again, and a cached reply is one copy. */

import type { Snapshot } from './index/snapshot.ts';
import type { Hit, Ranking } from './ranking/rank.ts';
import { type Evidence, round4 } from './ranking/score.ts';

/** What stands in a reply, before it is written out: a tenth of its size. */
export type Outline = readonly {
  readonly serverId: string;
  /** The server's document number, then those of its tools. */
  readonly docs: readonly number[];
  /** What follows the tools. */
  readonly tail: string;
}[];

/** Everything of a reply but its metadata. */
export type Body = {
  readonly bytes: Buffer;
  /** Where each server's object ends: more fields fit in there. */
  readonly ends: readonly number[];
};

export type Metadata = {
  readonly latencyMs: number;
  readonly cacheHit: boolean;
  readonly totalCandidates: number;
  readonly queryLogId: string;
  readonly nextCursor: string | null;
};

const head = Buffer.from('{"servers":[');
const foot = Buffer.from('],"metadata":');
const comma = 0x2c;
/** UTF-8 bytes for one UTF-16 unit, at most. */
const widest = 3;

export function outlineOf(
  { hits, evidence }: Ranking,
  ids: readonly string[],
  docBase: Uint32Array,
  { explain, popularityShare }: { readonly explain: boolean; readonly popularityShare: number },
): Outline {
  return hits.map((hit) => {
    const also = hit.alsoFrom.map((server) => ids[server]!);
    const tail = tailOf(hit, also, explain ? explanation(hit, evidence, popularityShare) : '');
    return { serverId: ids[hit.server]!, docs: [docBase[hit.server]!, ...hit.tools], tail };
  });
}

export function writeBody(outline: Outline, { pieces, pieceStarts }: Snapshot): Body {
  const all = Buffer.from(pieces.buffer);
  let room = head.length + foot.length;
  for (const { docs, tail } of outline) {
    room += widest * tail.length;
    for (const doc of docs) room += pieceStarts[doc + 1]! - pieceStarts[doc]! + 1;
  }
  const out = Buffer.allocUnsafeSlow(room);
  const ends: number[] = [];
  let at = head.copy(out);
  for (const { docs, tail } of outline) {
    if (ends.length > 0) out[at++] = comma;
    for (const [i, doc] of docs.entries()) {
      if (i > 1) out[at++] = comma;
      at += all.copy(out, at, pieceStarts[doc], pieceStarts[doc + 1]);
    }
    at += out.write(tail, at);
    ends.push(at - 1);
  }
  at += foot.copy(out, at);
  return { bytes: out.subarray(0, at), ends };
}

/** What is this call's own, to be sent after the prepared part. */
export function metadataOf(meta: Metadata): Buffer {
  const next = meta.nextCursor === null ? '' : `,"next_cursor":"${meta.nextCursor}"`;
  return Buffer.from(
    `{"latency_ms":${Math.round(meta.latencyMs * 1000) / 1000},"cache_hit":${meta.cacheHit},` +
      `"total_candidates":${meta.totalCandidates},"query_log_id":${JSON.stringify(meta.queryLogId)}${next}}}`,
  );
}

/** A field more for each server, between the bytes that are shared. */
export function withFields({ bytes, ends }: Body, fields: readonly string[]): readonly Buffer[] {
  const parts: Buffer[] = [];
  let from = 0;
  for (const [i, end] of ends.entries()) {
    parts.push(bytes.subarray(from, end), Buffer.from(`,${fields[i] ?? ''}`));
    from = end;
  }
  return [...parts, bytes.subarray(from)];
}

export function composeBatch(replies: readonly (readonly Buffer[])[]): readonly Buffer[] {
  const between = replies.flatMap((reply, i) => (i === 0 ? reply : [Buffer.from(','), ...reply]));
  return [Buffer.from('{"results":['), ...between, Buffer.from(']}')];
}

function tailOf(hit: Hit, alsoFrom: readonly string[], explain: string): string {
  const also = alsoFrom.length === 0 ? '' : `,"also_available_from":${JSON.stringify(alsoFrom)}`;
  return (
    `],"scores":{"semantic":${hit.semantic},"popularity":${hit.popularity}},"final_score":${hit.final},` +
    `"match":"${hit.strong ? 'strong' : 'weak'}"${also}${explain}}`
  );
}

/** Every part of the score, under the names the documentation uses. */
function explanation(hit: Hit, evidence: Evidence, popularityShare: number): string {
  const parts = {
    relevance: hit.relevance,
    lexical: hit.lexical,
    cosine: hit.cosine,
    evidence: rounded(evidence),
    popularity_factor: round4(1 - popularityShare * (1 - hit.popularity)),
    liveness_factor: hit.liveness,
    usage: hit.usage === null ? null : rounded(hit.usage),
    outcomes: rounded(hit.standing),
  };
  return `,"explain":${JSON.stringify(parts)}`;
}

function rounded(numbers: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(numbers).map(([name, x]) => [name, round4(x)]));
}
