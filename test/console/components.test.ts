import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Block, readBlocks } from '../../console/src/docs/blocks.ts';
import { argumentsOf, entriesOf, startOf } from '../../console/src/server/form.ts';
import { root } from '../support/paths.ts';

const all = (blocks: readonly Block[]): Block[] =>
  blocks.flatMap((block) => [block, ...(block.kind === 'list' ? block.items.flatMap(all) : [])]);

test('every document is read whole: its headings, tables and code are found, and no line is lost', () => {
  const folder = join(root, 'docs');
  for (const name of readdirSync(folder).filter((each) => each.endsWith('.md'))) {
    const text = readFileSync(join(folder, name), 'utf8');
    const blocks = all(readBlocks(text));
    const plain = text.replace(/^```[\s\S]*?^```/gm, '');
    const count = (kind: Block['kind']) => blocks.filter((block) => block.kind === kind).length;
    assert.equal(count('heading'), plain.match(/^#{1,6} /gm)?.length ?? 0, `${name}: headings`);
    assert.equal(count('table'), plain.match(/^\|[\s:|-]+\|$/gm)?.length ?? 0, `${name}: tables`);
    const shown = JSON.stringify(blocks);
    for (const word of text.match(/[A-Za-z]{6,}/g) ?? []) assert.ok(shown.includes(word), `${name}: ${word}`);
  }
});

test('what looks like markup in a document stays text', () => {
  const [block] = readBlocks('<script>alert(1)</script> [x](javascript:alert(1))');
  assert.deepEqual(block, { kind: 'paragraph', text: '<script>alert(1)</script> [x](javascript:alert(1))' });
});

test('a form is made of a schema, and its texts become arguments of the right types, or say what is wrong', () => {
  const entries = entriesOf({
    type: 'object',
    required: ['to', 'count'],
    properties: {
      note: { anyOf: [{ type: 'string' }, { type: 'null' }], description: 'optional' },
      to: { type: 'string' },
      count: { type: 'integer' },
      loud: { type: 'boolean' },
      level: { enum: ['low', 'high', 3] },
      tags: { type: 'array', items: { type: 'string' } },
      more: { type: 'object' },
    },
  });
  const kinds = entries.map(({ name, kind }) => `${name} ${kind}`);
  assert.deepEqual(kinds.slice(0, 2), ['to text', 'count integer']);
  assert.deepEqual(kinds.slice(2).sort(), [
    'level choice',
    'loud boolean',
    'more json',
    'note text',
    'tags json',
  ]);
  const texts = { to: 'ann', count: '3', loud: 'true', level: '3', tags: 'a\nb', more: '{"x":1}' };
  assert.deepEqual(argumentsOf(entries, texts), {
    values: { to: 'ann', count: 3, loud: true, level: 3, tags: ['a', 'b'], more: { x: 1 } },
  });
  assert.deepEqual(argumentsOf(entries, { ...texts, count: '3.5' }), {
    name: 'count',
    fault: 'A whole number is expected.',
  });
  assert.deepEqual(argumentsOf(entries, { ...texts, count: '' }), {
    name: 'count',
    fault: 'This one is required.',
  });
  assert.deepEqual(argumentsOf(entries, { ...texts, more: '{' }), {
    name: 'more',
    fault: 'JSON is expected.',
  });
  const [entry] = entriesOf({ properties: { depth: { type: 'integer', default: 7 } } });
  assert.equal(entry && startOf(entry), '7');
});
