import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adminKey } from '../support/app.ts';
import { createBrowser } from '../support/browser.ts';
import { textOf } from '../support/mcp-app.ts';
import { agree, invitationOf, startProtectedWorld } from '../support/mcp-oauth.ts';

const named = (headers: Record<string, string>, account: string) => ({
  headers: { ...headers, 'x-mcprank-account': account },
});
type Listed = { id: string; account: string; server_id: string };

test('F13 a user has several accounts with one server: each call goes by the one it names, without a name by the first', async (t) => {
  const { app, ann, as } = await startProtectedWorld(t);
  const call = (account?: string) =>
    app.tool('s', 'whoami', {}, account === undefined ? { headers: ann } : named(ann, account));
  const first = invitationOf(await call());
  await agree(first.auth_url);
  const usual = textOf(await call());
  // One that is not there leads to a consent of its own, and never goes by another.
  const asked = invitationOf(await call('work'));
  const page = await createBrowser().open(asked.auth_url);
  assert.match(page.text, /as work/);
  const done = await agree(asked.auth_url);
  assert.match(done.text, /is connected/);
  const work = textOf(await call('work'));
  assert.notEqual(work, usual);
  assert.deepEqual([textOf(await call()), textOf(await call('work'))], [usual, work]);
  const session = await app.call('GET', `/v1/identity/sessions/${asked.id}`);
  assert.deepEqual([session.body.account, session.body.is_default], ['work', false]);

  const door = (headers: Record<string, string>) =>
    app.call('POST', '/mcp/servers/s', {
      body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'whoami', arguments: {} } },
      headers: { ...headers, accept: 'application/json, text/event-stream' },
    });
  assert.ok((await door(named(ann, 'work').headers)).text.includes(`"${work}"`));
  assert.ok((await door(ann)).text.includes(`"${usual}"`));

  const listed = (await app.call('GET', '/v1/identity/connections?user_id=ann')).body.connections as Listed[];
  assert.deepEqual(listed.map(({ account }) => account).sort(), ['', 'work']);
  const other = listed.find(({ account }) => account === 'work');
  await app.call('DELETE', `/v1/identity/connections/${other?.id}`);
  assert.equal(textOf(await call()), usual);
  assert.equal((await call('work')).status, 403);
  assert.ok(as.tokens.size >= 2);
});

test('G5 a name of another user, or without one, is nobody’s; names that no header can carry are refused', async (t) => {
  const { app, ann } = await startProtectedWorld(t);
  await agree(invitationOf(await app.tool('s', 'whoami', {}, named(ann, 'work'))).auth_url);
  const { body } = await app.call('POST', '/v1/identity/token', { body: { user_id: 'bob' } });
  const bob = { authorization: `Bearer ${String(body.access_token)}` };
  assert.equal((await app.tool('s', 'whoami', {}, named(bob, 'work'))).status, 403);
  const nobody = await app.tool('s', 'whoami', {}, { headers: { 'x-mcprank-account': 'work' } });
  assert.deepEqual(
    [nobody.status, nobody.body.detail],
    [400, 'X-MCPRank-Account: only with a user, whose account it is'],
  );
  const long = await app.tool('s', 'whoami', {}, named(ann, 'x'.repeat(101)));
  assert.match(String(long.body.detail), /^X-MCPRank-Account: expected 1 to 100/);
  for (const [fields, detail] of [
    [{ server_id: 's', account: ' work' }, /^account: expected 1 to 100/],
    [{ server_id: 's', account: 'wörk' }, /^account: expected 1 to 100/],
    [{ provider: 'google', account: 'work' }, /^account: only with server_id/],
  ] as const) {
    const { status, body: told } = await app.call('POST', '/v1/identity/sessions', {
      body: { user_id: 'ann', ...fields },
    });
    assert.equal(status, 400);
    assert.match(String(told.detail), detail);
  }
});

test('a hit of a search says how it stands for the account that a call would go by', async (t) => {
  const { app, ann, server } = await startProtectedWorld(t);
  await agree(invitationOf(await app.tool('s', 'whoami', {}, { headers: ann })).auth_url);
  const description = 'Tells who asks';
  await app.add('s', server.mcp, { description, tools: [{ name: 'whoami', description }] });
  await app.services.search.settled();
  const hit = async (headers: Record<string, string>, filters: object = {}) => {
    const body = { query: 'tells who asks', filters };
    const reply = await app.call('POST', '/v1/search', { body, headers });
    const [found] = reply.body.servers as { connection: string; connect?: string }[];
    return [found?.connection, found?.connect ?? ''];
  };
  assert.deepEqual(await hit(ann), ['ready', '']);
  const work = named(ann, 'work').headers;
  // Twice: what is kept of a page for one account is none of another's.
  for (let i = 0; i < 2; i++) {
    const [state, connect] = await hit(work);
    assert.equal(state, 'needs_auth');
    assert.match(String(connect), /"server_id": "s", "account": "work"}/);
    const home = await hit(named(ann, 'home').headers);
    assert.match(String(home[1]), /"account": "home"}/);
  }
  assert.deepEqual(await hit(work, { connected: true }), [undefined, '']);
  const found = await app.call('POST', '/mcp', {
    body: {
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'search_tools', arguments: { query: 'tells who asks' } },
    },
    headers: { ...work, accept: 'application/json, text/event-stream' },
  });
  assert.match(found.text, /needs_auth/);
  await agree(invitationOf(await app.tool('s', 'whoami', {}, named(ann, 'work'))).auth_url);
  assert.deepEqual(await hit(work), ['ready', '']);
  const nobody = await app.call('POST', '/v1/search', {
    body: { query: 'tells who asks' },
    headers: { 'x-mcprank-account': 'work' },
  });
  assert.equal(nobody.body.detail, 'X-MCPRank-Account: only with a user, whose account it is');
});

