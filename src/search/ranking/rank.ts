/**
 * One query against one snapshot: the servers are scored, what was learned is added, the best candidates get their
 * final scores, and the page asked for is cut out of them.
 */
import type { StoredDocuments } from '../index/stored-fields.ts';
import { explorationBonus, maxOutcomeLift, type OutcomeFactor, untried } from '../learning/outcome-factor.ts';
import { bestTools } from '../relevance/best-tools.ts';
import { type RelevanceQuery, type ServerScores, scoreServers } from '../relevance/relevance.ts';
import {
  createRelevanceIndex,
  type RelevanceIndex,
  type RelevanceWeights,
} from '../relevance/relevance-index.ts';
import { sortByScore, topK } from '../relevance/top-k.ts';
import type { SearchIndex } from '../segments/search-index.ts';
import {
  callability,
  type DuplicateGroups,
  groupDuplicates,
  type OwnMirrors,
  withoutDuplicates,
} from './duplicate-groups.ts';
import { gatherEvidence } from './evidence.ts';
import { explainHit, type HitExplanation } from './explanation.ts';
import type { IndexedModel } from './indexed-model.ts';
import {
  type Calibration,
  type Evidence,
  evidenceScore,
  finalScore,
  round4,
  semanticScore,
} from './score.ts';
import { addUsage, type UsageBoost } from './usage-boost.ts';

export type RankWeights = RelevanceWeights & {
  /** The share of the final score that popularity decides. */
  readonly popularity: number;
  /** From this semantic score on a hit is `strong`. */
  readonly strong: number;
  readonly calibration: Calibration;
};

export type RankRequest = RelevanceQuery & {
  /** What the caller's searches may use of earlier outcomes. */
  readonly model: IndexedModel | null;
  /** The whole query's vector in the space of what was learned. */
  readonly modelVector: Float32Array;
  /** 0..1 by server. */
  readonly popularity: Float32Array;
  /** Factors: 1 for a server that is well, less for one that is dead or suspect. */
  readonly liveness: Float32Array;
  /** By server; null where nobody said what can be called from here. */
  readonly callabilities: Uint8Array | null;
  readonly ownMirrors: OwnMirrors;
  readonly offset: number;
  readonly limit: number;
  readonly toolLimit: number;
  readonly minScore: number;
  /** Whether hits shall tell where their scores come from. */
  readonly explain: boolean;
};

/** A server that fits, with its best tools. Scores lie in 0..1 and have four decimals. */
export type SearchHit = {
  readonly serverId: string;
  readonly semantic: number;
  readonly popularity: number;
  readonly finalScore: number;
  readonly match: 'strong' | 'weak';
  /** Servers behind it with the very same tools: forks and mirrors. */
  readonly alsoAvailableFrom: readonly string[];
  readonly explanation: HitExplanation | null;
  /** What it is to show: the server's document, and those of the tools that fit the query best, best first. */
  readonly documents: StoredDocuments;
  readonly server: number;
  readonly tools: readonly number[];
};

export type Ranking = {
  readonly hits: readonly SearchHit[];
  /** Whether there are hits behind this page. */
  readonly hasMore: boolean;
  readonly evidence: Evidence;
};

export type Ranker = (request: RankRequest) => Ranking;

/** Servers that can be paged through: what lies behind matches by accident. */
const windowSize = 300;
/** Other servers with the same tools that one hit names. */
const maxDuplicates = 50;

type RankIndex = {
  readonly ids: readonly string[];
  readonly documents: StoredDocuments;
  readonly docBase: Uint32Array;
  readonly relevance: RelevanceIndex;
  readonly duplicates: DuplicateGroups;
  readonly weights: RankWeights;
};

/** One query while it is ranked. */
type RankedQuery = {
  readonly index: RankIndex;
  readonly request: RankRequest;
  readonly scores: ServerScores;
  readonly evidence: Evidence;
  readonly boost: UsageBoost;
  /** Servers that one of the operator's own stands for. */
  readonly mirrors: ReadonlySet<number>;
  /** The part of the semantic score that all hits share. */
  readonly logit: number;
  /** The outcomes of the best server by relevance. */
  readonly bestOutcomes: OutcomeFactor;
};

