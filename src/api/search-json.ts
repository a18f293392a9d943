/**
 * Search results as the API's JSON, and the one place that knows its spelling. A reply is spliced: from the bytes that the
 * index stores of each document, and from what this query adds to them. The hits of a page that was asked for again are kept
 * as one piece.
 */
import { LRUCache } from 'lru-cache';
import {
  type ConnectionState,
  type HitExplanation,
  howToConnect,
  type SearchHit,
  type SearchResult,
} from '../search/search.ts';

/** A piece of a reply's JSON. */
export type JsonPart = Buffer | string;

export type SearchJson = {
  /** One result's whole JSON. The parts are shared and must not be written to. */
  render(result: SearchResult): readonly JsonPart[];
  renderBatch(results: readonly SearchResult[]): readonly JsonPart[];
};

const cacheBytes = 16 * 1024 * 1024;

export function createSearchJson(): SearchJson {
  const kept = new LRUCache<string, Buffer>({
    maxSize: cacheBytes,
    sizeCalculation: ({ buffer }) => buffer.byteLength,
  });

  /** Kept only for those that were asked for again: of most queries there is no second. */
  function hitsOf(result: SearchResult): Buffer {
    const { pageKey, cacheHit, connections, account = '' } = result;
    if (pageKey === null || !cacheHit) return renderHits(result);
    const key = connections === null ? pageKey : `${connections.join(' ')}\n${account}\n${pageKey}`;
    const known = kept.get(key);
    if (known !== undefined) return known;
    const rendered = renderHits(result);
    kept.set(key, rendered);
    return rendered;
  }

  const render = (result: SearchResult): readonly JsonPart[] => [hitsOf(result), renderMetadata(result)];

  return {
    render,
    renderBatch(results) {
      const parts = results.flatMap((result, i) => (i === 0 ? render(result) : [',', ...render(result)]));
      return ['{"results":[', ...parts, ']}'];
    },
  };
}

/** What is this call's own, behind what is shared. */
function renderMetadata({ latencyMs, cacheHit, queryLogId, page }: SearchResult): string {
  const next = page.nextCursor === null ? '' : `,"next_cursor":"${page.nextCursor}"`;
  const { correctedQuery } = page;
  const corrected = correctedQuery === null ? '' : `,"corrected_query":${JSON.stringify(correctedQuery)}`;
  return (
    `{"latency_ms":${Math.round(latencyMs * 1000) / 1000},"cache_hit":${cacheHit},` +
    `"total_candidates":${page.total},"query_log_id":"${queryLogId}"${next}${corrected}}}`
  );
}

const head = Buffer.from('{"servers":[');
const beforeUrl = Buffer.from(',"remote_url":');
const beforeTools = Buffer.from(',"tools":[');
const beforeSchema = Buffer.from(',"input_schema":');
const beforeSemantic = Buffer.from('],"scores":{"semantic":');
const beforePopularity = Buffer.from(',"popularity":');
const beforeFinal = Buffer.from('},"final_score":');
const match = { strong: Buffer.from(',"match":"strong"'), weak: Buffer.from(',"match":"weak"') };
const foot = Buffer.from('],"metadata":');
const [comma, opening, closing, zero, point] = [0x2c, 0x7b, 0x7d, 0x30, 0x2e];
/** Bytes of a tool, and of a hit and its tools' end, beside what is stored and the extra members, at most. */
const toolBytes = 20;
const hitBytes = 150;
/** UTF-8 bytes for one UTF-16 unit, at most. */
const maxBytesPerUnit = 3;

function renderHits({ page: { hits }, connections, account }: SearchResult): Buffer {
  const extras = hits.map((hit, i) => extraMembers(hit, connections?.[i], account));
  const out = Buffer.allocUnsafeSlow(roomFor(hits, extras));
  let at = put(out, 0, head);
  for (let i = 0; i < hits.length; i++) {
    if (i > 0) out[at++] = comma;
    at = putHit(out, at, hits[i]!);
    // To write nothing would be a call into native code, too.
    if (extras[i] !== '') at += out.write(extras[i]!, at);
    out[at++] = closing;
  }
  at = put(out, at, foot);
  return out.subarray(0, at);
}

