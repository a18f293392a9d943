import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { bootApp, handClock, type TestReply } from '../support/app.ts';
import {
  freeUrl,
  type RealServer,
  type RunningServer,
  realServers,
  workersResource,
} from '../support/authorization-servers.ts';
import { type Asked, agree, mitOf, startLoopback } from '../support/mcp-oauth.ts';
import { providerSettings } from '../support/oidc.ts';

/** What stands behind the authorization server: an API, and an MCP server; both ask it about every token. */
async function startResource(t: TestContext, issuer: string, running: { server: RunningServer }) {
  const resource = await startLoopback(t, (asked, response) => {
    void answer(asked).then(({ status = 200, headers = {}, body = {} }) => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify(body));
    });
    return 'handled';
  });
  /** As a guard over it would say: it failed, or nobody is known by that token. */
  const subjectOf = async (field = '') => {
    const token = /^Bearer (.+)$/i.exec(field)?.[1];
    return token === undefined ? null : running.server.subjectOf(token).catch(() => 'failed');
  };
  const answer = async ({ path, headers, body }: Asked) => {
    if (path.startsWith('/.well-known/oauth-protected-resource'))
      return {
        body: {
          resource: `${resource.url}/mcp`,
          authorization_servers: [issuer],
          scopes_supported: ['read'],
        },
      };
    if (path !== '/mcp' && !path.startsWith('/api')) return { status: 404 };
    const metadata = `Bearer resource_metadata="${resource.url}/.well-known/oauth-protected-resource/mcp"`;
    const subject = await subjectOf(headers.authorization);
    if (subject === 'failed') return { status: 500, body: { error: 'server_error' } };
    if (subject === null) return { status: 401, headers: { 'www-authenticate': metadata } };
    if (path.startsWith('/api')) return { body: { subject } };
    const { id, method } = JSON.parse(body) as { id: number; method: string };
    const result = {
      resultType: 'complete',
      supportedVersions: ['2026-07-28'],
      ...(method === 'tools/call' ? { content: [{ type: 'text', text: subject }], isError: false } : {}),
    };
    return { body: { jsonrpc: '2.0', id, result } };
  };
  return resource;
}

async function stage(t: TestContext, real: RealServer) {
  const url = await freeUrl();
  const running = { server: null as unknown as RunningServer };
  const resource = await startResource(t, url, running);
  workersResource.url = `${resource.url}/mcp`;
  running.server = await real.start(url);
  t.after(() => running.server.stop());
  const clock = handClock(Date.now());
  const rows = {
    real: { default_origin: resource.url, ...real.row?.(url) },
  };
  const settings = real.as === 'provider' ? providerSettings(t, rows) : { MCPRANK_STARTER: 'off' };
  const app = await bootApp(t, { ...settings, MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1' }, { clock });
  if (real.as === 'server')
    await app.call('POST', '/v1/admin/servers', {
      body: { id: 's', name: 's', description: 's', remote_url: `${resource.url}/mcp`, tools: [] },
    });
  const call = async () => {
    const headers = await mitOf(app, 'ann');
    return real.as === 'provider'
      ? app.call('GET', '/v1/proxy/real/api/me', { headers })
      : app.call('POST', '/v1/mcp/tools/call', { body: { server_id: 's', name: 'whoami' }, headers });
  };
  /** By the session that comes with the refusal, as an app would. */
  const connect = async (refused: TestReply) => {
    const { session } = refused.body.detail as { session?: { id: string; auth_url: string } };
    assert.ok(session !== undefined, `${refused.status} ${refused.text}`);
    const page = await agree(session.auth_url);
    assert.match(page.text, /is connected/, page.text.slice(0, 2_000));
    const polled = await app.call('GET', `/v1/identity/sessions/${session.id}`);
    assert.equal(polled.body.status, 'complete', polled.text);
    return polled;
  };
  /** The user sees an error there, and comes again later. */
  const strand = async (refused: TestReply) => {
    const { session } = refused.body.detail as { session: { id: string; auth_url: string } };
    assert.doesNotMatch((await agree(session.auth_url)).text, /is connected/);
    clock.advance(10 * 60_000);
    const again = await call();
    await connect(again);
  };
  const restart = async () => {
    await running.server.stop();
    running.server = await real.start(url);
  };
  return { clock, call, connect, strand, restart };
}

for (const real of realServers)
  test(`${real.name}: connect, call, renew, restart, reconnect`, async (t) => {
    const { clock, call, connect, strand, restart } = await stage(t, real);
    const polled = await connect(await call());
    assert.equal(polled.body.renewable, real.renews);
    assert.equal((await call()).status, 200);

    clock.advance(2 * 3_600_000);
    const renewed = await call();
    if (real.renews) assert.equal(renewed.status, 200, renewed.text);
    else await connect(renewed);
    assert.equal((await call()).status, 200);

    await restart();
    clock.advance(60_000);
    const after = await call();
    if (real.afterRestart === 'renewed') assert.equal(after.status, 200, after.text);
    else {
      assert.equal(after.status, 403, after.text);
      await (real.strandsOnce ? strand(after) : connect(after));
    }
    assert.equal((await call()).status, 200);
  });