export function createRanker(searched: SearchIndex, weights: RankWeights): Ranker {
  const { ids, documents, docBase, columns } = searched;
  const index: RankIndex = {
    ...{ ids, documents, docBase },
    relevance: createRelevanceIndex(searched, weights),
    duplicates: groupDuplicates(columns.fingerprint),
    weights,
  };
  return (request) => rank(index, request);
}

function rank(index: RankIndex, request: RankRequest): Ranking {
  const { parts, allowed, mask, model, modelVector, offset, limit } = request;
  const scores = scoreServers(index.relevance, request);
  const mirrors = liftOwn(request, scores);
  const size = firstCandidates(request);
  const byText = topK(scores.relevance, model === null ? size : windowSize);
  const evidence = gatherEvidence(scores, byText);
  const boost = addUsage(index.relevance, scores, { model, modelVector, parts, allowed, mask, byText });
  const candidates = boost.usage.size === 0 ? byText.slice(0, size) : topK(scores.relevance, size);
  const query: RankedQuery = {
    index,
    request,
    scores,
    evidence,
    boost,
    mirrors,
    logit: evidenceScore(evidence, index.weights.calibration) + boost.answerabilityBonus,
    bestOutcomes: model?.outcomes(candidates[0] ?? -1) ?? untried,
  };
  const leaders = findLeaders(query, candidates);
  const hits = leaders.slice(offset, offset + limit).map((server) => toHit(query, server));
  return { hits, hasMore: leaders.length > offset + limit, evidence };
}

const noMirrors: ReadonlySet<number> = new Set();

/** What the operator runs itself fits as well as its best mirror, and stands for all of them; answers the mirrors. */
function liftOwn({ ownMirrors, allowed }: RankRequest, { relevance }: ServerScores): ReadonlySet<number> {
  if (ownMirrors.size === 0) return noMirrors;
  const mirrors = new Set<number>();
  const passes = (server: number) => allowed === null || allowed[server] === 1;
  for (const [own, others] of ownMirrors) {
    if (!passes(own)) continue;
    for (const other of others.filter(passes)) {
      relevance[own] = Math.max(relevance[own]!, relevance[other]!);
      mirrors.add(other);
    }
  }
  return mirrors;
}

/** The hits of the pages before, of this one, and one that says whether there is another. */
function wantedLeaders({ offset, limit }: RankRequest): number {
  return offset + limit + 1;
}

/** How many servers get a final score at first; more only where one of them could still get onto the page. */
function firstCandidates(request: RankRequest): number {
  return Math.min(windowSize, 2 * wantedLeaders(request) + 20);
}

/**
 * The first hits by final score: exactly those of the whole window, looking only as far down as one could come from.
 * `candidates`: the best by relevance, some or all of the window.
 */
function findLeaders(query: RankedQuery, candidates: readonly number[]): number[] {
  const { request, index, scores } = query;
  const wanted = wantedLeaders(request);
  const lift = request.model === null ? 1 : maxOutcomeLift;
  while (true) {
    const leaders = withoutDuplicates(
      byFinalScore(
        query,
        candidates.filter((server) => !query.mirrors.has(server)),
      ),
      index.duplicates,
      wanted,
    );
    const last = leaders[wanted - 1];
    // Behind what cannot be called there may still come what can.
    const isSettled = last !== undefined && isCallable(request, last);
    const least = isSettled ? finalOf(query, last) : request.minScore;
    const ceiling = round4(semanticOf(query, candidates.at(-1) ?? 0) * lift);
    if (least > ceiling || candidates.length === windowSize) return leaders;
    const more = topK(scores.relevance, Math.min(4 * candidates.length, windowSize));
    if (more.length === candidates.length) return leaders;
    candidates = more;
  }
}