function roomFor(hits: readonly SearchHit[], extras: readonly string[]): number {
  let room = head.length + foot.length;
  for (const { documents, server, tools } of hits) {
    room += documents.byteLength(server) + hitBytes;
    for (const tool of tools) room += documents.byteLength(tool) + toolBytes;
  }
  for (const extra of extras) room += maxBytesPerUnit * extra.length;
  return room;
}

/** A hit's object but for its extra members and its end; like the others it answers where the next byte goes. */
function putHit(out: Buffer, start: number, hit: SearchHit): number {
  const { documents, server, tools } = hit;
  out[start] = opening;
  let at = put(out, documents.copyMembers(server, out, start + 1), beforeUrl);
  at = put(out, documents.copyValue(server, out, at), beforeTools);
  for (let t = 0; t < tools.length; t++) {
    if (t > 0) out[at++] = comma;
    out[at++] = opening;
    at = put(out, documents.copyMembers(tools[t]!, out, at), beforeSchema);
    at = documents.copyValue(tools[t]!, out, at);
    out[at++] = closing;
  }
  at = putScore(out, put(out, at, beforeSemantic), hit.semantic);
  at = putScore(out, put(out, at, beforePopularity), hit.popularity);
  at = putScore(out, put(out, at, beforeFinal), hit.finalScore);
  return put(out, at, match[hit.match]);
}

/** For so few bytes a call into native code costs more than the loop. */
function put(out: Buffer, at: number, bytes: Buffer): number {
  for (let i = 0; i < bytes.length; i++) out[at + i] = bytes[i]!;
  return at + bytes.length;
}

const whole = 10_000;

/** A score of 0 to 1 with four decimals, as JSON would have it: 1, 0.5, 0.8912. */
function putScore(out: Buffer, start: number, score: number): number {
  const tenThousandths = Math.round(score * whole);
  let at = start;
  out[at++] = zero + Math.floor(tenThousandths / whole);
  let rest = tenThousandths % whole;
  if (rest === 0) return at;
  out[at++] = point;
  for (let unit = whole / 10; rest > 0; unit /= 10) {
    out[at++] = zero + Math.floor(rest / unit);
    rest %= unit;
  }
  return at;
}

/** What few hits have, and how the caller stands with it. */
function extraMembers(
  hit: SearchHit,
  state: ConnectionState | undefined,
  account: string | undefined,
): string {
  return `${otherMembers(hit.alsoAvailableFrom, hit.explanation)}${connectionMembers(hit, state, account)}`;
}

function connectionMembers(
  hit: SearchHit,
  state: ConnectionState | undefined,
  account: string | undefined,
): string {
  if (state === undefined) return '';
  const connect = howToConnect(hit, state, account);
  return `,"connection":"${state}"${connect === null ? '' : `,"connect":${JSON.stringify(connect)}`}`;
}

function otherMembers(
  alsoAvailableFrom: SearchHit['alsoAvailableFrom'],
  explanation: SearchHit['explanation'],
): string {
  const others =
    alsoAvailableFrom.length === 0 ? '' : `,"also_available_from":${JSON.stringify(alsoAvailableFrom)}`;
  return explanation === null
    ? others
    : `${others},"explain":${JSON.stringify(explanationToJson(explanation))}`;
}

/** Every part of a score, under the names that the documentation uses. */
export function explanationToJson(explanation: HitExplanation) {
  const { query, relevance, lexical, cosine, evidence, popularityFactor, livenessFactor, usage } =
    explanation;
  const { good, bad, prior, posterior, factor, explorationBonus } = explanation.outcomes;
  return {
    query,
    relevance,
    lexical,
    cosine,
    evidence,
    popularity_factor: popularityFactor,
    liveness_factor: livenessFactor,
    usage: usage === null ? null : usageToJson(usage),
    outcomes: { good, bad, prior, posterior, factor, newcomer: explorationBonus },
  };
}

function usageToJson(usage: NonNullable<HitExplanation['usage']>) {
  const { bonus, nearest, words, answerability, cosine, successes } = usage;
  return { bonus, nearest, sure: answerability, words, cosine, successes };
}
