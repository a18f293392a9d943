import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { calendar } from '@googleapis/calendar';
import {
  ApprovalRequiredError,
  MCPRankClient,
  MCPRankError,
  NotConnectedError,
  proxyPath,
  type User,
} from '../../sdk/client.ts';
import { adminKey, bootApp, type TestApp } from '../support/app.ts';
import { createBrowser } from '../support/browser.ts';
import { fixtureServers } from '../support/fixtures.ts';
import { bootGoogleApp } from '../support/google-app.ts';
import { bootMcp } from '../support/mcp-app.ts';
import { startSdkServer } from '../support/mcp-sdk-server.ts';
import { startToolServer } from '../support/mcp-servers.ts';

type Sent = { readonly method: string; readonly path: string };

/** A client of that app, and what it sent; `before` may answer in the app's place. */
function clientOf(
  app: TestApp,
  before: (sent: Sent, count: number) => Response | undefined = () => undefined,
) {
  const sent: Sent[] = [];
  const rank = new MCPRankClient({
    baseUrl: `${app.url}/`,
    apiKey: adminKey,
    fetch: (input, init) => {
      const { pathname } = new URL(String(input));
      sent.push({ method: init?.method ?? 'GET', path: pathname });
      const answer = before(sent.at(-1) as Sent, sent.length);
      return answer === undefined ? fetch(input, init) : Promise.resolve(answer);
    },
  });
  return { rank, sent };
}

const busy = () =>
  new Response('{"detail":"Not now","code":"unavailable"}', { status: 503, headers: { 'retry-after': '0' } });

async function bootCatalogue(t: TestContext) {
  const app = await bootApp(t, { MCPRANK_STARTER: 'off' });
  await app.call('POST', '/v1/admin/servers', { body: fixtureServers });
  await app.services.search.settled();
  return app;
}

test('search: one query, several at once, page by page, with filters and the parts of a score', async (t) => {
  const { rank } = clientOf(await bootCatalogue(t));
  const one = await rank.search('weather');
  assert.ok(one.servers.length > 0);
  assert.match(
    one.metadata.query_log_id,
    /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  const explained = await rank.search({
    query: 'weather',
    explain: true,
    filters: { transport: ['streamable-http', 'sse', 'stdio'] },
  });
  assert.equal(typeof explained.servers[0]?.explain, 'object');
  const many = await rank.searchMany([{ query: 'weather' }, { query: 'files' }]);
  assert.equal(many.length, 2);
  const whole = await rank.search({ query: 'weather', limit: 50 });
  const ids: string[] = [];
  for await (const { id } of rank.searchAll({ query: 'weather', limit: 1 })) ids.push(id);
  assert.deepEqual(
    ids,
    whole.servers.map(({ id }) => id),
  );
});

test('a failed call throws what the service said: status, code, detail, request id', async (t) => {
  const { rank } = clientOf(await bootCatalogue(t));
  await assert.rejects(rank.search({ query: ' ' }), (error: unknown) => {
    assert.ok(error instanceof MCPRankError);
    assert.deepEqual([error.status, error.code], [400, 'invalid_request']);
    assert.match(error.detail, /^query: /);
    assert.match(error.requestId ?? '', /^req_/);
    return true;
  });
  await assert.rejects(rank.servers.get('nowhere'), { code: 'not_found' });
  const lost = new MCPRankClient({ baseUrl: 'http://127.0.0.1:9', apiKey: 'x', retries: 0 });
  await assert.rejects(lost.search('x'), { status: 0, code: 'network' });
});

test('what is safe is tried again, after the Retry-After; what is not is sent once', async (t) => {
  const app = await bootCatalogue(t);
  const first = (_sent: Sent, count: number) => (count === 1 ? busy() : undefined);
  const searched = clientOf(app, first);
  await searched.rank.search('weather');
  assert.equal(searched.sent.length, 2);

  const outcome = { server_id: 'com.example/mail', tool_name: 'send_email', success: true };
  const recorded = clientOf(app, first);
  await assert.rejects(recorded.rank.invocations.record(outcome), { status: 503, retryAfterMs: 0 });
  assert.equal(recorded.sent.length, 1);
  const keyed = clientOf(app, first);
  await keyed.rank.invocations.record({ ...outcome, idempotency_key: 'once' });
  assert.equal(keyed.sent.length, 2);

  const never = clientOf(app, busy);
  await assert.rejects(never.rank.search('weather'), { code: 'unavailable' });
  assert.equal(never.sent.length, 3, 'tried twice again, and no more');
  const patient = clientOf(
    app,
    () => new Response('{}', { status: 429, headers: { 'retry-after': '3600' } }),
  );
  await assert.rejects(patient.rank.search('weather'), { status: 429, retryAfterMs: 3_600_000 });
  assert.equal(patient.sent.length, 1, 'an hour is for the caller to wait');
});

test('a signal ends a call and the waits between its tries', async (t) => {
  const app = await bootCatalogue(t);
  const { rank } = clientOf(app, () => new Response('{}', { status: 503, headers: { 'retry-after': '20' } }));
  const reason = new Error('enough');
  const giveUp = new AbortController();
  const waiting = rank.search('weather', { signal: giveUp.signal });
  setImmediate(() => giveUp.abort(reason));
  await assert.rejects(waiting, reason);
  await assert.rejects(clientOf(app).rank.search('x', { signal: AbortSignal.abort(reason) }), reason);
});

test("a user's MIT comes by itself, once for all who ask, is refreshed when it ends, and replaced when it was revoked", async (t) => {
  const app = await bootMcp(t);
  const { url } = await startSdkServer(t);
  await app.add('fixture', url);
  const { rank, sent } = clientOf(app);
  const ann = rank.user('ann');
  assert.equal(rank.user('ann'), ann);
  const tokens = await Promise.all([ann.token(), ann.token(), ann.token()]);
  assert.equal(new Set(tokens).size, 1);
  assert.deepEqual(sent, [{ method: 'POST', path: '/v1/identity/token' }]);

  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 3_590_000 });
  const next = await ann.token();
  t.mock.timers.reset();
  assert.notEqual(next, tokens[0]);
  assert.equal(sent.at(-1)?.path, '/v1/identity/refresh');

  await app.call('POST', '/v1/identity/revoke', { body: { user_id: 'ann' } });
  assert.equal((await ann.mcp.listTools('fixture')).length, 3);
  assert.deepEqual(
    sent.slice(2).map(({ path }) => path.replace('/v1/', '')),
    ['mcp/tools/list', 'identity/token', 'mcp/tools/list'],
  );
});

