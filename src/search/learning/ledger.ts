/**
 * What is kept of the log: per server and developer the successful queries and the latest outcomes. Taking an outcome
 * is idempotent and the order does not matter, so a replay of the log, in any order and with any overlap, ends in the
 * same state as having listened all along.
 */
import { queryStems } from '../index/text.ts';
import type { Outcome } from './model.ts';

/** One query after which one developer's call of one server succeeded. */
export type Win = {
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

type Trial = { readonly id: string; readonly at: number; readonly good: boolean };

/** What one developer's outcomes say of one server. */
export type Held = { readonly wins: ReadonlyMap<string, Win>; readonly trials: readonly Trial[] };

type Filling = { readonly wins: Map<string, Win>; readonly trials: Trial[] };

/** Latest queries of one developer that are kept for one server: after fifty, more teach little (docs/search.md). */
const winsKept = 64;
/** Latest outcomes of one developer that count for one server: a break shows within a few, and a flood is eight. */
const trialsKept = 8;
/** A query is at most 1,000 characters; what comes after this many words is seldom what it is about. */
const stemsKept = 40;
/**
 * A server shown at rank r is tried about 1/(1 + ln r) as often as at rank 1, so a success from there says more.
 * Clipped: the estimate is rough, and no rank is worth more than two successes.
 */
const mostWeight = 2;
/** What the caller did wrong says nothing of the server. */
const callersFaults = new Set(['auth', 'rate_limit', 'invalid_arguments']);

export type Ledger = {
  /** `vector` is of `outcome.query`. Returns whether anything changed. */
  take(outcome: Outcome, vector: Float32Array | null): boolean;
  of(serverId: string): ReadonlyMap<string, Held>;
  servers(): Iterable<string>;
  serversOf(developerId: string): ReadonlySet<string>;
};

export function createLedger(): Ledger {
  const servers = new Map<string, Map<string, Filling>>();
  const byDeveloper = new Map<string, Set<string>>();
  const nothing = new Map<string, Held>();
  const nowhere = new Set<string>();

  const held = ({ serverId, developerId }: Outcome) => {
    const developers = servers.get(serverId) ?? new Map<string, Filling>();
    servers.set(serverId, developers);
    let own = developers.get(developerId);
    if (own === undefined) {
      own = { wins: new Map(), trials: [] };
      developers.set(developerId, own);
      const known = byDeveloper.get(developerId) ?? new Set();
      byDeveloper.set(developerId, known.add(serverId));
    }
    return own;
  };

  return {
    take(outcome, vector) {
      const { success, errorType } = outcome;
      if (!success && errorType !== null && callersFaults.has(errorType)) return false;
      const own = held(outcome);
      const tried = addTrial(own.trials, outcome);
      const won = success && vector !== null && addWin(own.wins, outcome, vector);
      return tried || won;
    },
    of: (serverId) => servers.get(serverId) ?? nothing,
    servers: () => servers.keys(),
    serversOf: (developerId) => byDeveloper.get(developerId) ?? nowhere,
  };
}

/** Into its place among the latest, oldest first; as often as it happened. */
function addTrial(trials: Trial[], outcome: Outcome): boolean {
  const { id, at, success: good, calls = 1 } = outcome;
  const after = trials.findLastIndex((trial) => byTime(trial, outcome) <= 0);
  if (trials[after]?.id === id || (trials.length >= trialsKept && after < 0)) return false;
  const times = Math.min(calls, trialsKept);
  trials.splice(after + 1, 0, ...Array.from({ length: times }, () => ({ id, at, good })));
  trials.splice(0, trials.length - trialsKept);
  return true;
}

/** Once a developer and query, whatever the wording's order and case: the latest time counts. */
function addWin(wins: Map<string, Win>, outcome: Outcome, vector: Float32Array): boolean {
  const stems = [...new Set(queryStems(outcome.query ?? ''))].slice(0, stemsKept);
  if (stems.length === 0) return false;
  const key = stems.toSorted().join(' ');
  const { id, at, toolName: tool, rank } = outcome;
  const weight = Math.min(mostWeight, rank === null ? 1 : 1 + Math.log(rank));
  const win = { id, at, tool, stems, vector: inSteps(vector), weight };
  const before = wins.get(key);
  if (before !== undefined && byTime(before, win) >= 0) return false;
  wins.set(key, win);
  if (wins.size <= winsKept) return true;
  const [oldest] = [...wins].sort(([, a], [, b]) => byTime(a, b));
  wins.delete(oldest![0]);
  return oldest![1] !== win;
}

function inSteps(vector: Float32Array): Int8Array {
  const out = new Int8Array(vector.length);
  for (let i = 0; i < out.length; i++) out[i] = Math.round(vector[i]! * 127);
  return out;
}

/** Earlier first; at one time, by id. */
export function byTime(a: { at: number; id: string }, b: { at: number; id: string }): number {
  return a.at - b.at || (a.id < b.id ? -1 : Number(a.id > b.id));
}
