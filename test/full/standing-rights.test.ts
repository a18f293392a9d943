import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { adminKey, bootApp, type TestApp, temporaryFolder } from '../support/app.ts';
import { agree, mitOf, startLoopback } from '../support/mcp-oauth.ts';
import { providerSettings } from '../support/oidc.ts';
import { post, signIn, type Tokens } from '../support/sign-in.ts';

/** An MCP server whose GET stream, and an API whose download, go on for ever; an authorization server in two lines. */
async function startEndless(t: TestContext) {
  const timers = new Set<NodeJS.Timeout>();
  t.after(() => timers.forEach(clearInterval));
  const endless = await startLoopback(t, ({ path, method, body, query }, response) => {
    if (path === '/authorize') {
      const back = new URL(query.get('redirect_uri') ?? '');
      back.searchParams.set('code', 'a-code');
      back.searchParams.set('state', query.get('state') ?? '');
      return { status: 302, headers: { location: back.href } };
    }
    if (path === '/token') return { body: { access_token: 'at', token_type: 'Bearer' } };
    if (method === 'GET') {
      const type = path === '/mcp' ? 'text/event-stream' : 'application/octet-stream';
      response.writeHead(200, { 'content-type': type });
      const timer = setInterval(() => {
        const message = { jsonrpc: '2.0', method: 'notifications/tools/list_changed' };
        response.write(`data: ${JSON.stringify(message)}\n\n`);
      }, 50);
      timers.add(timer);
      response.on('close', () => clearInterval(timer));
      return 'handled';
    }
    const { id, method: asked } = JSON.parse(body) as { id?: number; method: string };
    if (id === undefined) return { status: 202, body: '' };
    if (asked !== 'initialize')
      return { body: { jsonrpc: '2.0', id, error: { code: -32601, message: 'no' } } };
    const result = {
      protocolVersion: '2025-11-25',
      capabilities: { tools: { listChanged: true } },
      serverInfo: { name: 's', version: '1' },
    };
    return { headers: { 'mcp-session-id': 'of-the-server' }, body: { jsonrpc: '2.0', id, result } };
  });
  return endless;
}

async function stage(t: TestContext) {
  const endless = await startEndless(t);
  const rows = {
    plain: {
      client_id: 'id',
      client_auth: 'none',
      authorization_url: `${endless.url}/authorize`,
      token_url: `${endless.url}/token`,
      default_origin: endless.url,
    },
  };
  const env = {
    ...providerSettings(t, rows),
    MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1',
    MCPRANK_DATA_DIR: temporaryFolder(t),
  };
  const app = await bootApp(t, env);
  // One service under one name: what one of them issues is good at the other.
  const replica = await bootApp(t, { ...env, MCPRANK_PUBLIC_URL: app.url });
  await app.call('POST', '/v1/admin/servers', {
    body: { id: 's', name: 's', description: 's', remote_url: `${endless.url}/mcp`, tools: [] },
  });
  const session = await app.call('POST', '/v1/identity/sessions', {
    body: { user_id: 'ann', provider: 'plain' },
  });
  await agree(String(session.body.auth_url));
  return { app, replica };
}

/** An open reply: `ended` once it is over; `pieces` counts what came. */
async function openReply(app: TestApp, path: string, headers: Record<string, string>) {
  const reply = await fetch(`${app.url}${path}`, { headers });
  assert.equal(reply.status, 200, reply.status === 200 ? '' : await reply.text());
  const state = { pieces: 0, isOver: false };
  const ended = (async () => {
    try {
      for await (const _piece of reply.body ?? []) state.pieces++;
    } catch {
      // Cut off.
    }
    state.isOver = true;
  })();
  while (state.pieces === 0 && !state.isOver) await new Promise((next) => setTimeout(next, 10));
  return { state, ended };
}

async function sessionOf(app: TestApp, headers: Record<string, string>) {
  const hello = {
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } },
  };
  const reply = await app.call('POST', '/mcp/servers/s', {
    body: hello,
    key: null,
    headers: { ...headers, accept: 'application/json, text/event-stream' },
  });
  assert.equal(reply.status, 200, reply.text);
  return {
    ...headers,
    accept: 'text/event-stream',
    'mcp-session-id': String(reply.headers.get('mcp-session-id')),
  };
}

const newKey = async (app: TestApp, fields: Record<string, unknown> = {}) => {
  const made = await app.call('POST', '/v1/admin/keys', {
    body: { developer: 'admin', name: 'test', tier: 'enterprise', ...fields },
  });
  assert.equal(made.status, 201, made.text);
  return { id: String(made.body.key_id), headers: { 'x-api-key': String(made.body.key) } };
};
const soon = <T>(work: Promise<T>) =>
  Promise.race([
    work,
    new Promise<never>((_, reject) => setTimeout(() => reject(new Error('it goes on')), 5_000).unref()),
  ]);

