/** One query against one snapshot: the best window is scored, popularity mixed in, the asked page cut out. */

import type { Snapshot } from '../index/snapshot.ts';
import type { Usage } from '../learning/model.ts';
import { exploration, type Standing, standingCeiling, untried } from '../learning/standing.ts';
import { addUsage, type Taught } from './learned.ts';
import {
  createRelevance,
  firstOf,
  highest,
  type Measured,
  type RelevanceWeights,
  sortKey,
} from './relevance.ts';
import {
  type Calibration,
  type Evidence,
  evidenceScore,
  finalScore,
  noEvidence,
  round4,
  semanticScore,
} from './score.ts';

export type RankWeights = RelevanceWeights & {
  /** The share of the final score that popularity decides. */
  readonly popularity: number;
  /** From this semantic score on a hit is `strong`. */
  readonly strong: number;
  readonly calibration: Calibration;
};

export type RankRequest = {
  /** The query, then its sentences when it is long. */
  readonly parts: readonly string[];
  /** One unit vector a part. */
  readonly vectors: Float32Array;
  /** The whole query's vector in the space of what was learned. */
  readonly asked: Float32Array;
  /** 1 for servers that pass the filters; null lets all pass. */
  readonly allowed: Uint8Array | null;
  readonly popularity: Float32Array;
  /** Factors: 1 for a server that is well, less for one that is dead or suspect. */
  readonly liveness: Float32Array;
  /** What the caller's searches may use of earlier outcomes. */
  readonly taught: Taught | null;
  readonly offset: number;
  readonly limit: number;
  readonly toolLimit: number;
  readonly minScore: number;
  /** Whether hits shall tell where their scores come from. */
  readonly explain: boolean;
};

export type Hit = {
  readonly server: number;
  /** Document numbers of its best tools, best first. */
  readonly tools: readonly number[];
  readonly semantic: number;
  readonly popularity: number;
  readonly final: number;
  readonly strong: boolean;
  /** Servers behind it with the very same tools. */
  readonly alsoFrom: readonly number[];
  readonly origin: Origin | null;
};

/** Where a hit's scores come from. */
export type Origin = {
  readonly relevance: number;
  readonly lexical: number;
  readonly cosine: number;
  readonly liveness: number;
  readonly usage: Usage | null;
  readonly standing: Standing & { readonly newcomer: number };
};

export type Ranking = {
  readonly hits: readonly Hit[];
  /** Whether there are hits behind this page. */
  readonly more: boolean;
  readonly evidence: Evidence;
};

export type Ranker = (request: RankRequest) => Ranking;

/** What every hit of one query is measured against. */
type Best = { readonly relevance: number; readonly evidence: number; readonly standing: Standing };

/** Servers that can be paged through: what lies behind matches by accident. */
const windowSize = 300;
/** Servers that are scored for a page at first; more only where one of them could still get onto it. */
const firstScored = (wanted: number) => 2 * wanted + 20;
/** The hits of the pages before, of this one, and one that says whether there is another. */
const wantedBy = ({ offset, limit }: RankRequest) => offset + limit + 1;
/** The best by text whose lead is part of the evidence. */
const looked = 20;
/** Mirrors that one hit names. */
const mostMirrors = 50;
const none: readonly number[] = [];

