import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect } from 'node:tls';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Agent, fetch as undiciFetch } from 'undici';
import { adminKey, temporaryFolder } from '../support/app.ts';
import { certificate, certificateKey } from '../support/certificate.ts';
import { bootMcp, type McpTestApp } from '../support/mcp-app.ts';
import { freePort, type Seen, sendJson, startRaw } from '../support/mcp-servers.ts';
import { root } from '../support/paths.ts';
import { until } from '../support/programs.ts';

/** The configurations of deploy/ in front of a running service, as they stand but for names, ports and the certificate. */
type Front = { readonly command: string; configure(folder: string, ports: Ports): readonly string[] };
type Ports = { readonly front: number; readonly plain: number; readonly service: number };

const host = 'upstream.test';

function shipped(file: string, changes: readonly (readonly [string, string])[]): string {
  return changes.reduce(
    (text, [from, to]) => {
      assert.ok(text.includes(from), `${file} has no ${from}`);
      return text.replaceAll(from, to);
    },
    readFileSync(join(root, 'deploy', file), 'utf8').replaceAll('rank.example.com', host),
  );
}

const fronts: Readonly<Record<string, Front>> = {
  nginx: {
    command: 'nginx',
    configure(folder, { front, plain, service }) {
      const site = shipped('nginx/mcprank.conf', [
        [':8787', `:${service}`],
        ['listen 443 ssl', `listen ${front} ssl`],
        ['listen 80;', `listen 127.0.0.1:${plain};`],
        [`/etc/letsencrypt/live/${host}/fullchain.pem`, join(folder, 'cert.pem')],
        [`/etc/letsencrypt/live/${host}/privkey.pem`, join(folder, 'key.pem')],
      ]);
      const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
        (name) => `${name}_temp_path ${join(folder, name)};`,
      );
      writeFileSync(join(folder, 'site.conf'), site);
      writeFileSync(
        join(folder, 'nginx.conf'),
        `${process.getuid?.() === 0 ? 'user root;' : ''} daemon off; pid ${join(folder, 'pid')}; error_log stderr;
         events {} http { access_log off; ${paths.join(' ')} include ${join(folder, 'site.conf')}; }`,
      );
      return ['-e', 'stderr', '-c', join(folder, 'nginx.conf')];
    },
  },
  caddy: {
    command: 'caddy',
    configure(folder, { front, plain, service }) {
      const site = shipped('caddy/Caddyfile', [
        ['127.0.0.1:8787', `127.0.0.1:${service}`],
        [`\n${host} {`, `\nhttps://${host}:${front} {\n\ttls ${folder}/cert.pem ${folder}/key.pem`],
      ]);
      writeFileSync(join(folder, 'Caddyfile'), `{\n\tadmin off\n\thttp_port ${plain}\n}\n${site}`);
      return ['run', '--config', join(folder, 'Caddyfile'), '--adapter', 'caddyfile'];
    },
  },
};

/** Requests as another machine's, through the front. */
function through(t: TestContext, port: number, localAddress = '127.0.0.1') {
  const agent = new Agent({
    connect(_options, done) {
      const over = { localAddress } as object;
      const socket = connect({ ...over, host: '127.0.0.1', port, servername: host, ca: certificate });
      socket.once('error', (error) => done(error, null)).once('secureConnect', () => done(null, socket));
    },
  });
  t.after(() => agent.destroy());
  const go = (path: string, init: RequestInit = {}) =>
    undiciFetch(new URL(path, `https://${host}:${port}`), {
      ...(init as object),
      dispatcher: agent,
    }) as unknown as Promise<Response>;
  return Object.assign(go, { url: `https://${host}:${port}` });
}

/** A server whose tool tells of its progress, and ends when it is let. */
async function startSlow(t: TestContext) {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const result = (id: Seen['body']['id'], value: object) => ({ jsonrpc: '2.0', id, result: value });
  const upstream = await startRaw(t, ({ method, body }, reply) => {
    if (method !== 'POST') return void sendJson(reply, 405, {});
    if (body.id === undefined) return void reply.writeHead(202).end();
    if (body.method === 'initialize') {
      const serverInfo = { name: 'slow', version: '1' };
      return sendJson(
        reply,
        200,
        result(body.id, { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo }),
      );
    }
    if (body.method !== 'tools/call')
      return sendJson(
        reply,
        200,
        result(body.id, { tools: [{ name: 'slow', inputSchema: { type: 'object' } }] }),
      );
    const { _meta: meta = {} } = body.params ?? {};
    const { progressToken } = meta as { progressToken?: string };
    const event = (message: object) =>
      reply.write(`data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`);
    reply.writeHead(200, { 'content-type': 'text/event-stream' });
    event({ method: 'notifications/progress', params: { progressToken, progress: 1 } });
    void released.then(() => {
      event(result(body.id, { content: [{ type: 'text', text: 'done' }] }));
      reply.end();
    });
  });
  return { url: upstream.url, release };
}

