import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adminKey, bootApp, type TestApp } from '../support/app.ts';
import { ping } from '../support/sign-in.ts';

const page = 'https://client.example';
const doors = ['/mcp', '/mcp/', '/mcp/t/readers', '/mcp/servers/a%2Fb'];
const openToAll = { MCPRANK_HOST: '0.0.0.0' };

function preflight(app: TestApp, path: string, method: string, fields: string, origin = page) {
  return fetch(`${app.url}${path}`, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': method,
      'access-control-request-headers': fields,
    },
  });
}

test('a page may ask for everything that sign-in goes by, and for the doors with whatever fields MCP has', async (t) => {
  const app = await bootApp(t);
  const metadata = ['oauth-authorization-server', 'openid-configuration', 'oauth-protected-resource'].flatMap(
    (name) => ['', '/mcp', '/mcp/t/readers'].map((door) => `/.well-known/${name}${door}`),
  );
  const asked = [
    ...[...metadata, '/mcp/.well-known/openid-configuration', '/.well-known/jwks.json'].map((path) => [
      path,
      'GET',
    ]),
    ...['/token', '/register', '/revoke', '/introspect', ...doors].map((path) => [path, 'POST']),
    ...doors.flatMap((path) => [
      [path, 'GET'],
      [path, 'DELETE'],
    ]),
  ] as [string, string][];
  const fields =
    'authorization,content-type,last-event-id,mcp-method,mcp-name,mcp-param-region,mcp-protocol-version,mcp-session-id';
  for (const [path, method] of asked) {
    const { status, headers } = await preflight(app, path, method, fields);
    assert.equal(status, 204, `${method} ${path}`);
    assert.equal(headers.get('access-control-allow-origin'), '*', path);
    assert.ok(headers.get('access-control-allow-methods')?.split(', ').includes(method), path);
    assert.equal(headers.get('access-control-allow-headers'), fields, path);
    assert.equal(headers.get('access-control-allow-credentials'), null, path);
  }
});

test('a page can read the challenge, the session and what was refused; a door goes by no cookie', async (t) => {
  const app = await bootApp(t, openToAll);
  for (const door of doors) {
    const refused = await ping(app, null, door, { origin: page });
    assert.equal(refused.status, 401, door);
    assert.equal(refused.headers.get('access-control-allow-origin'), '*', door);
    const exposed = (refused.headers.get('access-control-expose-headers') ?? '').split(', ');
    for (const name of ['WWW-Authenticate', 'Mcp-Session-Id']) assert.ok(exposed.includes(name), name);
  }
  const bad = await app.call('POST', '/register', { key: null, body: {}, headers: { origin: page } });
  assert.deepEqual([bad.status, bad.headers.get('access-control-allow-origin')], [400, '*']);

  const session = await app.call('POST', '/console/session', {
    key: null,
    body: { key: adminKey },
    headers: { origin: app.url },
  });
  const cookie = (session.headers.getSetCookie()[0] ?? '').split(';', 1)[0] ?? '';
  assert.ok(cookie.length > 20);
  assert.equal((await ping(app, null, '/mcp', { cookie })).status, 401);
});

test('what goes by a cookie, or is for programs alone, answers no page of another origin', async (t) => {
  const app = await bootApp(t);
  for (const path of ['/v1/servers', '/console/session', '/me', '/authorize', '/v1/search']) {
    const { status, headers } = await preflight(app, path, 'POST', 'authorization');
    assert.ok(status >= 400, path);
    assert.equal(headers.get('access-control-allow-origin'), null, path);
  }
  const listed = await app.call('GET', '/v1/servers', { headers: { origin: app.url } });
  assert.equal(listed.headers.get('access-control-allow-origin'), null);
  const broken = await preflight(app, '/mcp', 'POST', 'a b;c');
  assert.equal(broken.headers.get('access-control-allow-headers'), null);
});

test('P15 on this machine a page of another name is refused whatever it shows; where others reach us, its key counts', async (t) => {
  const local = await bootApp(t);
  for (const origin of [page, 'null', 'https://127.0.0.1.evil.example']) {
    assert.equal((await ping(local, null, '/mcp', { 'x-api-key': adminKey, origin })).status, 403, origin);
  }
  const inspector = { 'x-api-key': adminKey, origin: 'http://localhost:6274' };
  assert.equal((await ping(local, null, '/mcp', inspector)).status, 200);
  const shared = await bootApp(t, openToAll);
  assert.equal((await ping(shared, null, '/mcp', { 'x-api-key': adminKey, origin: page })).status, 200);
  assert.equal((await ping(shared, null, '/mcp', { origin: page })).status, 401);
});
