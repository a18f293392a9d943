import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adminKey, bootApp } from '../support/app.ts';
import { ping, signIn, visit } from '../support/sign-in.ts';

const unknownKey = `sk_mcp_rank_${'0'.repeat(32)}`;
const doors = ['/mcp', '/mcp/t/readers', '/mcp/servers/a%2Fb'];

test('each door has a document of its own that names the very URL, by the challenge and at the well-known place', async (t) => {
  const app = await bootApp(t);
  for (const door of doors) {
    const challenge = (await ping(app, null, door)).headers.get('www-authenticate') ?? '';
    const [, url = ''] = /^Bearer resource_metadata="([^"]+)"$/.exec(challenge) ?? [];
    assert.equal(url, `${app.url}/.well-known/oauth-protected-resource${door}`);
    for (const slash of ['', '/']) {
      const { status, body } = await app.call('GET', `${new URL(url).pathname}${slash}`, { key: null });
      assert.equal(status, 200);
      assert.equal(body.resource, `${app.url}${door}${slash}`);
      assert.deepEqual(body.authorization_servers, [app.url]);
      assert.ok((body.scopes_supported as string[]).includes('offline_access'));
    }
  }
  const root = await app.call('GET', '/.well-known/oauth-protected-resource', { key: null });
  assert.equal(root.body.resource, app.url);
  const elsewhere = '/.well-known/oauth-protected-resource/mcp/nothing/here';
  assert.equal((await app.call('GET', elsewhere, { key: null })).status, 404);
});

test('the same document describes the authorization server wherever clients look for it', async (t) => {
  const app = await bootApp(t);
  const places = ['oauth-authorization-server', 'openid-configuration'].flatMap((name) => [
    `/.well-known/${name}`,
    ...doors.flatMap((door) => [`/.well-known/${name}${door}`, `${door}/.well-known/${name}`]),
  ]);
  const found = await Promise.all(places.map((place) => app.call('GET', place, { key: null })));
  const [first] = found;
  assert.equal(first?.body.issuer, app.url);
  for (const [i, { status, body }] of found.entries())
    assert.deepEqual([status, body], [200, first?.body], places[i]);
  const { body } = first as (typeof found)[number];
  assert.deepEqual(body.code_challenge_methods_supported, ['S256']);
  assert.equal(body.client_id_metadata_document_supported, true);
  assert.equal(body.authorization_response_iss_parameter_supported, true);
  for (const method of ['none', 'client_secret_basic', 'client_secret_post'])
    assert.ok((body.token_endpoint_auth_methods_supported as string[]).includes(method));
});

test('a public URL with a slash behind it: nothing that is built from it has two', async (t) => {
  const app = await bootApp(t, { MCPRANK_PUBLIC_URL: 'https://rank.example.com/' });
  const server = await app.call('GET', '/.well-known/oauth-authorization-server', { key: null });
  const resource = await app.call('GET', '/.well-known/oauth-protected-resource/mcp', { key: null });
  assert.equal(server.body.issuer, 'https://rank.example.com');
  assert.equal(server.body.token_endpoint, 'https://rank.example.com/token');
  assert.equal(resource.body.resource, 'https://rank.example.com/mcp');
  assert.deepEqual(resource.body.authorization_servers, ['https://rank.example.com']);
  assert.match(
    (await ping(app, null)).headers.get('www-authenticate') ?? '',
    /"https:\/\/rank\.example\.com\/\.well-known\/oauth-protected-resource\/mcp"/,
  );
});

test('on one machine, whoever says localhost is told of localhost', async (t) => {
  const app = await bootApp(t);
  const local = app.url.replace('127.0.0.1', 'localhost');
  const refused = await fetch(`${local}/mcp`, { method: 'POST' });
  const [, url = ''] =
    /resource_metadata="([^"]+)"/.exec(refused.headers.get('www-authenticate') ?? '') ?? [];
  const described = (await (await fetch(url)).json()) as { resource: string };
  assert.equal(described.resource, `${local}/mcp`);
  const { access } = await signIn(app, { resource: described.resource });
  assert.equal((await ping(app, access)).status, 200);
});

