/** Replies spliced from the snapshot's fragments: nothing is serialised again, and a cached reply is one copy. */

import type { Snapshot } from './index/snapshot.ts';
import type { Hit, Ranking } from './ranking/rank.ts';
import { round4 } from './ranking/score.ts';

export type Shown = { readonly serverId: string; readonly rank: number };

/** Everything of a reply but its metadata. */
export type Body = {
  readonly prefix: Buffer;
  readonly shown: readonly Shown[];
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

type Piece = { readonly from: number; readonly to: number } | string;

export function composeBody(
  snapshot: Snapshot,
  ids: readonly string[],
  ranking: Ranking,
  options: { readonly offset: number; readonly explain: boolean; readonly popularityShare: number },
): Body {
  const { docBase, pieceStarts } = snapshot;
  const pieceOf = (doc: number): Piece => ({ from: pieceStarts[doc]!, to: pieceStarts[doc + 1]! });
  const pieces: Piece[] = ['{"servers":['];
  const tails: number[] = [];
  for (const [i, hit] of ranking.hits.entries()) {
    if (i > 0) pieces.push(',');
    pieces.push(pieceOf(docBase[hit.server]!));
    for (const [t, doc] of hit.tools.entries()) {
      if (t > 0) pieces.push(',');
      pieces.push(pieceOf(doc));
    }
    const also = hit.alsoFrom.map((server) => ids[server]!);
    const explained = options.explain ? explanation(hit, ranking, options.popularityShare) : '';
    tails.push(pieces.push(tailOf(hit, also, explained)) - 1);
  }
  pieces.push('],"metadata":');
  const all = Buffer.from(snapshot.pieces.buffer);
  const shown = ranking.hits.map((hit, i) => ({
    serverId: ids[hit.server]!,
    rank: options.offset + i + 1,
  }));
  const { out, starts } = splice(pieces, all);
  return { prefix: out, shown, ends: tails.map((tail) => (starts[tail + 1] ?? out.length) - 1) };
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
export function withFields({ prefix, ends }: Body, fields: readonly string[]): readonly Buffer[] {
  const parts: Buffer[] = [];
  let from = 0;
  for (const [i, end] of ends.entries()) {
    parts.push(prefix.subarray(from, end), Buffer.from(`,${fields[i] ?? ''}`));
    from = end;
  }
  return [...parts, prefix.subarray(from)];
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
function explanation(hit: Hit, { evidence }: Ranking, popularityShare: number): string {
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

function splice(
  pieces: readonly Piece[],
  all: Buffer,
): { readonly out: Buffer; readonly starts: readonly number[] } {
  let bytes = 0;
  for (const piece of pieces)
    bytes += typeof piece === 'string' ? Buffer.byteLength(piece) : piece.to - piece.from;
  const out = Buffer.allocUnsafeSlow(bytes);
  let at = 0;
  const starts: number[] = [];
  for (const piece of pieces) {
    starts.push(at);
    at += typeof piece === 'string' ? out.write(piece, at) : all.copy(out, at, piece.from, piece.to);
  }
  return { out, starts };
}
