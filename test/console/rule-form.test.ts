import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  blankRule,
  fitsAll,
  noteOf,
  type RuleRow,
  ruleOf,
  textsOf,
} from '../../console/src/toolsets/rule-form.ts';

const typed = (texts: Partial<RuleRow['texts']>): RuleRow => ({
  id: 0,
  kept: null,
  texts: { ...blankRule, ...texts },
});

test('a typed rule names what is filled in, an entry of a list a line, without the space around', () => {
  assert.deepEqual(ruleOf(typed({ effect: 'deny', server: ' files ', tags: 'beta\n\n a, b \n' })), {
    effect: 'deny',
    server: 'files',
    tags: ['beta', 'a, b'],
  });
  assert.deepEqual(ruleOf(typed({ tool: 'read_*', categories: 'Post' })), {
    effect: 'allow',
    tool: 'read_*',
    categories: ['Post'],
  });
  assert.ok(fitsAll(typed({ tags: ' \n ' })));
  assert.ok(!fitsAll(typed({ tool: '*' })));
});

test('a rule that nobody touched goes back as it came, whatever is in it', () => {
  const text = fc.string({ minLength: 1 });
  const list = fc.array(text, { minLength: 1, maxLength: 4 });
  const rules = fc.record(
    {
      effect: fc.constantFrom('allow', 'deny', 'ask'),
      server: text,
      tool: text,
      tags: list,
      categories: list,
    },
    { requiredKeys: ['effect'] },
  );
  fc.assert(
    fc.property(rules, (rule) => {
      assert.deepEqual(ruleOf({ id: 0, kept: rule, texts: textsOf(rule) }), rule);
    }),
  );
});

test('a fault or a warning is about a rule, and where it says so about a field and a line', () => {
  assert.deepEqual(noteOf('rules[2].tags[1]: expected a string of 1 to 100 characters'), {
    index: 2,
    field: 'tags',
    text: 'line 2: expected a string of 1 to 100 characters',
  });
  assert.deepEqual(noteOf('rules[0].effect: required; expected one of allow, deny'), {
    index: 0,
    field: 'effect',
    text: 'required; expected one of allow, deny',
  });
  assert.deepEqual(noteOf('rules[12]: fits no tool here; near: files'), {
    index: 12,
    field: null,
    text: 'fits no tool here; near: files',
  });
  assert.equal(noteOf('rules[0].toString: unknown field; expected effect')?.field, null);
  for (const other of ['rules: expected an array of 0 to 1000 items', 'title: expected', 'rules[x].tool: no'])
    assert.equal(noteOf(other), null);
});
