/** How honest the calibrated score is: whether it tells queries with an answer from those without, and says how often it is right. */
import { auc, isClear, type Kind, type Sample, weightOf } from '../eval/samples.ts';

/** Of queries whose right server is the first hit; against foreign sentences alone more is promised. */
const aucBar = 0.9;
const foreignBar = 0.95;
/** Published for all answerable queries of these sets: no score of a first hit does better where that hit is wrong. */
const ceiling = 0.837;

type Separation = { readonly removed: number; readonly foreign: number; readonly both: number };
export type Honesty = {
  /** Queries whose right server is the first hit, against the unanswerable ones: what the score claims to tell. */
  readonly answered: Separation;
  /** All queries that have a right server, also those where the ranking did not put it first. */
  readonly answerable: Separation;
  /**
   * The last one's AUC if the score knew of every first hit whether it is right: where it is not, there is nothing to
   * tell it from the first hit of a query without an answer.
   */
  readonly knowing: number;
  readonly curve: readonly { from: number; hits: number; said: number; right: number }[];
  /** The threshold of `strong` that best tells the two apart. */
  readonly strong: number;
};

export function isHonest({ answered }: Honesty): boolean {
  return answered.both >= aucBar && answered.foreign >= foreignBar;
}

export function judgeHonesty(samples: readonly Sample[]): Honesty {
  const top = (of: readonly Sample[]) => of.map(({ hits }) => hits[0]?.semantic ?? 0);
  const ofKind = (kind: Kind) => samples.filter((s) => s.kind === kind);
  const [removed, foreign] = [top(ofKind('removed')), top(ofKind('foreign'))];
  const against = (positives: readonly number[]): Separation => {
    const [fromRemoved, fromForeign] = [auc(positives, removed), auc(positives, foreign)];
    return { removed: fromRemoved, foreign: fromForeign, both: (fromRemoved + fromForeign) / 2 };
  };
  const answered = top(ofKind('answerable').filter(isClear));
  const youden = (t: number) =>
    answered.filter((x) => x >= t).length / answered.length -
    [...removed, ...foreign].filter((x) => x >= t).length / (removed.length + foreign.length);
  const thresholds = Array.from({ length: 99 }, (_, i) => (i + 1) / 100);
  return {
    answered: against(answered),
    answerable: against(top(ofKind('answerable'))),
    knowing: (1 + answered.length / ofKind('answerable').length) / 2,
    curve: reliability(samples),
    strong: thresholds.reduce((a, b) => (youden(b) > youden(a) ? b : a)),
  };
}

/** What hits of about one score said, and how many of them were right. */
function reliability(samples: readonly Sample[]): Honesty['curve'] {
  const hits = samples.flatMap((s) => s.hits.map((hit) => ({ ...hit, weight: weightOf(s) })));
  return Array.from({ length: 10 }, (_, i) => {
    const within = hits.filter(({ semantic }) => Math.min(9, Math.floor(semantic * 10)) === i);
    const weight = within.reduce((sum, hit) => sum + hit.weight, 0);
    const share = (pick: (hit: (typeof within)[number]) => number) =>
      within.reduce((sum, hit) => sum + hit.weight * pick(hit), 0) / weight;
    return {
      from: i / 10,
      hits: within.length,
      said: share((h) => h.semantic),
      right: share((h) => Number(h.right)),
    };
  });
}

export function printHonesty(honesty: Honesty): void {
  const { answered, answerable, knowing, curve, strong } = honesty;
  const row = (what: string, { both, removed, foreign }: Separation) =>
    `${what.padEnd(46)} AUC ${both.toFixed(3)} (right servers taken out ${removed.toFixed(3)}, foreign sentences ${foreign.toFixed(3)})`;
  console.log('\nFirst hits of queries with an answer against those of queries without one:');
  const verdict = isHonest(honesty) ? '' : ' MISSED';
  console.log(
    `${row('where the right server is the first hit', answered)}, bar ${aucBar}, foreign ${foreignBar}${verdict}`,
  );
  console.log(
    `${row('all, also where the ranking put another first', answerable)}, published ceiling ${ceiling}`,
  );
  console.log(`a score that knew which first hits are right would have ${knowing.toFixed(3)} there`);
  console.log(`best threshold of strong ${strong}`);
  console.log('semantic    hits    said   right');
  for (const { from, hits, said, right } of curve) {
    console.log(
      `from ${from.toFixed(1)}${String(hits).padStart(8)}${said.toFixed(2).padStart(8)}${right.toFixed(2).padStart(8)}`,
    );
  }
}