export function createRanker(
  snapshot: Snapshot,
  lexicon: ReadonlyMap<string, number>,
  weights: RankWeights,
): Ranker {
  const relevance = createRelevance(snapshot, lexicon, weights);
  const { ofServer, words, cosines } = relevance;
  const { groupOf, groups } = mirrorsIn(snapshot.facts.fingerprint);
  let keys = new Float64Array(windowSize);
  const others = new Float32Array(looked - 1);

  const semanticOf = (server: number, best: Best) =>
    round4(semanticScore(best.relevance - ofServer[server]!, best.evidence, weights.calibration));
  const standingIn = (server: number, { taught }: RankRequest) => taught?.standing(server) ?? untried;
  const newcomerOf = (server: number, best: Best, standing: Standing) =>
    exploration(best.standing, standing, best.relevance - ofServer[server]!);

  /** Asked of dozens of servers a query, so it makes no objects. */
  function finalOf(server: number, best: Best, request: RankRequest): number {
    const standing = standingIn(server, request);
    const popularity = round4(request.popularity[server] ?? 0);
    const alone = finalScore(semanticOf(server, best), popularity, weights.popularity);
    const lives = request.liveness[server] ?? 1;
    return round4(Math.min(1, alone * lives * standing.factor * newcomerOf(server, best, standing)));
  }

  function hitOf(server: number, best: Best, request: RankRequest, origin: Origin | null): Hit {
    const semantic = semanticOf(server, best);
    return {
      server,
      semantic,
      popularity: round4(request.popularity[server] ?? 0),
      final: finalOf(server, best, request),
      strong: semantic >= weights.strong,
      alsoFrom: mirrorsOf(server, best, request),
      tools: relevance.bestTools(server, request.toolLimit),
      origin,
    };
  }

  function originOf(
    server: number,
    best: Best,
    request: RankRequest,
    { mass, usage }: { readonly mass: number; readonly usage: Usage | null },
  ): Origin {
    const standing = standingIn(server, request);
    return {
      relevance: round4(ofServer[server]!),
      lexical: round4(words[server]! / (mass || 1)),
      cosine: round4(cosines[server]!),
      liveness: round4(request.liveness[server] ?? 1),
      usage,
      standing: { ...standing, newcomer: newcomerOf(server, best, standing) },
    };
  }

  function evidenceOf(
    { mass, knownMass, bestWords, bestCosine, standout, terms }: Measured,
    window: readonly number[],
  ): Evidence {
    const top = window[0];
    if (top === undefined) return noEvidence;
    const total = mass || 1;
    const relevanceAt = (i: number) => ofServer[window[i] ?? -1] ?? 0;
    const compared = Math.min(looked, window.length) - 1;
    for (let i = 0; i < compared; i++) others[i] = words[window[i + 1]!]!;
    others.fill(0, compared).sort();
    const best = others.length - 1;
    return {
      agreement: relevanceAt(0),
      lexical: bestWords / total,
      covered: words[top]! / total,
      cosine: bestCosine,
      standout,
      both: (words[top]! / total) * bestCosine,
      known: knownMass / total,
      lead: relevanceAt(0) - relevanceAt(9),
      wordsLead: (words[top]! - others[best]!) / total,
      wordsLeadOfTen: (words[top]! - others[best - 8]!) / total,
      logWords: Math.log(1 + terms.length),
    };
  }

  /** Servers by final score, best first, those below the least score left out. */
  function inOrder(servers: readonly number[], best: Best, request: RankRequest): number[] {
    if (keys.length < servers.length) keys = new Float64Array(servers.length);
    let kept = 0;
    for (const server of servers) {
      const final = finalOf(server, best, request);
      if (final >= request.minScore) keys[kept++] = sortKey(final, server);
    }
    return firstOf(keys, kept, kept);
  }

  /**
   * The first hits by final score: exactly those of the whole window, looking only as far down as one could come from.
   * `scored`: the best by relevance, some or all of the window.
   */
  function leadersOf(scored: readonly number[], best: Best, request: RankRequest): number[] {
    const wanted = wantedBy(request);
    while (true) {
      const leaders = withoutMirrors(inOrder(scored, best, request), groupOf, wanted);
      const last = leaders[wanted - 1];
      const least = last === undefined ? request.minScore : finalOf(last, best, request);
      const lift = request.taught === null ? 1 : standingCeiling;
      const ceiling = round4(semanticOf(scored.at(-1) ?? 0, best) * lift);
      if (least > ceiling || scored.length === windowSize) return leaders;
      const more = highest(ofServer, Math.min(4 * scored.length, windowSize));
      if (more.length === scored.length) return leaders;
      scored = more;
    }
  }

  /** The servers with the same tools, best first. */
  function mirrorsOf(server: number, best: Best, request: RankRequest): readonly number[] {
    const group = groupOf[server]!;
    if (group === 0) return none;
    const others = groups[group]!.filter((s) => s !== server && ofServer[s]! > 0);
    return inOrder(others, best, request).slice(0, mostMirrors);
  }

  return (request) => {
    const { parts, vectors, asked, allowed, taught, offset, limit } = request;
    const measured = relevance.measure(parts, vectors, allowed);
    const size = Math.min(windowSize, firstScored(wantedBy(request)));
    const byText = highest(ofServer, taught === null ? size : windowSize);
    const evidence = evidenceOf(measured, byText);
    const { usage, best, surer } = addUsage(relevance, taught, { parts, vector: asked, allowed, byText });
    const scored = usage.size === 0 ? byText.slice(0, size) : highest(ofServer, size);
    const standing = taught?.standing(scored[0] ?? -1) ?? untried;
    const shared = evidenceScore(evidence, weights.calibration) + surer;
    const leading: Best = { relevance: best, evidence: shared, standing };
    const leaders = leadersOf(scored, leading, request);
    const { mass } = measured;
    const originIn = (server: number) =>
      request.explain ? originOf(server, leading, request, { mass, usage: usage.get(server) ?? null }) : null;
    const hits = leaders
      .slice(offset, offset + limit)
      .map((server) => hitOf(server, leading, request, originIn(server)));
    return { hits, more: leaders.length > offset + limit, evidence };
  };
}

/** The first so many of them, forks and mirrors standing behind the best of their kind. */
function withoutMirrors(servers: readonly number[], groupOf: Uint32Array, wanted: number): number[] {
  const seen: number[] = [];
  const leaders: number[] = [];
  for (const server of servers) {
    if (leaders.length === wanted) break;
    const group = groupOf[server]!;
    if (group !== 0) {
      if (seen.includes(group)) continue;
      seen.push(group);
    }
    leaders.push(server);
  }
  return leaders;
}

/** Servers in groups of the same fingerprint, where several have it; 0 is the group of those that are like no other. */
function mirrorsIn(fingerprints: Float64Array) {
  const sharing = new Map<number, number[]>();
  for (const [server, print] of fingerprints.entries()) {
    if (print === 0) continue;
    const group = sharing.get(print);
    if (group === undefined) sharing.set(print, [server]);
    else group.push(server);
  }
  const groups: readonly (readonly number[])[] = [
    none,
    ...[...sharing.values()].filter(({ length }) => length > 1),
  ];
  const groupOf = new Uint32Array(fingerprints.length);
  for (const [group, servers] of groups.entries()) for (const server of servers) groupOf[server] = group;
  return { groupOf, groups };
}