/** Servers by final score, best first, those below the least score left out; what cannot be called stands behind all others. */
function byFinalScore(query: RankedQuery, servers: readonly number[]): number[] {
  const { request } = query;
  const sorted = sortByScore(
    servers,
    servers.map((server) => finalOf(query, server)),
    request.minScore,
  );
  if (request.callabilities === null) return sorted;
  const callable = sorted.filter((server) => isCallable(request, server));
  return callable.length === sorted.length
    ? sorted
    : [...callable, ...sorted.filter((server) => !isCallable(request, server))];
}

function isCallable({ callabilities }: RankRequest, server: number): boolean {
  return callabilities === null || callabilities[server] !== callability.uncallable;
}

function behindBest({ boost, scores }: RankedQuery, server: number): number {
  return boost.bestRelevance - scores.relevance[server]!;
}

function semanticOf(query: RankedQuery, server: number): number {
  return round4(semanticScore(behindBest(query, server), query.logit, query.index.weights.calibration));
}

function outcomesOf({ request }: RankedQuery, server: number): OutcomeFactor {
  return request.model?.outcomes(server) ?? untried;
}

function explorationOf(query: RankedQuery, server: number, outcomes: OutcomeFactor): number {
  return explorationBonus(query.bestOutcomes, outcomes, behindBest(query, server));
}

function popularityOf({ request }: RankedQuery, server: number): number {
  return round4(request.popularity[server] ?? 0);
}

function finalOf(query: RankedQuery, server: number): number {
  const { index, request } = query;
  const outcomes = outcomesOf(query, server);
  const byText = finalScore(semanticOf(query, server), popularityOf(query, server), index.weights.popularity);
  const liveness = request.liveness[server] ?? 1;
  const exploration = explorationOf(query, server, outcomes);
  return round4(Math.min(1, byText * liveness * outcomes.factor * exploration));
}

function toHit(query: RankedQuery, server: number): SearchHit {
  const { index, request, scores } = query;
  const { documents, relevance, weights } = index;
  const semantic = semanticOf(query, server);
  return {
    serverId: index.ids[server]!,
    semantic,
    popularity: popularityOf(query, server),
    finalScore: finalOf(query, server),
    match: semantic >= weights.strong ? 'strong' : 'weak',
    alsoAvailableFrom: duplicatesOf(query, server),
    explanation: request.explain ? explain(query, server) : null,
    documents,
    server: index.docBase[server]!,
    tools: bestTools(relevance, scores, { server, limit: request.toolLimit }),
  };
}

const none: readonly string[] = [];

/** The servers with the same tools, best first. */
function duplicatesOf(query: RankedQuery, server: number): readonly string[] {
  const { duplicates, ids } = query.index;
  const group = duplicates.groupOf[server]!;
  const mirrors = query.request.ownMirrors.get(server) ?? [];
  if (group === 0 && mirrors.length === 0) return none;
  const { relevance } = query.scores;
  const others = [...new Set([...duplicates.groups[group]!, ...mirrors])].filter(
    (other) => other !== server && relevance[other]! > 0,
  );
  return byFinalScore(query, others)
    .slice(0, maxDuplicates)
    .map((other) => ids[other]!);
}

function explain(query: RankedQuery, server: number): HitExplanation {
  const { scores, evidence, index, request, boost } = query;
  const outcomes = outcomesOf(query, server);
  return explainHit({
    query: request.parts[0] ?? '',
    relevance: scores.relevance[server]!,
    lexical: scores.lexical[server]! / (scores.totalIdf || 1),
    cosine: scores.cosine[server]!,
    evidence,
    popularityFactor: 1 - index.weights.popularity * (1 - popularityOf(query, server)),
    livenessFactor: request.liveness[server] ?? 1,
    usage: boost.usage.get(server) ?? null,
    outcomes: { ...outcomes, explorationBonus: explorationOf(query, server, outcomes) },
  });
}
