/** The same queries by somebody whose toolset has 200 rules, beside somebody who has none, turn about. */
import { noBindings, type Rule, type Subject, type View } from '../src/policy/policy.ts';
import { compileState } from '../src/policy/policy-state.ts';
import { noMarks } from '../src/policy/tool-marks.ts';
import { createVisibility } from '../src/policy/visible-tools.ts';
import type { Search } from '../src/search/search.ts';
import { percentile, printTable } from './support.ts';

const subject: Subject = { keyId: 'key_rules', developer: 'rules' };

/** Of every kind; what some of them deny leaves a part of many servers. */
export function twoHundredRules(): readonly Rule[] {
  const verbs = ['delete', 'remove', 'drop', 'purge', 'destroy', 'wipe', 'erase', 'revoke'];
  const effects = ['deny', 'ask', 'allow'] as const;
  return Array.from({ length: 200 }, (_, i): Rule => {
    const effect = effects[i % 3] ?? 'allow';
    if (i % 5 === 0) return { effect: 'deny', tool: `*${verbs[(i / 5) % verbs.length]}*` };
    if (i % 5 === 1) return { effect, server: `*${i}*`, tool: 'get*' };
    if (i % 5 === 2) return { effect: 'allow', server: `@*/${'abcdefghij'[i % 10]}*` };
    if (i % 5 === 3) return { effect, tags: [`tag ${i}`, 'official'] };
    return { effect: 'ask', categories: [`Category ${i}`], readOnly: false };
  });
}

function viewOfRules(): View {
  const toolset = {
    name: 'rules',
    title: null,
    rules: twoHundredRules(),
    fallback: 'allow',
    budget: null,
    overrides: [],
    version: 1,
  } as const;
  const state = compileState(
    {
      rights: new Map(),
      toolsets: new Map([[toolset.name, toolset]]),
      bindings: new Map([[toolset.name, { ...noBindings, keys: [subject.keyId] }]]),
      confirmed: new Map(),
    },
    { operatorServers: new Set(), marks: noMarks, version: 1 },
  );
  return { key: 'rules', toolsOf: createVisibility(state, subject) };
}

/** A row of the table: how long the mask took, and how fast queries are beside those without one. */
export async function besideRules(search: Search, queries: readonly string[]): Promise<string[]> {
  const caller = { keyId: 'key_bench', developerId: 'dev_bench' };
  const ask = async (query: string, view: View | null) => {
    const options = { limit: 10, toolLimit: 10, filters: {}, explain: false, minScore: 0 };
    const began = performance.now();
    const { page } = await search.find({ caller, query, view, ...options });
    return { ms: performance.now() - began, total: page.total };
  };
  const view = viewOfRules();
  const first = await ask('anything at all', view);
  const times = { plain: [] as number[], ruled: [] as number[] };
  for (const [i, query] of queries.entries())
    for (const side of i % 2 === 0 ? (['plain', 'ruled'] as const) : (['ruled', 'plain'] as const))
      times[side].push((await ask(`${query} once more`, side === 'plain' ? null : view)).ms);
  const { servers, tools } = search.stats();
  const sum = (values: readonly number[]) => values.reduce((all, one) => all + one, 0);
  const ratio = (of: (values: readonly number[]) => number) => (of(times.plain) / of(times.ruled)).toFixed(2);
  return [
    ...[servers, tools, first.total].map(String),
    first.ms.toFixed(0),
    ratio(sum),
    ...[0.5, 0.99].flatMap((share) => [
      percentile(times.ruled, share).toFixed(2),
      ratio((values) => percentile(values, share)),
    ]),
  ];
}

export function printRules(rows: readonly (readonly string[])[]): void {
  console.log('\nA caller whose toolset has 200 rules, beside one without; speed in ratios (bar: ≥ 0.95)');
  const header = ['servers', 'tools', 'seen', 'first query ms', 'all', 'p50 ms', 'p50', 'p99 ms', 'p99'];
  printTable(header, rows);
}
