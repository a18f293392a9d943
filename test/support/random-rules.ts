/** Rules, toolsets, servers and tools that often fit each other. */
import fc from 'fast-check';
import type { JudgedTool, Rule, ServerFacts, Toolset } from '../../src/policy/policy-model.ts';

const word = fc.constantFrom('a', 'b', 'ab', 'abc');
const pattern = fc.constantFrom('*', 'a', 'a*', '*b', 'a*c', 'x');
const optional = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined });
const flag = optional(fc.boolean());
export const randomRule = fc.record({
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
export const randomToolset = fc.record({
  name: word,
  title: fc.constant(null),
  rules: fc.array(randomRule, { maxLength: 5 }),
  fallback: fc.constantFrom('allow' as const, 'deny' as const),
  budget: fc.constant(null),
  overrides: fc.constant([]),
  version: fc.constant(1),
}) as fc.Arbitrary<Toolset>;
export const randomServer = fc.record({
  id: word,
  category: fc.option(word),
  tags: fc.array(word, { maxLength: 2 }),
  trusted: fc.boolean(),
}) as fc.Arbitrary<ServerFacts>;
export const randomTool: fc.Arbitrary<JudgedTool> = fc.record({
  name: word,
  readOnly: fc.boolean(),
  destructive: fc.boolean(),
  openWorld: fc.boolean(),
  changed: fc.boolean(),
  suspicious: fc.boolean(),
});
