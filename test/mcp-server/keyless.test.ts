import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { parseConfig } from '../../src/config.ts';
import { bootApp, type TestApp } from '../support/app.ts';

const hello = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
};

/** `fetch` would not send a Host of our choice. */
function post(app: TestApp, path: string, headers: Record<string, string>): Promise<number> {
  const { hostname, port } = new URL(app.url);
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        hostname,
        port,
        path,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          ...headers,
        },
      },
      (reply) => {
        reply.resume().once('end', () => resolve(reply.statusCode ?? 0));
      },
    );
    sent.once('error', reject);
    sent.end(JSON.stringify(hello));
  });
}

test('P14 with MCPRANK_MCP_KEYLESS programs on this machine use the doors of MCP without a key; pages and others do not', async (t) => {
  const app = await bootApp(t, { MCPRANK_MCP_KEYLESS: 'on', MCPRANK_STARTER: 'off' });
  const { port } = new URL(app.url);
  await app.call('POST', '/v1/admin/servers', {
    body: { id: 's', name: 's', remote_url: 'https://nobody.example/mcp', tools: [] },
  });
  assert.equal(await post(app, '/mcp', {}), 200);
  assert.equal(
    await post(app, '/mcp', { host: `localhost:${port}`, origin: `http://localhost:${port}` }),
    200,
  );
  // A page elsewhere, and one whose name was made to lead here.
  assert.equal(await post(app, '/mcp', { origin: 'https://evil.example' }), 401);
  assert.equal(await post(app, '/mcp', { origin: 'http://localhost:1' }), 401);
  assert.equal(await post(app, '/mcp', { host: `evil.example:${port}` }), 401);
  // Whoever has credentials is held to them.
  assert.equal(await post(app, '/mcp', { 'x-api-key': `sk_mcp_rank_${'0'.repeat(32)}` }), 401);
  assert.equal(await post(app, '/mcp', { authorization: 'Bearer nothing' }), 401);
  // The API proper wants a key as ever.
  assert.equal((await app.call('POST', '/v1/search', { key: null, body: { query: 'x' } })).status, 401);
  assert.equal((await app.call('GET', '/v1/admin/keys', { key: null })).status, 401);
  const { keys } = (await app.call('GET', '/v1/admin/keys')).body as {
    keys: { key_id: string; name: string; scopes: string[] }[];
  };
  const own = keys.find(({ name }) => name === 'MCPRANK_MCP_KEYLESS');
  assert.deepEqual(own?.scopes.toSorted(), ['mcp', 'search']);
  await app.call('DELETE', `/v1/admin/keys/${own?.key_id}`);
  assert.equal(await post(app, '/mcp', {}), 401, 'its key was revoked');
});

test('P14 it is off unless it is switched on, and refused where others may reach the service', async (t) => {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  assert.equal(await post(app, '/mcp', {}), 401);
  for (const elsewhere of [
    { MCPRANK_HOST: '0.0.0.0' },
    { MCPRANK_PUBLIC_URL: 'https://rank.example' },
    { MCPRANK_TRUSTED_PROXIES: '127.0.0.1' },
  ])
    assert.throws(() => parseConfig({ MCPRANK_MCP_KEYLESS: 'on', ...elsewhere }), /MCPRANK_MCP_KEYLESS/);
});