test('a tool is called; what it asks on the way is answered, or handed back to go on with', async (t) => {
  const app = await bootMcp(t);
  const { url } = await startSdkServer(t);
  await app.add('fixture', url);
  const { rank } = clientOf(app);
  const said = await rank.mcp.callTool({ server_id: 'fixture', name: 'echo', arguments: { message: 'hi' } });
  assert.deepEqual('content' in said && said.content, [{ type: 'text', text: 'Echo: hi' }]);

  const who = { server_id: 'fixture', name: 'who' };
  const answer = { name: { action: 'accept', content: { name: 'Ada' } } };
  const answered = await rank.mcp.callTool(who, { onInput: () => answer });
  assert.deepEqual(answered.content, [{ type: 'text', text: 'Hello Ada' }]);
  const asked = await rank.mcp.callTool(who);
  assert.ok('status' in asked);
  const gone = await rank.mcp.continueTool(who, asked, answer);
  assert.ok('content' in gone);

  const rules = [{ effect: 'ask', tool: 'echo', self: true }];
  await app.call('PUT', '/v1/admin/toolsets/asking', { body: { rules, default: 'allow' } });
  await app.call('PUT', '/v1/admin/toolsets/asking/bindings', { body: { developers: ['admin'] } });
  const echo = { server_id: 'fixture', name: 'echo', arguments: { message: 'again' } };
  const needed = await rank.mcp.callTool(echo, { onInput: () => answer }).then(
    () => assert.fail('nobody has approved it'),
    (error: unknown) => error as ApprovalRequiredError,
  );
  assert.ok(needed instanceof ApprovalRequiredError);
  const decision = { decision: 'approve' };
  await app.call('POST', `/v1/admin/approvals/${needed.approval.id}`, { body: decision });
  const approved = await rank.mcp.continueTool(echo, needed);
  assert.deepEqual('content' in approved && approved.content, [{ type: 'text', text: 'Echo: again' }]);

  const envelope = await rank.mcp.call({ server_id: 'fixture', method: 'tools/list', id: 'x' });
  assert.equal(envelope.id, 'x');
  assert.equal((await rank.mcp.server('fixture')).id, 'fixture');
});

test('a user connects a provider: the session is handed over, waited for, and calls go through', async (t) => {
  const { app } = await bootGoogleApp(t);
  const { rank } = clientOf(app);
  const alice = rank.user('alice');
  const google = alice.proxy('google');
  const events = 'calendar/v3/calendars/primary/events';
  await assert.rejects(google.fetch(events), (error: unknown) => {
    assert.ok(error instanceof NotConnectedError);
    assert.match(error.session?.id ?? '', /^sess_/);
    return true;
  });
  const browser = createBrowser();
  const seen = await alice.connect(
    { provider: 'google' },
    { open: async ({ auth_url }) => void browser.submit(await browser.open(auth_url)) },
  );
  assert.deepEqual([seen.status, seen.account], ['complete', 'alice']);
  assert.deepEqual(await google.info(), {
    provider: 'google',
    connected: true,
    status: 'active',
    can_access: true,
  });
  const listed = (await (await google.fetch(`/${events}`)).json()) as { items: { summary: string }[] };
  assert.equal(listed.items[0]?.summary, 'day of alice');
  // The provider's own failure is a reply like any other.
  assert.equal((await google.fetch('calendar/v3/nothing')).status, 404);

  const parts = ['a', 'b', 'c'].map((part) => new TextEncoder().encode(part.repeat(1_000)));
  const body = ReadableStream.from(parts) as ReadableStream<Uint8Array>;
  const upload = 'upload/drive/v3/files?uploadType=multipart';
  const sent = await google.fetch(upload, { method: 'POST', body, duplex: 'half' } as RequestInit);
  assert.deepEqual(await sent.json(), { id: 'multipart', size: 3_000 });
  await alice.revoke();
  assert.equal((await google.info()).connected, false);
});

