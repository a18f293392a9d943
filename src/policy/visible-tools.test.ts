import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { runsOf } from '../../test/support/full-run.ts';
import { randomRule, randomServer, randomTool, randomToolset } from '../../test/support/random-rules.ts';
import { noBindings, type Rule, type Subject } from './policy.ts';
import { compileState, decideFor } from './policy-state.ts';
import { createVisibility } from './visible-tools.ts';

/** Some of them look at arguments, which nobody knows before a call. */
const rule = fc
  .tuple(randomRule, fc.boolean())
  .map(([one, looks]): Rule => (looks ? { ...one, arguments: [{ path: 'to', equals: 'all' }] } : one));
const toolset = fc
  .tuple(randomToolset, fc.array(rule, { maxLength: 5 }))
  .map(([one, rules]) => ({ ...one, rules }));
const marked = fc.array(fc.tuple(randomServer, randomTool), { maxLength: 4 }).map((pairs) => {
  const sets = new Map<string, Set<string>>();
  for (const [{ id }, { name }] of pairs) sets.set(id, (sets.get(id) ?? new Set()).add(name));
  return sets;
});

test('what is shown is exactly what some call could be allowed to do', () => {
  const subject: Subject = { keyId: 'key', developer: 'dev' };
  fc.assert(
    fc.property(
      fc.array(toolset, { maxLength: 2 }),
      fc.option(toolset, { nil: undefined }),
      fc.record({ confirmed: marked, changed: marked, suspicious: marked }),
      randomServer,
      fc.array(randomTool, { minLength: 1, maxLength: 5 }),
      (own, door, marks, server, tools) => {
        const named = [...own, ...(door === undefined ? [] : [door])].map((each, i) => ({
          ...each,
          name: `toolset ${i}`,
        }));
        const state = compileState(
          {
            rights: new Map(),
            toolsets: new Map(named.map((each) => [each.name, each])),
            bindings: new Map(
              named.slice(0, own.length).map(({ name }) => [name, { ...noBindings, keys: ['key'] }]),
            ),
            confirmed: new Map(),
          },
          { operatorServers: new Set(), marks, version: 1 },
        );
        const asker = { ...subject, toolset: door === undefined ? undefined : named.at(-1)?.name };
        const seen = createVisibility(state, asker)(server);
        for (const tool of [null, ...tools.map(({ name, ...hints }) => ({ name, hints }))]) {
          const expected = decideFor(state, asker, { server, tool }).effect !== 'deny';
          assert.equal(typeof seen === 'function' ? seen(tool) : seen === 'all', expected);
        }
      },
    ),
    { numRuns: runsOf(5_000) },
  );
});
