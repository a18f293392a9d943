/**
 * What is kept of the log (implicit feedback): per server and developer the successful queries and the latest outcomes.
 * Taking an outcome is idempotent and the order does not matter, so a replay of the log, in any order and with any overlap, ends in
 * the same state as having listened all along.
 */
import { callersFaults } from '../../catalog/catalog.ts';
import { queryStems } from '../text/text.ts';
import type { Outcome } from './learning-model.ts';

/** One query after which one developer's call of one server succeeded. */
export type Success = {
  readonly id: string;
  readonly at: number;
  readonly tool: string;
  /** Without repetition, in the order of the query. */
  readonly stems: readonly string[];
  /** A unit vector in steps of 1/127. */
  readonly vector: Int8Array;
  /** More than 1 when the server stood too low to be tried often. */
  readonly weight: number;
};

type RecentOutcome = { readonly id: string; readonly at: number; readonly good: boolean };

/** What one developer's outcomes say of one server. */
export type Feedback = {
  readonly successes: ReadonlyMap<string, Success>;
  /** Oldest first. */
  readonly recent: readonly RecentOutcome[];
};

type OpenFeedback = { readonly successes: Map<string, Success>; readonly recent: RecentOutcome[] };

/** Latest queries of one developer that are kept for one server: after fifty, more teach little (docs/search.md). */
const maxSuccesses = 64;
/** Latest outcomes of one developer that count for one server: a break shows within a few, and a flood is eight. */
const maxRecent = 8;
/** A query is at most 1,000 characters; what comes after this many words is seldom what it is about. */
const maxStems = 40;
/**
 * Position bias: a server shown at rank r is tried about 1/(1 + ln r) as often as at rank 1, so a success from there
 * says more. Clipped: the estimate is rough, and no rank is worth more than two successes.
 */
const maxWeight = 2;

export type FeedbackStore = {
  /** `vector` is of `outcome.query`. Returns whether anything changed. */
  add(outcome: Outcome, vector: Float32Array | null): boolean;
  /** By developer. */
  ofServer(serverId: string): ReadonlyMap<string, Feedback>;
  servers(): Iterable<string>;
  serversOf(developerId: string): ReadonlySet<string>;
};

export function createFeedbackStore(): FeedbackStore {
  const servers = new Map<string, Map<string, OpenFeedback>>();
  const byDeveloper = new Map<string, Set<string>>();

  const open = ({ serverId, developerId }: Outcome): OpenFeedback => {
    const developers = servers.get(serverId) ?? new Map<string, OpenFeedback>();
    servers.set(serverId, developers);
    const known = developers.get(developerId);
    if (known !== undefined) return known;
    const feedback: OpenFeedback = { successes: new Map(), recent: [] };
    developers.set(developerId, feedback);
    byDeveloper.set(developerId, (byDeveloper.get(developerId) ?? new Set()).add(serverId));
    return feedback;
  };

  return {
    add(outcome, vector) {
      const { success, errorType } = outcome;
      if (!success && callersFaults.some((fault) => fault === errorType)) return false;
      const { successes, recent } = open(outcome);
      const isRecent = addRecent(recent, outcome);
      const isSuccess = success && vector !== null && addSuccess(successes, outcome, vector);
      return isRecent || isSuccess;
    },
    ofServer: (serverId) => servers.get(serverId) ?? new Map(),
    servers: () => servers.keys(),
    serversOf: (developerId) => byDeveloper.get(developerId) ?? new Set(),
  };
}

/** Into its place among the latest; as often as it happened. */
function addRecent(recent: RecentOutcome[], outcome: Outcome): boolean {
  const { id, at, success: good, calls = 1 } = outcome;
  const before = recent.findLastIndex((other) => byTime(other, outcome) <= 0);
  if (recent[before]?.id === id || (recent.length >= maxRecent && before < 0)) return false;
  const times = Math.min(calls, maxRecent);
  recent.splice(before + 1, 0, ...Array.from({ length: times }, () => ({ id, at, good })));
  recent.splice(0, recent.length - maxRecent);
  return true;
}

/** Once a developer and query, whatever the wording's order and case: the latest time counts. */
function addSuccess(successes: Map<string, Success>, outcome: Outcome, vector: Float32Array): boolean {
  const stems = [...new Set(queryStems(outcome.query ?? ''))].slice(0, maxStems);
  if (stems.length === 0) return false;
  const key = stems.toSorted().join(' ');
  const { id, at, toolName: tool, rank } = outcome;
  const weight = Math.min(maxWeight, rank === null ? 1 : 1 + Math.log(rank));
  const success = { id, at, tool, stems, vector: quantised(vector), weight };
  const known = successes.get(key);
  if (known !== undefined && byTime(known, success) >= 0) return false;
  successes.set(key, success);
  if (successes.size <= maxSuccesses) return true;
  const [oldestKey, oldest] = [...successes].reduce((a, b) => (byTime(a[1], b[1]) <= 0 ? a : b));
  successes.delete(oldestKey);
  return oldest !== success;
}

function quantised(vector: Float32Array): Int8Array {
  return Int8Array.from(vector, (x) => Math.round(x * 127));
}

/** Earlier first; at one time, by id. */
export function byTime(a: { at: number; id: string }, b: { at: number; id: string }): number {
  return a.at - b.at || (a.id < b.id ? -1 : Number(a.id > b.id));
}
