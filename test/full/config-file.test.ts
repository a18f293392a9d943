import assert from 'node:assert/strict';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ConfigFile, parseMcpConfig } from '../../src/mcp/mcp.ts';
import { bootApp, type TestApp, temporaryFolder } from '../support/app.ts';
import { sendJson, startRaw } from '../support/mcp-servers.ts';
import { root } from '../support/paths.ts';
import { until } from '../support/programs.ts';
import { startHttpEcho } from '../support/raw-echo.ts';

const echo = { command: process.execPath, args: [join(root, 'test/support/echo-program.ts'), 'session'] };
const serversOf = (mcpServers: unknown) => parseMcpConfig(JSON.stringify({ mcpServers }));
const call = (app: TestApp, id: string) =>
  app.call('POST', '/v1/mcp/tools/call', { body: { server_id: id, name: 'echo', arguments: {} } });
const show = async (app: TestApp, id: string) =>
  (await app.call('GET', `/v1/servers/${encodeURIComponent(id)}`)).status;

test('a server that was taken out of the file leaves the catalogue at the next start, and no other does', async (t) => {
  const MCPRANK_DATA_DIR = temporaryFolder(t);
  const start = async (servers?: unknown) =>
    bootApp(
      t,
      { MCPRANK_STARTER: 'off', MCPRANK_DATA_DIR },
      servers === undefined ? {} : { localServers: serversOf(servers) },
    );
  let app = await start({ kept: echo, gone: echo });
  await app.call('POST', '/v1/admin/servers', { body: { id: 'by-hand', name: 'x', transport: 'stdio' } });
  await until(
    'both are there',
    async () => (await show(app, 'gone')) === 200 && (await show(app, 'kept')) === 200,
  );
  await app.close();
  app = await start({ kept: echo });
  await until('it leaves', async () => (await show(app, 'gone')) === 410);
  assert.deepEqual([await show(app, 'kept'), await show(app, 'by-hand')], [200, 200]);
  await app.close();
  // Without a file nothing is known of what was in it.
  app = await start();
  assert.deepEqual([await show(app, 'kept'), await show(app, 'by-hand')], [200, 200]);
  await app.close();
  app = await start({ gone: echo });
  await until(
    'it comes back',
    async () => (await show(app, 'gone')) === 200 && (await show(app, 'kept')) === 410,
  );
  assert.equal((await call(app, 'gone')).status, 200);
});

