import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { extrasOf, extrasRequest } from '../../console/src/toolsets/extras-form.ts';
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

test('what a tool does is said or does not matter; a condition on arguments has a line, as it is shown', () => {
  const lines = [
    'to prefix ann@ home',
    'amount max 100',
    'urgent equals true',
    'who equals ann',
    'id matches ^x .$',
  ];
  const rule = ruleOf(typed({ readOnly: 'false', changed: 'true', arguments: lines.join('\n') }));
  assert.deepEqual(rule, {
    effect: 'allow',
    readOnly: false,
    changed: true,
    arguments: [
      { path: 'to', prefix: 'ann@ home' },
      { path: 'amount', max: 100 },
      { path: 'urgent', equals: true },
      { path: 'who', equals: 'ann' },
      { path: 'id', matches: '^x .$' },
    ],
  });
  const shown = [...lines];
  shown[3] = 'who equals "ann"';
  assert.equal(textsOf(rule).arguments, shown.join('\n'));
  // The service says what is missing, at its line.
  assert.deepEqual(ruleOf(typed({ arguments: 'amount below 100' })).arguments, [
    { path: 'amount below 100' },
  ]);
  const said = 'rules[1].arguments[2].matches: expected a regular expression';
  assert.deepEqual(noteOf(said), {
    index: 1,
    field: 'arguments',
    text: 'line 3: matches: expected a regular expression',
  });
});

test('budget, words and pins of a toolset come back as they went, and empty fields are none', () => {
  const said = {
    budget: { calls_per_day: 5, bytes_per_day: 1_000 },
    overrides: [
      { server: 's', tool: 't', title: 'T', description: 'D\nE' },
      { server: 's', tool: 'u', pinned: true },
    ],
  };
  assert.deepEqual(extrasRequest(extrasOf(said)), said);
  assert.deepEqual(extrasRequest(extrasOf({})), {});
  const typedIn = {
    calls: ' ',
    bytes: '7',
    overrides: [{ id: 0, server: ' s ', tool: 't', title: ' ', description: '', pinned: false }],
  };
  assert.deepEqual(extrasRequest(typedIn), {
    budget: { bytes_per_day: 7 },
    overrides: [{ server: 's', tool: 't' }],
  });
});

test('a rule that nobody touched goes back as it came, whatever is in it', () => {
  const text = fc.string({ minLength: 1 });
  const list = fc.array(text, { minLength: 1, maxLength: 4 });
  const condition = fc.oneof(
    fc.record({ path: text, equals: fc.jsonValue() }),
    fc.record({ path: text, prefix: text }),
    fc.record({ path: text, matches: text }),
    fc.record({ path: text, max: fc.integer() }),
  );
  const rules = fc.record(
    {
      effect: fc.constantFrom('allow', 'deny', 'ask'),
      server: text,
      tool: text,
      tags: list,
      categories: list,
      readOnly: fc.boolean(),
      destructive: fc.boolean(),
      openWorld: fc.boolean(),
      changed: fc.boolean(),
      suspicious: fc.boolean(),
      self: fc.boolean(),
      arguments: fc.array(condition, { minLength: 1, maxLength: 3 }),
    },
    { requiredKeys: ['effect'] },
  );
  fc.assert(
    fc.property(rules, (rule) => {
      assert.deepEqual(ruleOf({ id: 0, kept: rule, texts: textsOf(rule) }), rule);
      const touched = ruleOf({ id: 0, kept: rule, texts: { ...textsOf(rule), tool: 'other' } });
      for (const field of ['arguments', 'readOnly', 'self', 'changed'] as const)
        assert.deepEqual(touched[field], rule[field], 'what nobody touched stays');
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
