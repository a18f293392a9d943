import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { runsOf } from '../../../test/support/full-run.ts';
import type { JudgedTool, Rule, ServerFacts, Toolset } from '../policy-model.ts';
import { decide } from './decision.ts';
import { matchesGlob } from './glob.ts';

const word = fc.constantFrom('a', 'b', 'ab', 'abc');
const pattern = fc.constantFrom('*', 'a', 'a*', '*b', 'a*c', 'x');
const optional = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined });
const flag = optional(fc.boolean());
const rule = fc.record({
  effect: fc.constantFrom('allow' as const, 'deny' as const, 'ask' as const),
  server: optional(pattern),
  tool: optional(pattern),
  tags: optional(fc.array(word, { minLength: 1, maxLength: 2 })),
  categories: optional(fc.array(word, { minLength: 1, maxLength: 2 })),
  readOnly: flag,
  destructive: flag,
  openWorld: flag,
  changed: flag,
  suspicious: flag,
}) as fc.Arbitrary<Rule>;
const toolset = fc.record({
  name: word,
  title: fc.constant(null),
  rules: fc.array(rule, { maxLength: 5 }),
  fallback: fc.constantFrom('allow' as const, 'deny' as const),
  budget: fc.constant(null),
  overrides: fc.constant([]),
  version: fc.constant(1),
}) as fc.Arbitrary<Toolset>;
const server = fc.record({
  id: word,
  category: fc.option(word),
  tags: fc.array(word, { maxLength: 2 }),
  trusted: fc.boolean(),
}) as fc.Arbitrary<ServerFacts>;
const judgements = ['readOnly', 'destructive', 'openWorld', 'changed', 'suspicious'] as const;
const tool: fc.Arbitrary<JudgedTool> = fc.record({
  name: word,
  readOnly: fc.boolean(),
  destructive: fc.boolean(),
  openWorld: fc.boolean(),
  changed: fc.boolean(),
  suspicious: fc.boolean(),
});

const glob = (text: string, by: string | undefined) =>
  by === undefined || new RegExp(`^${by.replaceAll('*', '.*')}$`).test(text);

/** The same, as the page on rights says it. */
function reference(
  toolsets: readonly Toolset[],
  { id, category, tags }: ServerFacts,
  tool: JudgedTool | null,
) {
  const fitting = toolsets
    .flatMap(({ rules }) => rules)
    .filter((each) => glob(id, each.server))
    .filter((each) => each.tags === undefined || each.tags.some((tag) => tags.includes(tag)))
    .filter((each) => each.categories === undefined || each.categories.includes(category ?? 'none at all'))
    .filter((each) => (tool === null ? each.tool === undefined : glob(tool.name, each.tool)))
    .filter((each) => judgements.every((name) => each[name] === undefined || each[name] === tool?.[name]))
    .map(({ effect }) => effect);
  for (const effect of ['deny', 'ask', 'allow']) if (fitting.includes(effect as never)) return effect;
  return toolsets.some(({ fallback }) => fallback === 'deny') ? 'deny' : 'allow';
}

test('any deny wins over any ask and that over any allow, in whatever order they stand', () => {
  fc.assert(
    fc.property(fc.array(toolset, { maxLength: 3 }), server, fc.option(tool), (toolsets, facts, asked) => {
      const expected = reference(toolsets, facts, asked);
      assert.equal(decide(toolsets, facts, asked, null).effect, expected);
      assert.equal(decide(toolsets.toReversed(), facts, asked, null).effect, expected);
    }),
    { numRuns: runsOf(10_000) },
  );
});

test('a pattern is what a regular expression would make of it, and takes no longer the more stars it has', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 12 });
  const stars = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.'), maxLength: 8 });
  fc.assert(
    fc.property(stars, text, (by, said) => {
      const literal = by.replaceAll('.', '\\.').replaceAll('*', '.*');
      assert.equal(matchesGlob(by, said), new RegExp(`^${literal}$`).test(said));
    }),
    { numRuns: runsOf(5_000) },
  );
  assert.equal(matchesGlob(`${'a*'.repeat(1_000)}b`, 'a'.repeat(20_000)), false);
});
