import assert from 'node:assert/strict';
import { globSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { renderDocument } from '../../console/documents/render-document.ts';
import { pythonLiteral } from '../../console/src/browser/call-as-code.ts';
import { iconIn } from '../../console/src/browser/handshake-icon.ts';
import { rowsOf } from '../../console/src/browser/structured-rows.ts';
import type { Document } from '../../console/src/docs/document.ts';
import { boundsOf } from '../../console/src/trial/argument-faults.ts';
import { argumentsOf, entriesOf, startOf } from '../../console/src/trial/argument-form.ts';
import { readMarkdown } from '../../console/src/trial/markdown.ts';
import { contentsOf, resourceOf } from '../../console/src/trial/resource.ts';
import type { Diagnostic } from '../../sdk/api.ts';
import { root } from '../support/paths.ts';

const levels: ReadonlySet<string> = new Set<Diagnostic['level']>(['ok', 'warning', 'error']);
const folder = join(root, 'docs');
const documents = readdirSync(folder)
  .filter((name) => name.endsWith('.md'))
  .map((name) => {
    const markdown = readFileSync(join(folder, name), 'utf8');
    return { name, markdown, document: renderDocument(name.replace(/\.md$/, ''), markdown, pictureUrl) };
  });

function pictureUrl(name: string): string | undefined {
  return name.endsWith('.svg') ? `/assets/${name}` : undefined;
}

function htmlOf({ parts }: Document): string {
  return parts.map((part) => ('html' in part ? part.html : '')).join('\n');
}

function countOf(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}

test('every document is shown whole: its headings, tables and code are there, and no word is lost', () => {
  assert.ok(documents.length > 20);
  for (const { name, markdown, document } of documents) {
    const html = htmlOf(document);
    const prose = markdown.replace(/^```[\s\S]*?^```/gm, '');
    assert.equal(countOf(html, /<h[1-6]/g), countOf(prose, /^#{1,6} /gm), `${name}: headings`);
    assert.equal(countOf(html, /<table/g), countOf(prose, /^\|[\s:|-]+\|$/gm), `${name}: tables`);
    const code = document.parts.filter((part) => 'code' in part);
    assert.ok(code.length >= countOf(markdown, /^```/gm) / 2, `${name}: code`);
    const readable = markdown.replace(/\]\([^)]*\)/g, ']');
    const [shown, found] = [document.parts, document.sections].map((each) => JSON.stringify(each));
    for (const word of readable.match(/[A-Za-z]{6,}/g) ?? []) {
      assert.ok(shown?.includes(word), `${name}: ${word} is not shown`);
      assert.ok(found?.includes(word), `${name}: ${word} is not found`);
    }
  }
});

test('documents link to each other: every link of one leads to a document and a heading that are there', () => {
  const anchors = new Map(
    documents.map(({ document }) => [
      document.name,
      new Set([...htmlOf(document).matchAll(/<h\d id="([^"]+)"/g)].map(([, id]) => id)),
    ]),
  );
  let count = 0;
  for (const { name, document } of documents) {
    assert.deepEqual(
      document.sections.slice(1).map(({ anchor }) => anchor),
      [...(anchors.get(document.name) ?? [])],
      `${name}: what is found leads to a heading`,
    );
    for (const [, target, anchor] of htmlOf(document).matchAll(
      /href="(?:\/docs\/([a-z-]+))?(?:#([^"]+))?"/g,
    )) {
      count += 1;
      const there = anchors.get(target ?? document.name);
      assert.ok(there !== undefined, `${name}: ${target}`);
      assert.ok(anchor === undefined || there.has(anchor), `${name}: ${target}#${anchor}`);
    }
  }
  assert.ok(count > 50);
});

test('every picture of the documents is shown by one of them, says what it is, loads nothing, and brings its own ground', () => {
  const shown = documents.map(({ document }) => htmlOf(document)).join('\n');
  const pictures = readdirSync(folder).filter((name) => name.endsWith('.svg'));
  assert.ok(pictures.length >= 5);
  for (const name of pictures) {
    const [, alt] = new RegExp(`src="/assets/${name}" alt="([^"]*)"`).exec(shown) ?? [];
    assert.ok(alt !== undefined && alt.length > 10, `${name} stands in no document`);
    const svg = readFileSync(join(folder, name), 'utf8');
    assert.match(svg, /<title>.+<\/title>/, name);
    assert.doesNotMatch(svg, /<script|<style|<image|<foreignObject|href=|url\((?!#)|@import/, name);
    // In the dark, too: where a page is dark it stands on white.
    assert.match(svg, /<rect width="\d+" height="\d+"( rx="10")? fill="#fff(fff)?"\/>/, name);
  }
});

test('what looks like markup in a document stays text, and a link leads only where one may', () => {
  const shown = (markdown: string) => htmlOf(renderDocument('x', markdown, pictureUrl));
  assert.equal(shown('<script>alert(1)</script>').trim(), '&lt;script&gt;alert(1)&lt;/script&gt;');
  assert.equal(shown('a <b>x</b>').trim(), '<p>a &lt;b&gt;x&lt;/b&gt;</p>');
  assert.equal(shown('[x](javascript:alert(1))').trim(), '<p><span>x</span></p>');
  assert.equal(shown('[x](../src/app.ts)').trim(), '<p><span>x</span></p>');
  assert.equal(
    shown('[x](https://a.example/?a="&b)').trim(),
    '<p><a href="https://a.example/?a=&quot;&amp;b" target="_blank" rel="noreferrer noopener">x</a></p>',
  );
  assert.equal(
    shown('![curve](curve.svg)').trim(),
    '<p><img class="picture" src="/assets/curve.svg" alt="curve"></p>',
  );
  assert.match(shown('![no](no.png)'), /<em class="muted">\[picture: no\]<\/em>/);
  assert.match(
    shown('## Keys, and `scopes`'),
    /<h2 id="keys-and-scopes">Keys, and <code>scopes<\/code><\/h2>/,
  );
});

test('every class of the style sheets is on some page, and a finding is coloured at every level', () => {
  const read = (pattern: string) =>
    globSync(pattern, { cwd: join(root, 'console') })
      .map((file) => readFileSync(join(root, 'console', file), 'utf8'))
      .join('\n');
  const styles = read('src/styles/**/*.css').replace(/url\([^)]*\)/g, '');
  const sources = read('src/**/*.{ts,tsx}') + read('documents/*.ts');
  const classes = new Set([...styles.matchAll(/\.([a-z][a-z-]*)/g)].map(([, name]) => name));
  assert.ok(classes.size > 100);
  // Levels, states and tones come from values: those are checked by their types.
  const used = new Set(sources.match(/[\w-]+/g));
  assert.deepEqual(
    [...classes].filter((name) => name !== undefined && !used.has(name) && !levels.has(name)),
    [],
  );
  for (const level of levels) assert.ok(styles.includes(`.findings .${level} .icon`), level);
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
    error: 'A whole number is expected.',
  });
  assert.deepEqual(argumentsOf(entries, { ...texts, count: '' }), {
    name: 'count',
    error: 'This one is required.',
  });
  assert.deepEqual(argumentsOf(entries, { ...texts, more: '{' }), {
    name: 'more',
    error: 'JSON is expected.',
  });
  const [entry] = entriesOf({ properties: { depth: { type: 'integer', default: 7 } } });
  assert.equal(entry && startOf(entry), '7');
});

test('a form goes into objects, holds values to their bounds, and leaves the rest to the server', () => {
  const entries = entriesOf({
    type: 'object',
    required: ['when'],
    properties: {
      limit: { type: 'integer', minimum: 1, maximum: 10 },
      mail: { type: 'string', format: 'email' },
      code: { type: 'string', pattern: '^[a-z]{3}$' },
      odd: { type: 'string', pattern: '(' },
      tags: { type: 'array', items: { type: 'string' }, maxItems: 2 },
      when: {
        type: 'object',
        required: ['from'],
        properties: { from: { type: 'string', format: 'date' }, to: { type: ['string', 'null'] } },
      },
    },
  });
  assert.deepEqual(
    entries.slice(0, 2).map(({ name, required }) => [name, required]),
    [
      ['when.from', true],
      ['when.to', false],
    ],
  );
  const good = {
    'when.from': '2027-01-31',
    limit: '3',
    mail: 'a@example.com',
    code: 'abc',
    odd: 'x',
    tags: 'a\nb',
  };
  assert.deepEqual(argumentsOf(entries, good), {
    values: {
      when: { from: '2027-01-31' },
      limit: 3,
      mail: 'a@example.com',
      code: 'abc',
      odd: 'x',
      tags: ['a', 'b'],
    },
  });
  for (const [name, text] of [
    ['when.from', 'tomorrow'],
    ['when.from', ''],
    ['limit', '0'],
    ['limit', '11'],
    ['mail', 'nobody'],
    ['code', 'abcd'],
    ['tags', 'a\nb\nc'],
  ] as const)
    assert.deepEqual(
      Object.keys(argumentsOf(entries, { ...good, [name]: text })),
      ['name', 'error'],
      `${name}: ${text}`,
    );
});

test('a form has fields for lists of objects and of choices, for references and constants', () => {
  const schema = {
    $defs: {
      Person: {
        type: 'object',
        required: ['name'],
        properties: {
          name: { type: 'string' },
          age: { anyOf: [{ type: 'integer' }, { type: 'null' }], default: null },
        },
      },
      Loop: { $ref: '#/$defs/Loop' },
      Note: { type: 'object', properties: { text: { type: 'string' } } },
    },
    type: 'object',
    required: ['people', 'level'],
    properties: {
      people: { type: 'array', minItems: 1, maxItems: 2, items: { $ref: '#/$defs/Person' } },
      level: { oneOf: [{ const: 'low', title: 'Low' }, { const: 'high' }] },
      days: { type: 'array', items: { type: 'string', enum: ['mon', 'tue'] } },
      boss: { allOf: [{ $ref: '#/$defs/Person' }], description: 'one' },
      loop: { $ref: '#/$defs/Loop' },
      lost: { $ref: '#/$defs/Nowhere' },
      started: { type: 'array', items: { type: 'integer' }, default: [1, 2] },
      notes: { type: 'array', items: { $ref: '#/$defs/Note' } },
    },
  };
  const namesOf = (counts = {}) => entriesOf(schema, counts).map(({ name, kind }) => `${name} ${kind}`);
  assert.deepEqual(namesOf().slice(0, 4), [
    'people list',
    'people.0.name text',
    'people.0.age integer',
    'level choice',
  ]);
  assert.ok(namesOf().includes('boss.name text'));
  for (const name of ['loop json', 'lost json', 'started json']) assert.ok(namesOf().includes(name), name);
  const entries = entriesOf(schema, { people: 2, days: 1, notes: 1 });
  const texts = {
    'people.0.name': 'Ada',
    'people.1.name': 'Bob',
    'people.1.age': '7',
    'days.0': 'tue',
    level: 'high',
  };
  assert.deepEqual(argumentsOf(entries, texts), {
    values: {
      people: [{ name: 'Ada' }, { name: 'Bob', age: 7 }],
      level: 'high',
      days: ['tue'],
      started: [1, 2],
      notes: [{}],
    },
  });
  assert.deepEqual(argumentsOf(entries, { ...texts, 'people.1.age': 'x' }), {
    name: 'people.1.age',
    error: 'A whole number is expected.',
  });
  assert.deepEqual(argumentsOf(entriesOf(schema, { people: 3 }), texts), {
    name: 'people',
    error: 'At most 2 are expected.',
  });
  assert.deepEqual(argumentsOf(entriesOf(schema, { people: 0 }), texts), {
    name: 'people',
    error: 'At least 1 are expected.',
  });
  assert.equal(boundsOf({ minimum: 1, maximum: 10 }), '1 to 10');
  assert.equal(boundsOf({ maxLength: 5, format: 'email' }), 'at most 5 characters, email');
  assert.equal(boundsOf({ type: 'string' }), undefined);
});

test('of several objects one is chosen, alone, in a list, or for all arguments; a text may stand beside other things', () => {
  const circle = {
    type: 'object',
    required: ['kind', 'radius'],
    properties: { kind: { const: 'circle' }, radius: { type: 'number' } },
  };
  const box = { title: 'Box', type: 'object', properties: { width: { type: 'number' } } };
  const shape = { oneOf: [circle, { $ref: '#/$defs/Box' }] };
  const schema = {
    $defs: { Box: box },
    type: 'object',
    required: ['main'],
    properties: {
      main: { ...shape, properties: { note: { type: 'string' } } },
      spare: shape,
      all: { type: 'array', items: shape },
      to: { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] },
      level: { oneOf: [{ const: 1, title: 'Low' }, { const: 2 }] },
    },
  };
  const named = (counts = {}) => entriesOf(schema, counts).map(({ name }) => name);
  assert.deepEqual(named().slice(0, 4), ['main', 'main.kind', 'main.radius', 'main.note']);
  const [main] = entriesOf(schema);
  assert.deepEqual([main?.kind, main?.schema.enumNames], ['variant', ['circle', 'Box']]);
  const entries = entriesOf(schema, { main: 2, spare: 1, all: 2, 'all.1': 2 });
  assert.deepEqual(entries.find(({ name }) => name === 'level')?.schema.enumNames, ['Low', '2']);
  const texts = { 'main.width': '3', 'spare.radius': '1', 'all.0.radius': '2', to: 'ann', level: '2' };
  assert.deepEqual(argumentsOf(entries, texts), {
    values: {
      main: { width: 3 },
      spare: { kind: 'circle', radius: 1 },
      all: [{ kind: 'circle', radius: 2 }, {}],
      to: 'ann',
      level: 2,
    },
  });
  assert.deepEqual(argumentsOf(entries, { ...texts, to: '["a"]' }), {
    values: { ...(argumentsOf(entries, texts) as { values: object }).values, to: ['a'] },
  });
  const whole = { type: 'object', anyOf: [circle, box] };
  assert.deepEqual(argumentsOf(entriesOf(whole), { radius: '4' }), { values: { kind: 'circle', radius: 4 } });
  assert.deepEqual(argumentsOf(entriesOf(whole, { '': 2 }), { width: '4' }), { values: { width: 4 } });
  const either = { type: 'object', properties: { a: { type: 'string' } }, anyOf: [{ required: ['a'] }, {}] };
  assert.deepEqual(
    entriesOf(either).map(({ name }) => name),
    ['a'],
  );
});

test('an icon is shown where it came with the handshake of either age', () => {
  const src = 'data:image/png;base64,AAAA';
  assert.equal(iconIn({ serverInfo: { icons: [{ src: 'https://x.example/i.png' }, null, { src }] } }), src);
  assert.equal(iconIn({ _meta: { 'io.modelcontextprotocol/serverInfo': { icons: [{ src }] } } }), src);
  for (const icons of [
    undefined,
    'x',
    [7],
    [{ src: 'data:image/svg+xml;base64,AA' }],
    [{ src: src.padEnd(70_000, 'A') }],
  ])
    assert.equal(iconIn({ serverInfo: { icons } }), null);
  for (const result of [undefined, {}, { serverInfo: null, _meta: null }])
    assert.equal(iconIn(result as never), null);
});

test('a call as Python is the same call', () => {
  const value = { text: 'it\'s "so" \n 😀', on: true, off: false, none: null, n: 1.5, list: [{ a: [] }] };
  assert.equal(
    pythonLiteral(value),
    String.raw`{"text": "it's \"so\" \n 😀", "on": True, "off": False, "none": None, "n": 1.5, "list": [{"a": []}]}`,
  );
});

test('a structured result is a table, whatever it is', () => {
  const rows = [{ a: 1 }, { b: 2 }];
  assert.equal(rowsOf(rows), rows);
  assert.equal(rowsOf({ items: rows }), rows);
  assert.deepEqual(rowsOf({ a: 1, b: [2] }), [
    { name: 'a', value: 1 },
    { name: 'b', value: [2] },
  ]);
  assert.deepEqual(rowsOf([1, 'b', null]), [{ value: 1 }, { value: 'b' }, { value: null }]);
  assert.deepEqual(rowsOf({ list: [1, 2] }), [{ name: 'list', value: [1, 2] }]);
  for (const alone of ['text', 5, false]) assert.deepEqual(rowsOf(alone), [{ value: alone }]);
  for (const nothing of [undefined, null, [], {}, { list: [] }]) assert.equal(rowsOf(nothing), null);
});

test('a resource is shown as far as it is one: what a server sends otherwise breaks no page', () => {
  assert.deepEqual(resourceOf({ uri: 'a://b', mimeType: 'text/plain', text: 'x', more: 1 }), {
    uri: 'a://b',
    mimeType: 'text/plain',
    text: 'x',
  });
  const none = { uri: 'Resource', mimeType: '' };
  for (const sent of [null, undefined, 5, 'x', [], { uri: 5, mimeType: {}, text: {}, blob: null }])
    assert.deepEqual(resourceOf(sent), none);
  assert.deepEqual(contentsOf({ contents: [null, { blob: 'eA==' }] }), [none, { ...none, blob: 'eA==' }]);
  for (const result of [null, undefined, {}, { contents: {} }, { contents: 'x' }])
    assert.deepEqual(contentsOf(result), []);
});

test('a tool’s Markdown is read into plain values: no markup, no address but a web page’s, JSON and plain words as they are', () => {
  const text = [
    '# Found *two*',
    'See **this** and `a_b`, or [the page](https://x.example/a_b_c)',
    'and [that](javascript:alert`1`) [data](data:text/html,x) ![pixel](https://spy.example/p.png)',
    '',
    '- one',
    '  more',
    '- <script>alert(1)</script>',
    '',
    '1. first',
    '2. second',
    '```js',
    'x * y * z',
    '```',
    '| a | b |',
    '|---|:-:|',
    '| 1 | **2** |',
    '> said',
    '---',
    'https://plain.example/x',
  ].join('\n');
  const blocks = readMarkdown(text) ?? [];
  assert.deepEqual(
    blocks.map(({ kind }) => kind),
    ['heading', 'paragraph', 'list', 'list', 'code', 'table', 'quote', 'rule', 'paragraph'],
  );
  const [, paragraph, list, , code, table] = blocks;
  const links =
    paragraph?.kind === 'paragraph' ? paragraph.inlines.filter(({ kind }) => kind === 'link') : [];
  assert.deepEqual(links, [
    { kind: 'link', text: 'the page', href: 'https://x.example/a_b_c' },
    { kind: 'link', text: 'pixel', href: 'https://spy.example/p.png' },
  ]);
  assert.ok(!JSON.stringify(blocks).includes('"javascript:'));
  assert.deepEqual(list?.kind === 'list' && list.items, [
    [{ kind: 'text', text: 'one more' }],
    [{ kind: 'text', text: '<script>alert(1)</script>' }],
  ]);
  assert.equal(code?.kind === 'code' && code.text, 'x * y * z');
  assert.equal(table?.kind === 'table' && table.rows.length, 2);
  for (const plain of ['Just words.', '[{"a": "**b**"}]', '{"- x": 1}', '', 'a * b * c', 'x'.repeat(60_000)])
    assert.equal(readMarkdown(plain), null, plain.slice(0, 20));
  // Every word of it is there, whatever it is made of.
  for (const odd of ['**a', '[a](b', '`a', '| a', '```\na', '# **a** [b', '- \n- a', '>', '1. a\n\n\n2) b'])
    for (const [word] of odd.matchAll(/[ab]/g))
      assert.ok(JSON.stringify(readMarkdown(`- x\n\n${odd}`)).includes(word), odd);
});