async function startFront(t: TestContext, { command, configure }: Front) {
  const [front, plain] = [await freePort(), await freePort()];
  const app = await bootMcp(
    t,
    {},
    {
      MCPRANK_PUBLIC_URL: `https://${host}:${front}`,
      MCPRANK_TRUSTED_PROXIES: '127.0.0.1',
    },
  );
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'cert.pem'), certificate);
  writeFileSync(join(folder, 'key.pem'), certificateKey);
  const ports = { front, plain, service: Number(new URL(app.url).port) };
  const child = spawn(command, configure(folder, ports), {
    env: { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk));
  // Gently: nginx takes its workers with it.
  t.after(() => child.kill('SIGTERM'));
  const go = through(t, front);
  const answers = () =>
    go('/healthz').then(
      ({ status }) => status === 200,
      () => false,
    );
  await until(`${command} answers`, answers).catch(() => assert.fail(said));
  return { app, go, front };
}

async function assertSigningIn(go: ReturnType<typeof through>) {
  const opened = await go('/console/session', {
    method: 'POST',
    headers: { origin: go.url, 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' },
    body: JSON.stringify({ key: adminKey }),
  });
  assert.equal(opened.status, 200, await opened.text());
  assert.match(opened.headers.get('set-cookie') ?? '', /^__Host-mcprank-console=.*; Secure$/);
}

async function assertAddresses(t: TestContext, app: McpTestApp, front: number) {
  const key = await app.newKey({ addresses: ['127.0.0.2'] });
  const pretended = await app.newKey({ addresses: ['192.0.2.9'] });
  const from = through(t, front, '127.0.0.2');
  const status = async (presented: string, headers = {}) =>
    (await from('/v1/servers', { headers: { 'x-api-key': presented, ...headers } })).status;
  assert.equal(await status(key), 200, 'the address of who connected');
  for (const name of ['x-forwarded-for', 'forwarded']) {
    const value = name === 'forwarded' ? 'for=192.0.2.9' : '192.0.2.9';
    assert.equal(await status(pretended, { [name]: value }), 401, `${name} of the client's own`);
    assert.equal(await status(key, { [name]: value }), 200, name);
  }
}

async function assertStreams(t: TestContext, app: McpTestApp, go: ReturnType<typeof through>) {
  const slow = await startSlow(t);
  await app.add('com.example/slow', slow.url);
  const client = new Client({ name: 'test', version: '1' });
  const headers = { authorization: `Bearer ${adminKey}` };
  const transport = new StreamableHTTPClientTransport(new URL(`${go.url}/mcp/servers/com.example%2Fslow`), {
    requestInit: { headers },
    fetch: (url, init) => go(String(url), init),
  });
  await client.connect(transport);
  t.after(() => client.close());
  const { promise: told, resolve: tell } = Promise.withResolvers<void>();
  const called = client.callTool({ name: 'slow', arguments: {} }, { onprogress: () => tell() });
  // The server goes on only when its progress has arrived: what is kept back on the way never ends.
  await told;
  slow.release();
  assert.deepEqual((await called).content, [{ type: 'text', text: 'done' }]);
}

for (const [name, front] of Object.entries(fronts))
  test(`behind ${name}, as deploy/${name} has it: sign-in, addresses, ids with a slash, streams, nothing refused for its size`, {
    skip: spawnSync(front.command, ['-h']).error === undefined ? false : `needs ${name}`,
    timeout: 60_000,
  }, async (t) => {
    const { app, go, front: port } = await startFront(t, front);
    assert.match(await (await go('/')).text(), /<!doctype html>/i);
    await assertSigningIn(go);
    await assertAddresses(t, app, port);
    await app.add('com.example/mail', 'https://mail.example.com/mcp');
    const mail = await go('/v1/servers/com.example%2Fmail', { headers: { 'x-api-key': adminKey } });
    assert.equal(((await mail.json()) as { id: string }).id, 'com.example/mail');
    await assertStreams(t, app, go);
    const text = 'x'.repeat(3_000_000);
    const large = await go('/v1/mcp/tools/call', {
      method: 'POST',
      headers: { 'x-api-key': adminKey, 'content-type': 'application/json' },
      body: JSON.stringify({ server_id: 'com.example/slow', name: 'slow', arguments: { text } }),
    });
    assert.equal(large.status, 200, 'larger than what nginx takes by itself');
    assert.equal((await go('/metrics')).status, 404);
  });