test('18.12 a stream, a download and a poll end when their key is revoked, on every replica; those of other keys go on', async (t) => {
  const { app, replica } = await stage(t);
  const [lost, kept] = [await newKey(app), await newKey(app)];
  const mit = await mitOf(app, 'ann');
  const waiting = await app.call('POST', '/v1/identity/sessions', {
    body: { user_id: 'bob', provider: 'plain' },
  });
  const all = async (at: TestApp, headers: Record<string, string>) => [
    await openReply(at, '/mcp/servers/s', await sessionOf(at, headers)),
    await openReply(at, '/v1/proxy/plain/download', { ...headers, ...mit }),
  ];
  const own = [...(await all(app, lost.headers)), ...(await all(replica, lost.headers))];
  const others = await all(replica, kept.headers);
  const poll = fetch(`${app.url}/v1/identity/sessions/${String(waiting.body.session_id)}?wait=60`, {
    headers: lost.headers,
  }).then(
    ({ status }) => status,
    () => 'cut off',
  );
  assert.equal((await app.call('DELETE', `/v1/admin/keys/${lost.id}`)).status, 200);
  await soon(Promise.all(own.map(({ ended }) => ended)));
  assert.equal(await soon(poll), 'cut off');
  for (const { state } of others) {
    const before = state.pieces;
    while (state.pieces < before + 5) await new Promise((next) => setTimeout(next, 10));
    assert.equal(state.isOver, false);
  }
});

test('18.12 a stream ends with its key’s time', async (t) => {
  const { app } = await stage(t);
  const brief = await newKey(app, { expires_at: new Date(Date.now() + 1_500).toISOString() });
  const stream = await openReply(app, '/mcp/servers/s', await sessionOf(app, brief.headers));
  await soon(stream.ended);
});

test('18.12 a download ends when the user’s MIT is revoked; that of another user goes on', async (t) => {
  const { app, replica } = await stage(t);
  for (const user of ['ann', 'bob']) {
    const session = await app.call('POST', '/v1/identity/sessions', {
      body: { user_id: user, provider: 'plain' },
    });
    await agree(String(session.body.auth_url));
  }
  const key = { 'x-api-key': adminKey };
  const anns = [app, replica].map(async (at) =>
    openReply(at, '/v1/proxy/plain/download', { ...key, ...(await mitOf(app, 'ann')) }),
  );
  const bobs = await openReply(replica, '/v1/proxy/plain/download', { ...key, ...(await mitOf(app, 'bob')) });
  const open = await Promise.all(anns);
  await app.call('POST', '/v1/identity/revoke', { body: { user_id: 'ann' } });
  await soon(Promise.all(open.map(({ ended }) => ended)));
  assert.equal(bobs.state.isOver, false);
});

test('a stream of somebody who signed in ends with the key behind it, or with the consent, on every replica; others go on', async (t) => {
  const { app, replica } = await stage(t);
  const lost = await newKey(app);
  const resource = `${app.url}/mcp/servers/s`;
  const ofKey = await signIn(app, { key: lost.headers['x-api-key'], resource });
  const ofConsent = await signIn(app, { resource });
  const kept = await signIn(app, { resource });
  const openBy = ({ access }: Tokens) =>
    Promise.all(
      [app, replica].map(async (at) =>
        openReply(at, '/mcp/servers/s', await sessionOf(at, { authorization: `Bearer ${access}` })),
      ),
    );
  const streams = {
    ofKey: await openBy(ofKey),
    ofConsent: await openBy(ofConsent),
    kept: await openBy(kept),
  };
  assert.equal((await app.call('DELETE', `/v1/admin/keys/${lost.id}`)).status, 200);
  await soon(Promise.all(streams.ofKey.map(({ ended }) => ended)));
  assert.ok(streams.ofConsent.every(({ state }) => !state.isOver));
  await post(replica, '/revoke', { token: ofConsent.refresh, client_id: ofConsent.clientId });
  await soon(Promise.all(streams.ofConsent.map(({ ended }) => ended)));
  assert.ok(streams.kept.every(({ state }) => !state.isOver));
});

test('18.12 a stream ends when its server is deleted, on every replica', async (t) => {
  const { app, replica } = await stage(t);
  const key = { 'x-api-key': adminKey };
  const open = [];
  for (const at of [app, replica]) open.push(await openReply(at, '/mcp/servers/s', await sessionOf(at, key)));
  assert.equal((await app.call('DELETE', '/v1/admin/servers/s')).status, 200);
  await soon(Promise.all(open.map(({ ended }) => ended)));
});
