import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { runsOf } from '../../../test/support/full-run.ts';
import { randomServer, randomTool, randomToolset } from '../../../test/support/random-rules.ts';
import type { JudgedTool, ServerFacts, Toolset } from '../policy-model.ts';
import { decide } from './decision.ts';
import { compileGlob, matchesGlob } from './glob.ts';

const judgements = ['readOnly', 'destructive', 'openWorld', 'changed', 'suspicious'] as const;
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
  const several = fc.array(randomToolset, { maxLength: 3 });
  fc.assert(
    fc.property(several, randomServer, fc.option(randomTool), (toolsets, facts, asked) => {
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
      const expected = new RegExp(`^${literal}$`).test(said);
      assert.equal(matchesGlob(by, said), expected);
      assert.equal(compileGlob(by)(said), expected);
    }),
    { numRuns: runsOf(5_000) },
  );
  assert.equal(matchesGlob(`${'a*'.repeat(1_000)}b`, 'a'.repeat(20_000)), false);
});