test('26: a server may be pinned to a revision, in the file and by the admin route: it is asked nothing else', async (t) => {
  const seen: string[] = [];
  const { url } = await startRaw(t, ({ body, method, headers }, reply) => {
    if (method !== 'POST') return void reply.writeHead(405).end();
    seen.push(String(body.method));
    if (body.id === undefined) return void reply.writeHead(202).end();
    const isModern = headers['mcp-method'] !== undefined;
    const { protocolVersion = 'modern' } = body.params ?? {};
    const answers: Record<string, object> = {
      'server/discover': { supportedVersions: ['2026-07-28', '2025-11-25'] },
      initialize: { protocolVersion, capabilities: {}, serverInfo: { name: 'both', version: '1' } },
    };
    const text = isModern ? 'modern' : String(headers['mcp-protocol-version']);
    const result = answers[String(body.method)] ?? { content: [{ type: 'text', text }] };
    sendJson(reply, 200, {
      jsonrpc: '2.0',
      id: body.id,
      result: isModern ? { resultType: 'complete', ...result } : result,
    });
  });
  const wanted: [string | null, string, RegExp][] = [
    [null, 'modern', /^server\/discover,/],
    ['2026-07-28', 'modern', /^tools\/call/],
    ['2025-11-25', '2025-11-25', /^initialize,/],
    ['2025-06-18', '2025-06-18', /^initialize,/],
  ];
  for (const [revision, spoken, asked] of wanted) {
    const app = await bootApp(
      t,
      { MCPRANK_STARTER: 'off' },
      { localServers: serversOf({ it: { url, revision } }) },
    );
    await until('it was listed', async () => app.lines.some((line) => line.includes('mcp.local_server.')));
    seen.length = 0;
    const reply = await call(app, 'it');
    assert.match(reply.text, new RegExp(`"${spoken}"`), String(revision));
    assert.match(seen.join(), asked, String(revision));
    await app.close();
  }
  const app = await bootApp(t, { MCPRANK_STARTER: 'off', MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1' });
  const put = (revision: unknown) =>
    app.call('POST', '/v1/admin/servers', { body: { id: 'it', name: 'it', remote_url: url, revision } });
  for (const [revision, spoken, asked] of [...wanted, ...wanted.slice(0, 2)]) {
    assert.ok((await put(revision)).status < 300);
    seen.length = 0;
    const reply = await call(app, 'it');
    assert.match(reply.text, new RegExp(`"${spoken}"`), `${revision}: ${reply.text}`);
    if (seen.length > 1) assert.match(seen.join(), asked, String(revision));
  }
  const wrong = await put('2024');
  assert.deepEqual([wrong.status, /revision/.test(wrong.text)], [400, true]);
});

async function bootFile(t: TestContext, content: string) {
  const path = join(temporaryFolder(t), 'mcp.json');
  writeFileSync(path, content);
  const lines: string[] = [];
  const note = (event: string, fields: object = {}) => void lines.push(`${event} ${JSON.stringify(fields)}`);
  const file = new ConfigFile({
    path,
    environment: { KEY: 'secret-of-mine' },
    log: { debug: note, info: note, warn: note, error: note },
  });
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' }, { localServers: file.read() });
  file.watch(app.services.mcp.replaceLocalServers);
  t.after(() => file.close());
  return { app, path, lines, reload: () => file.reload(app.services.mcp.replaceLocalServers) };
}

test('a changed file is noticed while the service runs: servers come, change and go, and private hosts are trusted', async (t) => {
  const url = await startHttpEcho(t, 'modern', false);
  const { app, path, lines } = await bootFile(t, JSON.stringify({ mcpServers: { first: echo } }));
  assert.equal((await call(app, 'first')).status, 200);
  const envEcho = { ...echo, env: { KEY: `$\{KEY}` } };
  // As editors do it: written beside, and moved into its place.
  writeFileSync(
    `${path}.new`,
    `{"mcpServers": {"second": {"url": "${url}"}, "third": ${JSON.stringify(envEcho)},}} // mine`,
  );
  renameSync(`${path}.new`, path);
  await until('the new ones answer', async () => (await call(app, 'second')).status === 200);
  assert.equal((await call(app, 'third')).status, 200);
  await until('the old one is gone', async () => (await call(app, 'first')).status === 410);
  assert.ok(lines.some((line) => line.startsWith('mcp.configuration.reloaded')));
  const calls = app.services.mcp.stats().upstreams;
  assert.equal(calls, 2, 'what was open to the old one is closed');
});

test('a file that cannot be read, or is broken, changes nothing, and says so once', async (t) => {
  const { app, path, lines, reload } = await bootFile(t, JSON.stringify({ mcpServers: { it: echo } }));
  const told = () => lines.filter((line) => line.startsWith('mcp.configuration.not_reloaded'));
  writeFileSync(path, '{"mcpServers": {"it": secret');
  await reload();
  assert.match(told().join('\n'), /mcp\.json:1:23/);
  assert.equal((await call(app, 'it')).status, 200);
  rmSync(path);
  await reload();
  assert.match(told().at(-1) ?? '', /ENOENT/);
  assert.equal((await call(app, 'it')).status, 200);
  writeFileSync(path, JSON.stringify({ mcpServers: { it: { command: `$\{NOT_SET}` }, other: echo } }));
  await reload();
  assert.match(lines.join('\n'), /entry_left_out.*"it".*NOT_SET/);
  assert.deepEqual([(await call(app, 'it')).status, (await call(app, 'other')).status], [410, 200]);
  assert.doesNotMatch(lines.join('\n'), /secret/);
});