test("a user's own keys for a server are kept by account; a call goes by the one that is named, and they are taken away", async (t) => {
  const app = await bootMcp(t);
  const { rank } = clientOf(app);
  const upstream = await startToolServer(t, () => [{ name: 'whoami', inputSchema: { type: 'object' } }]);
  const wanted = { headers: { 'X-Team-Key': '{key}' } };
  await app.add('crm', upstream.url, { user_credentials: wanted });
  const ann = rank.user('ann');
  const first = await ann.connections.putCredentials({ server_id: 'crm', values: { key: 'one' } });
  await ann.connections.putCredentials({ server_id: 'crm', account: 'work', values: { key: 'two' } });
  const keyOf = async ({ mcp }: Pick<User, 'mcp'>) => {
    await mcp.callTool({ server_id: 'crm', name: 'whoami' });
    return upstream.seen.at(-1)?.headers['x-team-key'];
  };
  assert.deepEqual([await keyOf(ann), await keyOf(ann.account('work'))], ['one', 'two']);
  assert.equal((await ann.connections.list()).length, 2);
  await ann.connections.remove(first.id);
  assert.deepEqual(
    (await ann.connections.list()).map(({ kind }) => kind),
    ['key'],
  );
  await assert.rejects(ann.account('gone').mcp.callTool({ server_id: 'crm', name: 'whoami' }), MCPRankError);
});

test("Google's own client works with proxyFetch alone: reads, and an upload that goes on at a Location", async (t) => {
  const { app } = await bootGoogleApp(t);
  const alice = clientOf(app).rank.user('alice');
  const browser = createBrowser();
  await alice.connect(
    { provider: 'google' },
    { open: async ({ auth_url }) => void browser.submit(await browser.open(auth_url)) },
  );
  const fetchImplementation = alice.proxyFetch('google');
  const { events } = calendar({ version: 'v3', fetchImplementation });
  assert.equal((await events.list({ calendarId: 'primary' })).data.items?.[0]?.summary, 'day of alice');

  const resumable = 'https://www.googleapis.com/upload/drive/v3/files?uploadType=resumable';
  const opened = await fetchImplementation(resumable, { method: 'POST', body: '{}' });
  const location = opened.headers.get('location') ?? '';
  const put = await fetchImplementation(new Request(location, { method: 'PUT', body: 'x'.repeat(500) }));
  assert.equal(((await put.json()) as { size: number }).size, 500);
});

test("a provider's URL becomes a path of the proxy, byte for byte; another one is refused", () => {
  const cases: [string, string, string][] = [
    ['google', 'https://www.googleapis.com/calendar/v3/x?a=1&a=2#part', 'calendar/v3/x?a=1&a=2'],
    ['google', 'https://gmail.googleapis.com/gmail/v1/a%2Fb%20..%2F%40', 'gmail/v1/a%2Fb%20..%2F%40'],
    ['google', 'https://forms.googleapis.com/v1/forms/1', '~forms/v1/forms/1'],
    ['google', 'https://sheets.googleapis.com/v4/spreadsheets/1', '~sheets/v4/spreadsheets/1'],
    ['github', 'https://api.github.com/user', 'user'],
    ['github', 'https://uploads.github.com/repos/a', '~uploads/repos/a'],
    ['acme', 'https://api.acme.example/v2/x', 'v2/x'],
  ];
  for (const [provider, url, path] of cases)
    assert.equal(proxyPath(provider, url), `/v1/proxy/${provider}/${path}`);
  for (const url of ['https://evil.example/x', 'https://googleapis.com.evil.example/x', 'file:///etc', '/x'])
    assert.throws(() => proxyPath('google', url), /is not a URL of google/);
});

test('keys and servers can be made and taken away', async (t) => {
  const { rank } = clientOf(await bootApp(t, { MCPRANK_STARTER: 'off' }));
  const made = await rank.admin.keys.create({ developer: 'acme', name: 'ci', tier: 'free' });
  assert.match(made.key, /^sk_mcp_rank_/);
  assert.ok((await rank.admin.keys.list()).some(({ key_id }) => key_id === made.key_id));
  await rank.admin.keys.revoke(made.key_id);
  const put = await rank.admin.servers.put({ id: 'a/b', name: 'B', tools: [] });
  assert.deepEqual(put.ids, ['a/b']);
  assert.equal((await rank.servers.get('a/b')).name, 'B');
  await rank.admin.servers.change('a/b', { name: 'C' });
  assert.equal((await rank.servers.get('a/b')).name, 'C');
  await rank.admin.servers.remove('a/b');
  await assert.rejects(rank.servers.get('a/b'), { code: 'server_gone' });
});
