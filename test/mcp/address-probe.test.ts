import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootMcp } from '../support/mcp-app.ts';
import { sendJson, startRaw, startToolServer } from '../support/mcp-servers.ts';

/** What is at an address, asked before a server is added. */

test('an address is probed with the headers that were given; neither they nor it are kept anywhere', async (t) => {
  const app = await bootMcp(t);
  const inputSchema = { type: 'object' };
  const { url, seen } = await startToolServer(t, () => [{ name: 'send', description: 'Sends', inputSchema }]);
  const secret = 'Bearer canary-of-the-probe';
  const { status, body, text } = await app.call('POST', '/v1/admin/probe', {
    body: { remote_url: url, headers: { authorization: secret } },
  });
  assert.deepEqual([status, body.state, body.era, body.reason], [200, 'up', 'modern', null]);
  assert.deepEqual(body.tools, [{ name: 'send', description: 'Sends' }]);
  assert.ok(seen.length > 0 && seen.every(({ headers }) => headers.authorization === secret));
  assert.equal((await app.call('GET', '/v1/servers')).text.includes(url), false);
  const audit = await app.call('GET', '/v1/admin/audit');
  assert.ok(![text, audit.text, ...app.lines].some((said) => said.includes('canary-of-the-probe')));
});

test('an address that wants credentials, or speaks something else, is a finding; one that may not be dialled is refused', async (t) => {
  const app = await bootMcp(t);
  const probe = (fields: object) => app.call('POST', '/v1/admin/probe', { body: fields });
  const challenge = { 'www-authenticate': 'Bearer resource_metadata="https://x.example/m"' };
  const locked = await startRaw(t, (_seen, reply) => sendJson(reply, 401, {}, challenge));
  const wants = (await probe({ remote_url: locked.url })).body;
  assert.deepEqual([wants.state, wants.auth_type, wants.tools], ['auth', 'oauth2', []]);
  const page = await startRaw(t, (_seen, reply) =>
    reply.writeHead(200, { 'content-type': 'text/html' }).end('<p>'),
  );
  assert.equal((await probe({ remote_url: page.url })).body.state, 'not_mcp');
  for (const fields of [
    { remote_url: 'http://10.0.0.1/mcp' },
    { remote_url: 'file:///etc/passwd' },
    { remote_url: page.url, headers: { host: 'elsewhere' } },
    { remote_url: page.url, headers: { 'x-key': 'a\r\nb: c' } },
  ])
    assert.equal((await probe(fields)).status, 400, JSON.stringify(fields));
  const key = await app.newKey();
  assert.equal(
    (await app.call('POST', '/v1/admin/probe', { key, body: { remote_url: page.url } })).status,
    403,
  );
});

test('a server’s icon is told where it comes with the reply and is a picture: no address to fetch, nothing that runs', async (t) => {
  const app = await bootMcp(t);
  const png = `data:image/png;base64,${Buffer.from('picture').toString('base64')}`;
  for (const [icons, expected] of [
    [[{ src: 'https://elsewhere.example/i.png' }, { src: png }], png],
    [[{ src: 'https://elsewhere.example/i.png' }], null],
    [[{ src: `data:image/svg+xml;base64,${'AAAA'.repeat(4)}` }], null],
    [[{ src: `data:image/png;base64,${'A'.repeat(70_000)}` }], null],
    [[{ src: 'data:image/png;base64,"><script>' }], null],
    ['none', null],
    [[null, 7], null],
  ] as const) {
    const serverInfo = { name: 'n', icons };
    // Where the servers of either age say it.
    for (const said of [{ serverInfo }, { _meta: { 'io.modelcontextprotocol/serverInfo': serverInfo } }]) {
      const { url } = await startRaw(t, ({ body }, reply) =>
        sendJson(reply, 200, {
          jsonrpc: '2.0',
          id: body.id,
          result: { ...{ resultType: 'complete', supportedVersions: ['2026-07-28'], tools: [] }, ...said },
        }),
      );
      const { body } = await app.call('POST', '/v1/admin/probe', { body: { remote_url: url } });
      assert.deepEqual([body.state, body.name, body.icon], ['up', 'n', expected]);
    }
  }
});
