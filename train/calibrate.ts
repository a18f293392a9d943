/**
 * Fits the constants of `src/search/ranking/score.ts` on the labelled query sets and prints them:
 * `node train/calibrate.ts [folder]`. First what tells queries with an answer from queries without one, then the
 * chance that a hit is right, given that and the hit's own relevance.
 */
import { createEvaluation } from '../eval/evaluation.ts';
import { evalFolder } from '../eval/query-sets.ts';
import { auc, collectSamples, isClear, type Sample, weightOf } from '../eval/samples.ts';
import type { Evidence } from '../src/search/ranking/score.ts';
import { fitLogistic } from './logistic.ts';

const samples = await collectSamples(createEvaluation(evalFolder(process.argv[2])));
const names = Object.keys(samples[0]?.evidence ?? {}) as (keyof Evidence)[];
const featuresOf = ({ evidence }: Sample) => [1, ...names.map((name) => evidence[name])];

// A query whose answer was there and not found teaches nothing about either side.
const honest = fitLogistic(
  samples.filter(isClear).map((s) => ({ x: featuresOf(s), y: s.kind === 'answerable', weight: weightOf(s) })),
);
const scoreOf = (s: Sample) => featuresOf(s).reduce((sum, x, i) => sum + x * (honest[i] ?? 0), 0);
const ofKind = (kind: Sample['kind']) => samples.filter((s) => s.kind === kind).map(scoreOf);
const answered = samples.filter((s) => s.kind === 'answerable' && isClear(s)).map(scoreOf);
console.log('AUC answered/removed', auc(answered, ofKind('removed')).toFixed(3));
console.log('AUC answered/foreign', auc(answered, ofKind('foreign')).toFixed(3));
console.log('AUC answerable/removed', auc(ofKind('answerable'), ofKind('removed')).toFixed(3));
console.log('AUC answerable/foreign', auc(ofKind('answerable'), ofKind('foreign')).toFixed(3));

const [bias = 0, byEvidence = 0, byBehind = 0] = fitLogistic(
  samples.flatMap((s) =>
    s.hits.map((hit) => ({
      x: [1, scoreOf(s), s.evidence.agreement - hit.relevance],
      y: hit.right,
      weight: weightOf(s),
    })),
  ),
);
const round = (x: number) => Math.round(x * 1000) / 1000;
console.log({
  bias: round(bias + byEvidence * (honest[0] ?? 0)),
  behind: round(-byBehind),
  evidence: Object.fromEntries(names.map((name, i) => [name, round(byEvidence * (honest[i + 1] ?? 0))])),
});
