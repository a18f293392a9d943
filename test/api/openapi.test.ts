import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Type } from 'typebox';
import { openApiRoute } from '../../src/api/openapi.ts';
import { json, type Route, route } from '../../src/http/route.ts';
import { bootApp } from '../support/app.ts';
import { assertDeclared } from '../support/declared-replies.ts';

type Json = Record<string, unknown>;

test('the OpenAPI document is valid 3.1 and names exactly the routes that are served', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  const { body: document } = await app.call('GET', '/openapi.json', { key: null });
  assert.equal(document.openapi, '3.1.0');
  const verdict = await new Validator().validate(structuredClone(document));
  assert.equal(verdict.valid, true, JSON.stringify(verdict.errors));
  const documented = Object.entries(document.paths as Record<string, Record<string, unknown>>).flatMap(
    ([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const served = app.routes.map(
    ({ method, url }) => `${method} ${url.replace(/:([a-z_]+)/g, '{$1}').replace('*', '{path}')}`,
  );
  assert.deepEqual(documented.sort(), served.sort());
});

test('a route says which scope a key needs, or all of which one is enough', async (t) => {
  const app = await bootApp(t);
  const { body: document } = await app.call('GET', '/openapi.json', { key: null });
  const paths = document.paths as Record<string, Record<string, Json>>;
  assert.deepEqual(
    [paths['/v1/admin/approvals']?.get?.['x-scope'], paths['/v1/admin/calls']?.get?.['x-scope']],
    [['admin', 'approve'], 'admin'],
  );
});

test('every shape of the document stands in it once: routes refer to components, and every reference leads to one', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  const { body: document, text } = await app.call('GET', '/openapi.json', { key: null });
  const { schemas } = document.components as { readonly schemas: Readonly<Record<string, Json>> };
  const referred = new Set([...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name));
  assert.deepEqual([...referred].sort(), Object.keys(schemas).sort());
  assert.doesNotMatch(text, /"\$id"/);
  for (const name of ['Server', 'Tool', 'SearchHit', 'ApiKey', 'Connection', 'Session', 'Problem', 'Health'])
    assert.ok(name in schemas, name);
  for (const pattern of text.matchAll(/"pattern":"[^"]*"[^{}]*}/g))
    assert.match(pattern[0], /"examples":\["/, 'where a pattern is hard there is an example');
  // A hit is described at one place, whoever shows it.
  assert.equal(text.split('"final_score":').length, 2);
});

test('a handler that answers something else than its route declares does not compile', () => {
  const declared = route({
    method: 'GET',
    url: '/v1/things',
    summary: '',
    scope: null,
    reply: Type.Object({ name: Type.String(), note: Type.Optional(Type.String()) }),
    // @ts-expect-error a number where a text is declared
    handle: () => json({ name: 1 }),
  });
  assert.equal(declared.status, 200);
});

test('two shapes under one name are refused', () => {
  const withReply = (url: string, of: ReturnType<typeof Type.Integer | typeof Type.String>): Route =>
    route({
      method: 'GET',
      url,
      summary: '',
      scope: null,
      reply: Type.Object({ of }, { $id: 'Same' }),
      handle: () => ({ status: 200, body: '{}' }),
    });
  const declared = openApiRoute([withReply('/a', Type.String()), withReply('/b', Type.Integer())], '1');
  assert.ok('handle' in declared);
  assert.throws(() => declared.handle({} as never), /Two schemas are called Same/);
});

test('what a test gets and the document does not have is told: a status, a member, a content type', () => {
  const declared = route({
    method: 'GET',
    url: '/v1/things/:id',
    summary: '',
    scope: 'search',
    params: Type.Object({ id: Type.String() }),
    reply: Type.Object({ name: Type.String() }),
    problems: ['not_found'],
    handle: () => ({ status: 200, body: '{}' }),
  });
  const see = (status: number, body: unknown, contentType = 'application/json; charset=utf-8') =>
    assertDeclared([declared], {
      method: 'GET',
      path: '/v1/things/a?x=1',
      status,
      contentType,
      text: typeof body === 'string' ? body : JSON.stringify(body),
    });
  see(200, { name: 'a' });
  see(404, { detail: 'Not found', code: 'not_found' });
  see(403, { detail: { code: 'missing_scope', message: 'This key lacks the scope search' } });
  assert.throws(() => see(410, { detail: 'Gone', code: 'server_gone' }), /410 .* is not in/);
  assert.throws(() => see(201, { name: 'a' }), /201 .* is not in/);
  assert.throws(() => see(200, { name: 'a', more: 1 }), /not as/);
  assert.throws(() => see(200, {}), /not as/);
  assert.throws(() => see(404, { detail: 'Not found', code: 'lost' }), /not as/);
  assert.throws(() => see(200, 'a', 'text/plain'), /not as/);
});
