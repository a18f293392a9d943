import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { aliasOf, splitAlias } from './aliases.ts';
import { fitsTemplate, qualifyUri, readUri, withQualifiedPages } from './resource-uris.ts';

const part = fc.string({
  unit: fc.constantFrom('a', 'B', '/', ':', '_', '-', '.', '%', '{', '}', ' ', 'é'),
  minLength: 1,
});
const uri = fc.oneof(
  part,
  part.map((text) => `ui://${text}`),
  part.map((text) => `mcprank://${text}`),
);

test('a URI leads back to its server and to what that calls it, and no two are one', () => {
  fc.assert(
    fc.property(part, uri, part, uri, (server, own, otherServer, otherOwn) => {
      const qualified = qualifyUri(server, own);
      assert.deepEqual(readUri(qualified), { serverId: server, uri: own });
      assert.equal(own.startsWith('ui://'), qualified.startsWith('ui://'));
      if (server !== otherServer || own !== otherOwn)
        assert.notEqual(qualifyUri(otherServer, otherOwn), qualified);
    }),
  );
});

test('a template expands to what its expansion is called, as a client normalises it or not', () => {
  const template = qualifyUri('io.example/notes', 'note://by/{who}');
  const expanded = template.replace('{who}', 'Ada');
  for (const said of [expanded, new URL(expanded).href])
    assert.deepEqual(readUri(said), { serverId: 'io.example/notes', uri: 'note://by/Ada' });
});

test('a template fits what it expands to, and nothing that lacks a part of it', () => {
  const fits = ['note://by/Ada/all', 'note://by//all', 'note://by/a/b/all'];
  for (const uri of fits) assert.ok(fitsTemplate('note://by/{who}/all', uri), uri);
  for (const uri of ['note://by/all', 'note://by/Ada/al', 'xnote://by/Ada/all'])
    assert.ok(!fitsTemplate('note://by/{who}/all', uri), uri);
  assert.ok(fitsTemplate('a{x}b{y}b', 'a1b2b') && !fitsTemplate('a{x}b{y}b', 'a1b'));
  assert.ok(fitsTemplate('plain', 'plain') && !fitsTemplate('plain', 'plainer'));
});

test('a plain name of a prompt says whose it is; one with a mark says that it may be another', () => {
  assert.deepEqual(splitAlias(aliasOf('one', 'greet')), { serverId: 'one', own: 'greet', isMarked: false });
  assert.equal(splitAlias(aliasOf('io.example/one', 'with space'))?.isMarked, true);
  for (const none of ['greet', '__greet', 'one__', 'a b__c', '']) assert.equal(splitAlias(none), null);
});

test('of what is said of a tool only the names of its pages change, wherever they stand', () => {
  const told = (page: string) =>
    `{"title":"Draw","_meta":{"n":1.0,"ui":{"x":-0.0,"resourceUri":"${page}"},"ui/resourceUri":"${page}","openai/outputTemplate":"${page}"},"annotations":{"title":"ui://kept"}}`;
  assert.equal(withQualifiedPages(told('ui://a/b'), 'one'), told('ui://one/a/b'));
  for (const kept of [
    told('https://a/b'),
    '{"title":"ui://"}',
    '{"_meta":{"ui":{"resourceUri":"ui://a"},"ui":1}}',
    '{"_meta":{"ui":"ui://a"}}',
  ])
    assert.equal(withQualifiedPages(kept, 'one'), kept);
});