test('N13 a session at /mcp is one account’s: for the user’s other account it is not there', async (t) => {
  const { app, ann } = await startProtectedWorld(t);
  const say = (session: string | null, headers: Record<string, string>, message: object) =>
    app.call('POST', '/mcp', {
      body: { jsonrpc: '2.0', id: 1, ...message },
      headers: {
        ...headers,
        accept: 'application/json, text/event-stream',
        ...(session !== null && { 'mcp-session-id': session }),
      },
    });
  const hello = {
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
  };
  const opened = await say(null, named(ann, 'work').headers, hello);
  const session = opened.headers.get('mcp-session-id') ?? '';
  assert.notEqual(session, '');
  const ping = { method: 'ping' };
  assert.equal((await say(session, named(ann, 'work').headers, ping)).status, 200);
  assert.equal((await say(session, ann, ping)).status, 404);
  assert.equal((await say(session, named(ann, 'home').headers, ping)).status, 404);
});

test('F13 an account that is not there is nobody else’s either: not the operator’s', async (t) => {
  const { app, ann, as, server } = await startProtectedWorld(t);
  await agree(invitationOf(await app.tool('s', 'whoami', {}, { headers: ann })).auth_url);
  as.tokens.set('of-the-operator', ['read']);
  await app.add('s', server.mcp, { headers: { Authorization: 'Bearer of-the-operator' } });
  assert.equal(textOf(await app.tool('s', 'whoami')), 'of-the-operator');
  assert.equal((await app.tool('s', 'whoami', {}, named(ann, 'work'))).status, 403);
});

test('N13 the approval of a call by one account is none of the same call by another', async (t) => {
  const { app, ann } = await startProtectedWorld(t);
  for (const how of [{ headers: ann }, named(ann, 'work')])
    await agree(invitationOf(await app.tool('s', 'whoami', {}, how)).auth_url);
  const rules = [{ effect: 'ask', server: 's', tool: 'whoami', self: true }];
  await app.call('PUT', '/v1/admin/toolsets/careful', { body: { rules, default: 'allow' } });
  await app.call('PUT', '/v1/admin/toolsets/careful/bindings', { body: { developers: ['admin'] } });
  const asked = await app.tool('s', 'whoami', {}, named(ann, 'work'));
  const { id } = asked.body.approval as { id: string };
  await app.call('POST', `/v1/admin/approvals/${id}`, { body: { decision: 'approve' } });
  const other = await app.tool('s', 'whoami', {}, { headers: ann });
  assert.notEqual((other.body.approval as { id: string }).id, id);
  assert.equal((await app.tool('s', 'whoami', {}, named(ann, 'work'))).body.isError, false);
});

test('what an account’s call came to is not answered to another’s, under one key of repetition', async (t) => {
  const { app, ann } = await startProtectedWorld(t);
  await agree(invitationOf(await app.tool('s', 'whoami', {}, { headers: ann })).auth_url);
  await agree(invitationOf(await app.tool('s', 'whoami', {}, named(ann, 'work'))).auth_url);
  const once = (headers: Record<string, string>) =>
    app.tool('s', 'whoami', {}, { headers: { ...headers, 'idempotency-key': 'k1' } });
  const usual = await once(ann);
  assert.equal(textOf(await once(ann)), textOf(usual));
  assert.notEqual((await once(named(ann, 'work').headers)).text, usual.text);
});

test('at /me each account is shown, and another one gets the name that the user gives it', async (t) => {
  const { app, ann } = await startProtectedWorld(t);
  await agree(invitationOf(await app.tool('s', 'whoami', {}, { headers: ann })).auth_url);
  const browser = createBrowser();
  const me = await browser.follow(`${app.url}/me/sign-in`, { key: adminKey, user_id: 'ann' });
  const [, csrf = ''] = /name="csrf" value="([^"]+)"/.exec(me.text) ?? [];
  const asked = await browser.follow(`${app.url}/me/connect`, { csrf, server_id: 's', account: 'home' });
  assert.match(asked.text, /as home/);
  await browser.submit(asked);
  const after = await browser.follow(`${app.url}/me`);
  assert.match(after.text, /<p>home<\/p>/);
  assert.equal(after.text.match(/<h2>/g)?.length, 2);
});
