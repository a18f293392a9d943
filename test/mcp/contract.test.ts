import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adminKey } from '../support/app.ts';
import { bootMcp } from '../support/mcp-app.ts';
import { startHttpEcho } from '../support/raw-echo.ts';

type Envelope = {
  readonly id: unknown;
  readonly error?: { readonly code: number; readonly message: string };
};

test('30: what is wrong with a JSON-RPC request is an error of JSON-RPC in its envelope, with its id where there is one', async (t) => {
  const app = await bootMcp(t);
  await app.add('it', await startHttpEcho(t, 'modern', false));
  const faults: [body: string, code: number, id: unknown][] = [
    ['{', -32700, null],
    ['{"server_id":"it","method":"x"', -32700, null],
    ['\u00ff{', -32700, null],
    ['{"server_id":"it"}', -32600, null],
    ['{"server_id":"it","id":7}', -32600, 7],
    ['{"server_id":"it","method":null,"id":"a"}', -32600, 'a'],
    ['{"server_id":"it","method":7}', -32600, null],
    ['{"server_id":"it","method":"","id":7}', -32600, 7],
    [`{"server_id":"it","method":"${'x'.repeat(201)}"}`, -32600, null],
    ['{"server_id":"it","method":"x","id":{}}', -32600, null],
    ['{"server_id":"it","method":"x","id":[1]}', -32600, null],
    ['{"server_id":"it","method":"x","id":true}', -32600, null],
    ['{"server_id":"it","method":"x","params":[1],"id":1.5}', -32602, 1.5],
    ['{"server_id":"it","method":"x","params":"a","id":1}', -32602, 1],
    ['{"server_id":"it","method":"x","params":7}', -32602, null],
  ];
  for (const [body, code, id] of faults) {
    const reply = await app.call('POST', '/v1/mcp/call', {
      body,
      headers: { 'content-type': 'application/json' },
    });
    const { error, id: echoed } = reply.body as Envelope;
    assert.deepEqual([reply.status, error?.code], [200, code], `${body}: ${reply.text}`);
    if (id !== null) assert.equal(echoed, id, body);
  }
});

test('30: an id is any JSON number or text, and comes back as it was written', async (t) => {
  const app = await bootMcp(t);
  await app.add('it', await startHttpEcho(t, 'modern', false));
  for (const id of [
    '9007199254740993',
    '-1',
    '-0.0',
    '1.50',
    '1E3',
    '1e400',
    '0',
    '"a\\u00e4"',
    '""',
    '"1"',
  ]) {
    // Read as text: a parser would change what it is about.
    const reply = await fetch(`${app.url}/v1/mcp/call`, {
      method: 'POST',
      headers: { 'x-api-key': adminKey, 'content-type': 'application/json' },
      body: `{"server_id":"it","method":"tools/call","params":{"name":"x"},"id":${id}}`,
    });
    const text = await reply.text();
    assert.equal(reply.status, 200, text);
    assert.ok(text.startsWith(`{"jsonrpc":"2.0","id":${id},"result":`), `${id}: ${text}`);
  }
});

test('30: a URL that we refuse to dial is refused when a server is put, and is never the fault of who calls it', async (t) => {
  const app = await bootMcp(t, {}, { MCPRANK_ALLOW_UPSTREAMS: 'allowed.example:9000' });
  const refused = [
    'http://public.example/mcp',
    'https://public.example:3000/mcp',
    'http://127.0.0.1:9/mcp',
    'https://10.0.0.1/mcp',
    'https://169.254.169.254/latest',
    'https://[::1]/mcp',
    'https://[fd00::1]/mcp',
    'https://0x7f.1/mcp',
    'https://localhost/mcp',
    'https://it.localhost:8443/mcp',
    'https://metadata.google.internal/mcp',
  ];
  for (const [i, url] of refused.entries()) {
    const put = await app.call('POST', '/v1/admin/servers', {
      body: { id: 'it', name: 'it', remote_url: url },
    });
    assert.equal(put.status, 400, url);
    assert.match(String(put.body.detail), /^remote_url: /, url);
    const many = [
      { id: 'good', name: 'good', remote_url: 'https://a.example/mcp' },
      { id: 'it', name: 'it', remote_url: url },
    ];
    const array = await app.call('POST', '/v1/admin/servers', { body: many });
    assert.match(String(array.body.detail), /^\[1\]\.remote_url: /, url);
    // An import brings what it brings.
    const id = `it${i}`;
    await app.put(id, url);
    const called = await app.tool(id, 'x');
    assert.equal(called.status, 502, `${url}: ${called.text}`);
    const { error } = (await app.rpc(id, 'tools/list')).body as Envelope;
    assert.equal(error?.code, -32000, url);
    const single = await app.call('POST', `/mcp/servers/${id}`, {
      body: { jsonrpc: '2.0', id: 1, method: 'tools/list' },
      headers: { accept: 'application/json, text/event-stream' },
    });
    assert.deepEqual([single.status, (single.body as Envelope).error?.code], [200, -32000], url);
    assert.equal((await app.call('POST', `/v1/admin/servers/${id}/probe`)).status, 200);
  }
  for (const url of [
    'https://a.example/mcp',
    'https://a.example:8443/mcp',
    'http://allowed.example:9000/mcp',
    'https://{tenant}.example/mcp',
  ]) {
    const put = await app.call('POST', '/v1/admin/servers', {
      body: { id: 'fine', name: 'fine', remote_url: url },
    });
    assert.ok(put.status < 300, `${url}: ${put.text}`);
  }
});
