/**
 * Tools that servers list for one user alone, found beside what everybody finds. They are in no index: each search of that
 * user scores them by itself, next to the hits that it already has. So nothing of them can show in anybody's totals,
 * scores, pages or caches but the user's own.
 */
import type { CatalogServer } from '../../catalog/catalog.ts';
import type { Embedder } from '../embedding/embedder.ts';
import { encodeFields, openDocuments, serverFields, toolFields } from '../index/stored-fields.ts';
import type { SearchHit } from '../ranking/rank.ts';
import { round4 } from '../ranking/score.ts';
import type { SearchPage, SearchRequest } from '../search-model.ts';
import { stemsOf } from '../text/text.ts';
import type { OwnServer, OwnTools, ReadText } from './own-tools-model.ts';

/** Below this a tool has little to do with the query: a third of its words, or less and the like. */
const leastFit = 0.35;
/** Of a hit: so many of its tools say how well it fits. */
const comparedTools = 3;
const strongFit = 0.5;

export async function readOwnTools(
  servers: readonly CatalogServer[],
  embedder: Pick<Embedder, 'embed' | 'dims'>,
): Promise<OwnTools> {
  let bytes = 0;
  const read: OwnServer[] = [];
  for (const server of servers) {
    const stored = encodeFields([serverFields(server), ...server.tools.map(toolFields)]);
    bytes += stored.bytes.length + server.tools.length * embedder.dims * Float32Array.BYTES_PER_ELEMENT;
    read.push({
      server,
      documents: openDocuments({ bytes: stored.bytes, starts: Float64Array.from(stored.starts) }),
      tools: await readTexts(server.tools.map(textOf), embedder),
    });
  }
  return { servers: read, bytes };
}

const textOf = ({ name, description }: { readonly name: string; readonly description: string }) =>
  `${name} ${description}`;

async function readTexts(
  texts: readonly string[],
  { embed, dims }: Pick<Embedder, 'embed' | 'dims'>,
): Promise<ReadText[]> {
  const vectors = await embed(texts, 'document');
  return texts.map((text, i) => ({
    stems: new Set(stemsOf(text)),
    vector: vectors.slice(i * dims, (i + 1) * dims),
  }));
}

/** How well a text fits, 0..1: half the share of the query's words that it has, half how near it is. */
function fitOf(query: ReadText, text: ReadText): number {
  let shared = 0;
  for (const stem of query.stems) if (text.stems.has(stem)) shared++;
  let cosine = 0;
  for (let i = 0; i < query.vector.length; i++) cosine += query.vector[i]! * text.vector[i]!;
  return (shared / (query.stems.size || 1) + Math.max(0, cosine)) / 2;
}

/** The hits of one page with the user's own tools among them; `added`: how many more than there were. */
export async function withOwnTools(
  page: SearchPage,
  { query, cursor, toolLimit, filters }: SearchRequest,
  own: OwnTools,
  embedder: Pick<Embedder, 'embed' | 'dims'>,
): Promise<{ readonly page: SearchPage; readonly added: number }> {
  const [asked] = await readTexts([query], embedder);
  if (asked === undefined) return { page, added: 0 };
  const hits = [...page.hits];
  for (const { server, documents, tools } of own.servers) {
    const fits = tools.map((tool) => fitOf(asked, tool));
    const best = Math.max(0, ...fits);
    const at = hits.findIndex(({ serverId }) => serverId === server.id);
    if (best < leastFit || (at < 0 && (cursor !== undefined || !passes(filters, server)))) continue;
    const [known] = at < 0 ? [] : hits.splice(at, 1);
    const place = await placeOf(hits, best, { asked, embedder });
    const to = at < 0 ? place : Math.min(at, place);
    const byFit = fits.map((fit, i) => [fit, i] as const).sort(([a], [b]) => b - a);
    hits.splice(to, 0, {
      ...(known === undefined ? scoresAt(hits, to, best) : scoresOf(known)),
      serverId: server.id,
      documents,
      server: 0,
      tools: byFit.slice(0, toolLimit).map(([, i]) => i + 1),
    });
  }
  return { page: pageOf(page, hits), added: hits.length - page.hits.length };
}

/** The same page with these hits. A page that is kept is packed: its members are read, not copied. */
export function pageOf(page: SearchPage, hits: readonly SearchHit[]): SearchPage {
  const { firstRank, total, correctedQuery, nextCursor } = page;
  const serverIds = hits.map(({ serverId }) => serverId);
  return { hits, serverIds, firstRank, total, correctedQuery, nextCursor };
}

function scoresOf({ semantic, popularity, finalScore, match, alsoAvailableFrom, explanation }: SearchHit) {
  return { semantic, popularity, finalScore, match, alsoAvailableFrom, explanation };
}

/** Before the first hit that fits less. */
async function placeOf(
  hits: readonly SearchHit[],
  fit: number,
  { asked, embedder }: { readonly asked: ReadText; readonly embedder: Pick<Embedder, 'embed' | 'dims'> },
): Promise<number> {
  for (const [i, { documents, server, tools }] of hits.entries()) {
    const shown = tools.slice(0, comparedTools).map((tool) => textOf(documents.tool(tool)));
    const texts = shown.length === 0 ? [textOf(documents.server(server))] : shown;
    const read = await readTexts(texts, embedder);
    if (Math.max(...read.map((text) => fitOf(asked, text))) < fit) return i;
  }
  return hits.length;
}

/** Those of the hit before which it stands, so that a page's scores fall from first to last. */
function scoresAt(hits: readonly SearchHit[], at: number, fit: number) {
  const beside = hits[at] ?? hits.at(-1);
  return {
    semantic: beside?.semantic ?? round4(fit),
    popularity: 0,
    finalScore: beside?.finalScore ?? round4(fit),
    match: fit >= strongFit ? ('strong' as const) : (beside?.match ?? ('weak' as const)),
    alsoAvailableFrom: [],
    explanation: null,
  };
}

/** The user is connected to it: whatever is filtered for but what it is, it passes. */
function passes(filters: SearchRequest['filters'], server: CatalogServer): boolean {
  const { transport, auth, category, verified, connected, callable } = filters;
  const isOneOf = <T>(wanted: readonly T[] | undefined, is: T) => wanted?.includes(is) ?? true;
  return (
    isOneOf(transport, server.transport) &&
    isOneOf(auth, server.authType ?? 'none') &&
    isOneOf<string | null>(category, server.category) &&
    (verified === undefined || verified === server.verified) &&
    connected !== false &&
    callable !== false
  );
}
