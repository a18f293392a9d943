/** Replies spliced from the snapshot's fragments: nothing is serialised again, and a cached reply is one copy. */

import type { Snapshot } from './index/snapshot.ts';
import type { Hit, Ranking } from './ranking/rank.ts';
import { type Evidence, round4 } from './ranking/score.ts';

/**
 * What stands in a reply, before it is written out. Thousands are kept, so it is one array of small integers and not a tree
 * of objects, which the collector would copy one by one. A hit after the other: `[server, semantic, popularity, final
 * (ten-thousandths), 1 if strong, number of tools, the tools' document numbers …]`.
 */
export type Outline = {
  readonly numbers: readonly number[];
  /** Fields that few hits have, one text a hit; null where none has any. */
  readonly extras: readonly string[] | null;
};

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
const beforeSemantic = Buffer.from('],"scores":{"semantic":');
const beforePopularity = Buffer.from(',"popularity":');
const beforeFinal = Buffer.from('},"final_score":');
const strong = Buffer.from(',"match":"strong"');
const weak = Buffer.from(',"match":"weak"');
const [comma, closing, zero, point] = [0x2c, 0x7d, 0x30, 0x2e];
/** Bytes of what follows a server's tools, extras apart, at most. */
const tailBytes = 120;
/** UTF-8 bytes for one UTF-16 unit, at most. */
const widest = 3;
const whole = 10_000;
/** Numbers of a hit before its tools; how many tools there are is the last of them. */
const lead = 6;

export function outlineOf(
  { hits, evidence }: Ranking,
  ids: readonly string[],
  popularityShare: number,
): Outline {
  const numbers: number[] = [];
  let extras: string[] | null = null;
  for (let i = 0; i < hits.length; i++) {
    const hit = hits[i]!;
    numbers.push(
      hit.server,
      fixed(hit.semantic),
      fixed(hit.popularity),
      fixed(hit.final),
      hit.strong ? 1 : 0,
      hit.tools.length,
    );
    for (const tool of hit.tools) numbers.push(tool);
    if (hit.alsoFrom.length === 0 && hit.origin === null) continue;
    extras ??= new Array<string>(hits.length).fill('');
    extras[i] = alsoFrom(hit, ids) + explanation(hit, evidence, popularityShare);
  }
  return { numbers, extras };
}

const fixed = (score: number) => Math.round(score * whole);

export function writeBody({ numbers, extras }: Outline, { pieces, pieceStarts, docBase }: Snapshot): Body {
  const all = Buffer.from(pieces.buffer);
  const out = Buffer.allocUnsafeSlow(roomFor(numbers, extras, { pieceStarts, docBase }));
  const ends: number[] = [];
  const copyPiece = (doc: number, at: number) =>
    at + all.copy(out, at, pieceStarts[doc]!, pieceStarts[doc + 1]!);
  let at = put(out, 0, head);
  for (let i = 0; i < numbers.length; ) {
    if (i > 0) out[at++] = comma;
    at = copyPiece(docBase[numbers[i]!]!, at);
    const tools = i + lead;
    const next = tools + numbers[tools - 1]!;
    for (let t = tools; t < next; t++) {
      if (t > tools) out[at++] = comma;
      at = copyPiece(numbers[t]!, at);
    }
    at = putScore(out, put(out, at, beforeSemantic), numbers[i + 1]!);
    at = putScore(out, put(out, at, beforePopularity), numbers[i + 2]!);
    at = putScore(out, put(out, at, beforeFinal), numbers[i + 3]!);
    at = put(out, at, numbers[i + 4] === 1 ? strong : weak);
    if (extras !== null) at += out.write(extras[ends.length]!, at);
    ends.push(at);
    out[at++] = closing;
    i = next;
  }
  at = put(out, at, foot);
  return { bytes: out.subarray(0, at), ends };
}

function roomFor(
  numbers: readonly number[],
  extras: readonly string[] | null,
  { pieceStarts, docBase }: Pick<Snapshot, 'pieceStarts' | 'docBase'>,
): number {
  let room = head.length + foot.length;
  const piece = (doc: number) => pieceStarts[doc + 1]! - pieceStarts[doc]! + 1;
  for (let i = 0; i < numbers.length; ) {
    room += piece(docBase[numbers[i]!]!) + tailBytes;
    const tools = i + lead;
    const next = tools + numbers[tools - 1]!;
    for (let t = tools; t < next; t++) room += piece(numbers[t]!);
    i = next;
  }
  for (const extra of extras ?? []) room += widest * extra.length;
  return room;
}

/** Writes a few bytes and says where the next ones go; for so few, a call into native code costs more than the loop. */
function put(out: Buffer, at: number, bytes: Buffer): number {
  for (let i = 0; i < bytes.length; i++) out[at + i] = bytes[i]!;
  return at + bytes.length;
}

/** A score of 0 to 1 in ten-thousandths, as JSON would have it: 1, 0.5, 0.8912. */
function putScore(out: Buffer, at: number, score: number): number {
  out[at++] = zero + Math.floor(score / whole);
  let rest = score % whole;
  if (rest === 0) return at;
  out[at++] = point;
  for (let unit = whole / 10; rest > 0; unit /= 10) {
    out[at++] = zero + Math.floor(rest / unit);
    rest %= unit;
  }
  return at;
}

/** A piece of a reply's JSON. */
export type Part = Buffer | string;

/** What is this call's own, to be sent after the prepared part. */
export function metadataOf(meta: Metadata): string {
  const next = meta.nextCursor === null ? '' : `,"next_cursor":"${meta.nextCursor}"`;
  return (
    `{"latency_ms":${Math.round(meta.latencyMs * 1000) / 1000},"cache_hit":${meta.cacheHit},` +
    `"total_candidates":${meta.totalCandidates},"query_log_id":"${meta.queryLogId}"${next}}}`
  );
}

/** A field more for each server, between the bytes that are shared. */
export function withFields({ bytes, ends }: Body, fields: readonly string[]): readonly Part[] {
  const parts: Part[] = [];
  let from = 0;
  for (const [i, end] of ends.entries()) {
    parts.push(bytes.subarray(from, end), `,${fields[i] ?? ''}`);
    from = end;
  }
  return [...parts, bytes.subarray(from)];
}

export function composeBatch(replies: readonly (readonly Part[])[]): readonly Part[] {
  const between = replies.flatMap((reply, i) => (i === 0 ? reply : [',', ...reply]));
  return ['{"results":[', ...between, ']}'];
}

function alsoFrom(hit: Hit, ids: readonly string[]): string {
  if (hit.alsoFrom.length === 0) return '';
  return `,"also_available_from":${JSON.stringify(hit.alsoFrom.map((server) => ids[server]!))}`;
}

/** Every part of the score, under the names the documentation uses. */
function explanation({ origin, popularity }: Hit, evidence: Evidence, popularityShare: number): string {
  if (origin === null) return '';
  const { relevance, lexical, cosine, liveness, usage, standing } = origin;
  const parts = {
    relevance,
    lexical,
    cosine,
    evidence: rounded(evidence),
    popularity_factor: round4(1 - popularityShare * (1 - popularity)),
    liveness_factor: liveness,
    usage: usage === null ? null : rounded(usage),
    outcomes: rounded(standing),
  };
  return `,"explain":${JSON.stringify(parts)}`;
}

function rounded(numbers: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(numbers).map(([name, x]) => [name, round4(x)]));
}
