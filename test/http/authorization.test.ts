import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adminKey, bootApp, type TestApp } from '../support/app.ts';
import { mitOf } from '../support/mcp-oauth.ts';
import { startPlainProvider } from '../support/plain-provider.ts';

const schemes = ['Bearer', 'bearer', 'BEARER', 'bEaReR'];

const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };
const accept = { accept: 'application/json, text/event-stream' };

/** An API key in the Authorization field, at every kind of door. */
const doors: Readonly<Record<string, (app: TestApp, headers: Record<string, string>) => Promise<number>>> = {
  'POST /v1/search': async (app, headers) =>
    (await app.call('POST', '/v1/search', { body: { query: 'x' }, key: null, headers })).status,
  'GET /v1/servers': async (app, headers) =>
    (await app.call('GET', '/v1/servers', { key: null, headers })).status,
  'GET /v1/admin/keys': async (app, headers) =>
    (await app.call('GET', '/v1/admin/keys', { key: null, headers })).status,
  'POST /mcp': async (app, headers) =>
    (await app.call('POST', '/mcp', { body: ping, key: null, headers: { ...headers, ...accept } })).status,
};
for (const [door, call] of Object.entries(doors))
  test(`27 the scheme of Authorization is read in any case: ${door}`, async (t) => {
    const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
    await app.services.search.settled();
    for (const scheme of schemes)
      assert.equal(await call(app, { authorization: `${scheme} ${adminKey}` }), 200, scheme);
    for (const authorization of [
      adminKey,
      `Basic ${adminKey}`,
      `Bearers ${adminKey}`,
      `bearer${adminKey}`,
      'bearer',
    ])
      assert.equal(await call(app, { authorization }), 401, authorization);
  });

test("27 a user's MIT likewise, at REST, /mcp and the OAuth proxy", async (t) => {
  const plain = await startPlainProvider(t);
  await plain.connect('ann');
  await plain.app.services.search.settled();
  const { authorization = '' } = await mitOf(plain.app, 'ann');
  const mit = authorization.slice('Bearer '.length);
  for (const scheme of schemes) {
    const headers = { authorization: `${scheme} ${mit}` };
    const proxied = await plain.app.call('GET', '/v1/proxy/plain/api/x', { headers });
    assert.deepEqual([proxied.status, proxied.text], [200, 'Bearer access-1'], scheme);
    const search = { query: 'x', filters: { connected: false } };
    assert.equal((await plain.app.call('POST', '/v1/search', { body: search, headers })).status, 200, scheme);
    const spoken = await plain.app.call('POST', '/mcp', { body: ping, headers: { ...headers, ...accept } });
    assert.equal(spoken.status, 200, `${scheme}: ${spoken.text}`);
  }
  for (const wrong of [`Token ${mit}`, `Basic ${mit}`])
    assert.equal(
      (await plain.app.call('GET', '/v1/proxy/plain/api/x', { headers: { authorization: wrong } })).status,
      403,
      wrong.slice(0, 5),
    );
});

/** Methods that a path does not have, and those that it has. */
const refused: readonly (readonly [string, string, string])[] = [
  ['DELETE', '/v1/search', 'POST'],
  ['GET', '/v1/search', 'POST'],
  ['PUT', '/v1/mcp/tools/call', 'POST'],
  ['POST', '/v1/health', 'GET, HEAD'],
  ['POST', '/healthz', 'GET, HEAD'],
  ['PATCH', '/v1/admin/keys', 'GET, HEAD, POST'],
  ['POST', '/v1/admin/keys/key_1', 'DELETE'],
  ['DELETE', '/openapi.json', 'GET, HEAD'],
  ['PUT', '/v1/identity/sessions/sess_1', 'GET, HEAD'],
  ['PUT', '/mcp', 'POST'],
];
test('27 a 405 says which methods there are (RFC 9110 section 15.5.6)', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  const sorted = (text: string) => text.split(/,\s*/).sort();
  for (const [method, path, allow] of refused) {
    const reply = await app.call(method, path);
    assert.equal(reply.status, 405, `${method} ${path}: ${reply.text}`);
    const told = sorted(reply.headers.get('allow') ?? '');
    for (const each of sorted(allow)) assert.ok(told.includes(each), `${method} ${path}: ${told.join()}`);
    assert.ok(!told.includes(method), `${method} ${path}: ${told.join()}`);
  }
});
