/**
 * Search quality: `npm run eval [-- folder] [--json] [--check] [--curves FILE.svg] [--embeddings SPEC]`. nDCG@10 of the built-in engine
 * beside plain BM25 and beside itself without each part, over the same sets in the same run; how honest its scores
 * are; what logged successes add. `--check` exits 1 when a bar is missed.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createEvaluation, type Evaluation } from '../eval/evaluation.ts';
import {
  evalFolder,
  meanBar,
  ndcg10,
  type QuerySet,
  querySets,
  readCatalog,
  readQueries,
  setsIn,
} from '../eval/query-sets.ts';
import { collectSamples } from '../eval/samples.ts';
import { Secret } from '../src/base/secret.ts';
import { createOutbound } from '../src/outbound/outbound.ts';
import { parseEmbeddingProvider } from '../src/search/embedding/embedding-provider.ts';
import { writeCurves } from './eval-curves.ts';
import { type Honesty, isHonest, judgeHonesty, printHonesty } from './eval-honesty.ts';
import { measureLanguages, missedLanguages, printLanguages } from './eval-languages.ts';
import { type LearningRow, measureLearning, missed, printLearning } from './eval-learning.ts';
import { plainBm25 } from './eval-plain.ts';
import { measureSpelling, missedSpelling, printSpelling } from './eval-spelling.ts';
import { measureTools, missedTools, printTools, type ToolRow } from './eval-tools.ts';

type Row = {
  set: string;
  level: string;
  queries: number;
  plain: number;
  words: number;
  vectors: number;
  /** Tools without the server taken as a whole; long queries without their sentences. */
  toolsOnly: number;
  oneSentence: number;
  full: number;
  popular: number;
  bar: number;
};

async function measureSet(evaluation: Evaluation, set: QuerySet): Promise<Row> {
  const index = await evaluation.indexOf(set);
  const queries = readQueries(evaluation.folder, set);
  const mean = (rank: (query: string) => readonly string[]) =>
    (100 * queries.reduce((sum, q) => sum + ndcg10(rank(q.query), q), 0)) / queries.length;
  const engine = (weights: { dense?: number; whole?: number; sentence?: number }, popular = false) => {
    const ask = evaluation.ask(index, weights);
    return mean((query) => ask(query, { popular }).hits.map(({ serverId }) => serverId));
  };
  const plain = plainBm25(readCatalog(join(evaluation.folder, set.catalog, 'catalogue.jsonl')));
  return {
    set: set.name,
    level: set.level,
    queries: queries.length,
    plain: mean(plain),
    words: engine({ dense: 0 }),
    vectors: engine({ dense: 1 }),
    toolsOnly: engine({ whole: 0 }),
    oneSentence: engine({ sentence: 0 }),
    full: engine({}),
    popular: engine({}, true),
    bar: set.bar,
  };
}

function meanOf(rows: readonly Row[]): Row {
  const of = (pick: (row: Row) => number) => rows.reduce((sum, row) => sum + pick(row), 0) / rows.length;
  return {
    set: 'mean',
    level: '',
    queries: rows.reduce((sum, { queries }) => sum + queries, 0),
    plain: of((r) => r.plain),
    words: of((r) => r.words),
    vectors: of((r) => r.vectors),
    toolsOnly: of((r) => r.toolsOnly),
    oneSentence: of((r) => r.oneSentence),
    full: of((r) => r.full),
    popular: of((r) => r.popular),
    bar: meanBar,
  };
}

function print(rows: readonly Row[], report: Honesty | null, learning: readonly LearningRow[]): void {
  const cell = (x: number) => x.toFixed(1).padStart(8);
  console.log(
    `nDCG@10 × 100, ${new Date().toISOString().slice(0, 10)}, node ${process.version}, node bench/eval.ts`,
  );
  console.log(
    `${'set'.padEnd(22)} level  queries   plain   words vectors -server -senten    full popular     bar`,
  );
  for (const r of rows) {
    const numbers = [r.plain, r.words, r.vectors, r.toolsOnly, r.oneSentence, r.full, r.popular, r.bar]
      .map(cell)
      .join('');
    console.log(
      `${r.set.padEnd(22)} ${r.level.padEnd(7)}${String(r.queries).padStart(7)}${numbers}${r.full < r.bar ? ' MISSED' : ''}`,
    );
  }
  console.log(
    'plain: one flat field. words, vectors: each half alone. -server: tools without their server as a whole. ' +
      '-senten: long queries not asked by sentence. popular: with use counts, where a set has them.',
  );
  if (report !== null) printHonesty(report);
  printLearning(learning);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    curves: { type: 'string' },
    embeddings: { type: 'string', default: 'builtin' },
  },
});
let tokens = 0;
const connect = parseEmbeddingProvider(values.embeddings, {
  apiKey:
    process.env.MCPRANK_EMBEDDINGS_KEY === undefined ? null : new Secret(process.env.MCPRANK_EMBEDDINGS_KEY),
  post: createOutbound({ allowUpstreams: ['127.0.0.1', 'localhost'] }).request,
  onTokens: (count) => {
    tokens += count;
  },
});
const provider = connect === null ? null : await connect();
if (provider !== null) console.log(`vectors by ${provider.id}`);
const evaluation = createEvaluation(evalFolder(positionals[0]), provider);
const sets = setsIn(evaluation.folder);
const rows: Row[] = [];
const learning: LearningRow[] = [];
for (const set of sets) rows.push(await measureSet(evaluation, set));
for (const set of sets) learning.push(...(await measureLearning(evaluation, set)));
const ours = sets.length === querySets.length;
rows.push({ ...meanOf(rows), bar: ours ? meanBar : 0 });
// The calibration's samples are drawn from our own sets, all of them.
const tools: ToolRow[] = [];
for (const set of sets) tools.push(...[(await measureTools(evaluation, set)) ?? []].flat());
// A provider has embedded the queries as they are.
const spelling = provider === null ? await measureSpelling(evaluation, sets, ours) : [];
const languages = provider === null ? await measureLanguages(evaluation) : [];
const report = ours ? judgeHonesty(await collectSamples(evaluation)) : null;
if (values.json)
  console.log(JSON.stringify({ rows, honesty: report, learning, spelling, languages, tools }, null, 2));
else {
  print(rows, report, learning);
  printSpelling(spelling);
  printLanguages(languages);
  printTools(tools);
}
if (tokens > 0) console.log(`${tokens} tokens were embedded`);
if (values.curves !== undefined) writeCurves(values.curves, learning);
const honest = report === null || isHonest(report);
const misses = [
  rows.some(({ full, bar }) => full < bar),
  learning.some(missed),
  spelling.some(missedSpelling),
  languages.some(missedLanguages),
  tools.some(missedTools),
  !honest,
];
if (values.check && misses.includes(true)) process.exitCode = 1;