test('nothing shown: 401 with the place; a bad API key: 401 without, by every method and header', async (t) => {
  const app = await bootApp(t);
  const shown = [
    [{}, true],
    [{ authorization: 'Bearer something-else' }, true],
    // What no token is: of a client that lost its own, or has another service's.
    [{ authorization: 'Bearer' }, true],
    [{ authorization: 'bearer  two-spaces' }, true],
    [{ authorization: 'Bearer two words' }, true],
    [{ authorization: `Bearer ${'a'.repeat(5_000)}` }, true],
    [{ 'x-api-key': unknownKey }, false],
    [{ 'x-api-key': 'nonsense' }, false],
    [{ authorization: `Bearer ${unknownKey}` }, false],
    [{ authorization: 'Bearer sk_mcp_rank_short' }, false],
    [{ authorization: `Bearer  ${unknownKey}` }, false],
    [{ authorization: 'Basic eDp5' }, false],
  ] as const;
  for (const door of doors)
    for (const method of ['POST', 'GET', 'DELETE'])
      for (const [headers, tellsWhere] of shown) {
        const body = method === 'POST' ? { jsonrpc: '2.0', id: 1, method: 'ping' } : undefined;
        const reply = await app.call(method, door, { key: null, headers, body });
        const challenge = reply.headers.get('www-authenticate') ?? '';
        const what = `${method} ${door} ${JSON.stringify(headers)}: ${challenge}`;
        assert.equal(reply.status, 401, what);
        assert.match(challenge, /^Bearer\b/, what);
        assert.equal(challenge.includes('resource_metadata='), tellsWhere, what);
      }
  const elsewhere = await app.call('GET', '/v1/servers', { key: null });
  assert.equal(elsewhere.headers.get('www-authenticate'), 'Bearer');
});

test('L3 an access token in the URL of a door is refused, whatever is shown beside it, and stands in no log', async (t) => {
  const app = await bootApp(t);
  const { access } = await signIn(app);
  for (const method of ['POST', 'GET', 'DELETE'])
    for (const headers of [{}, { authorization: `Bearer ${access}` }, { 'x-api-key': adminKey }]) {
      const body = method === 'POST' ? { jsonrpc: '2.0', id: 1, method: 'ping' } : undefined;
      const reply = await app.call(method, `/mcp?access_token=${access}`, { key: null, headers, body });
      assert.equal(reply.status, 400, `${method} ${reply.text}`);
      assert.match(reply.text, /never in the URL/);
    }
  assert.equal(app.lines.join('').includes(access), false);
});

test('with a good key, doors without sessions answer GET and DELETE with 405; a slash behind a door is tolerated', async (t) => {
  const app = await bootApp(t);
  for (const method of ['GET', 'DELETE']) {
    const reply = await app.call(method, '/mcp', { headers: { accept: 'text/event-stream' } });
    assert.equal(reply.status, 405);
    assert.equal(reply.headers.get('allow'), 'POST');
  }
  const { access } = await signIn(app, { resource: `${app.url}/mcp/` });
  assert.equal((await ping(app, access, '/mcp/')).status, 200);
  assert.equal(
    (await app.call('POST', '/mcp/', { key: adminKey, body: { jsonrpc: '2.0', id: 1, method: 'ping' } }))
      .status,
    200,
  );
});

test('what a client cannot be told by a redirect is told on a page: an app that nobody knows', async (t) => {
  const app = await bootApp(t);
  const { page } = await visit(app, 'mcp_nobody');
  assert.equal(page.status, 400);
  assert.match(page.text, /^<!doctype html>[\s\S]*cannot sign in[\s\S]*invalid_client/);
  assert.equal(page.headers.get('cache-control'), 'no-store');
  assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'/);
});
