import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem, type ProblemKind } from '../../src/base/problem.ts';
import { bootMcp } from '../support/mcp-app.ts';
import { startRaw } from '../support/mcp-servers.ts';

const patch = (body: object) => ({ body });

test('a change of a server keeps all that it does not name, and header values are told to nobody', async (t) => {
  const app = await bootMcp(t);
  const upstream = await startRaw(t, (_seen, reply) => void reply.end());
  const tools = [{ name: 'send', description: 'Sends', inputSchema: { type: 'object' } }];
  await app.add('mail', upstream.url, {
    ...{ name: 'Mail', description: 'Sends mail', category: 'mail', tags: ['a', 'b'], tools },
    headers: { Authorization: 'Bearer kept-secret', 'X-Team': 'one' },
  });
  const before = await app.call('GET', '/v1/admin/servers/mail');
  assert.deepEqual(before.body.kept_headers, ['authorization', 'x-team']);
  assert.ok(!before.text.includes('kept-secret'));
  const rights = (await app.call('GET', '/v1/admin/servers/mail/rights')).text;

  const renamed = await app.call('PATCH', '/v1/admin/servers/mail', patch({ name: 'Post', tags: ['c'] }));
  const { updated_at: _, ...rest } = renamed.body;
  const { updated_at: __, ...old } = before.body;
  assert.deepEqual(rest, { ...old, name: 'Post', tags: ['c'] });
  const shown = await app.call('GET', '/v1/servers/mail');
  assert.deepEqual(
    (shown.body.tools as { name: string }[]).map(({ name }) => name),
    ['send'],
  );

  await app.call(
    'PATCH',
    '/v1/admin/servers/mail',
    patch({ headers: { 'X-TEAM': 'two', 'x-new': 'three' } }),
  );
  const kept = await app.services.catalog.credential('mail');
  assert.deepEqual(kept?.headers, { authorization: 'Bearer kept-secret', 'x-team': 'two', 'x-new': 'three' });
  const one = await app.call('PATCH', '/v1/admin/servers/mail', patch({ headers: { Authorization: null } }));
  assert.deepEqual(one.body.kept_headers, ['x-team', 'x-new']);
  const none = await app.call('PATCH', '/v1/admin/servers/mail', patch({ headers: null, category: null }));
  assert.deepEqual([none.body.kept_headers, none.body.category], [[], null]);
  assert.equal((await app.call('GET', '/v1/admin/servers/mail/rights')).text, rights);

  const moved = await app.call(
    'PATCH',
    '/v1/admin/servers/mail',
    patch({ remote_url: `${upstream.url}/other` }),
  );
  assert.equal(moved.status, 200);
  assert.deepEqual((await app.call('GET', '/v1/servers/mail')).body.tools, [], 'what another address listed');
});

test('a change of a server keeps what its users bring, and how the service signs itself in', async (t) => {
  const app = await bootMcp(t);
  const login = { issuer: 'https://login.example.com', client_id: 'us', client_secret: 'kept-secret' };
  await app.add('mail', 'https://{region}.example.com/mcp', {
    user_credentials: {
      headers: { 'X-Api-Key': '{key}' },
      variables: { key: { description: 'Your key' }, region: { choices: ['eu', 'us'] } },
    },
    headers: { 'X-Team': 'one' },
    client_credentials: login,
  });
  const brought = async () => (await app.call('GET', '/v1/servers/mail')).body.user_credentials;
  const machineLogin = async () => (await app.services.catalog.credential('mail'))?.machineLogin;
  const [asked, signsIn] = [await brought(), await machineLogin()];
  assert.equal(signsIn?.clientId, 'us');

  for (const change of [{ name: 'Post' }, { headers: { 'X-Team': 'two' } }, { headers: null }]) {
    assert.equal((await app.call('PATCH', '/v1/admin/servers/mail', patch(change))).status, 200);
    assert.deepEqual([await brought(), await machineLogin()], [asked, signsIn], JSON.stringify(change));
  }
  const moved = patch({ remote_url: 'https://mail.example.com/mcp' });
  assert.equal((await app.call('PATCH', '/v1/admin/servers/mail', moved)).status, 200);
  const { variables } = (await brought()) as { variables: object };
  assert.deepEqual(Object.keys(variables), ['key'], 'what stood in the old address is asked no more');
});

test('a change that was made from what is there no more is refused, and what was done meanwhile stays', async (t) => {
  const app = await bootMcp(t);
  const { catalog } = app.services;
  const { credential } = catalog;
  await app.add('mail', 'http://127.0.0.1:9/mcp', { headers: { 'x-one': '1' } });
  const change = (headers: object) => app.call('PATCH', '/v1/admin/servers/mail', patch({ headers }));
  /** A change that has read what there is, and writes after something else was done. */
  const overtaken = async (by: () => Promise<unknown>) => {
    const [hasRead, isDone] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const slow: typeof credential = async (id) => {
      const found = await credential(id);
      hasRead.resolve();
      await isDone.promise;
      return found;
    };
    Object.assign(catalog, { credential: slow });
    const reply = change({ 'x-late': 'late' });
    await hasRead.promise;
    Object.assign(catalog, { credential });
    await by();
    isDone.resolve();
    return reply;
  };
  const late = await overtaken(() => change({ 'x-one': null, 'x-two': '2' }));
  assert.deepEqual([late.status, late.body.code], [409, 'conflict'], late.text);
  assert.deepEqual((await change({})).body.kept_headers, ['x-two']);
  const gone = await overtaken(() => app.call('DELETE', '/v1/admin/servers/mail'));
  assert.deepEqual([gone.status, (await change({})).status], [409, 410]);
});

test('a change that is refused at its end leaves who may see the server as it was', async (t) => {
  const app = await bootMcp(t);
  const { catalog } = app.services;
  const stranger = await app.newKey();
  const parsed = catalog.parse({ id: 'mail', name: 'mail', remote_url: 'http://127.0.0.1:9/mcp' });
  assert.ok(parsed.ok);
  await catalog.put([parsed.input], 'import');
  const rights = async () => (await app.call('GET', '/v1/admin/servers/mail/rights')).text;
  const seen = async () => (await app.call('GET', '/v1/servers/mail', { key: stranger })).status;
  const put = catalog.put;
  const before = [await rights(), await seen()];
  assert.equal(before[1], 200);
  const failWith = (kind: ProblemKind) =>
    Object.assign(catalog, { put: () => Promise.reject(new Problem(kind, 'mail was changed meanwhile')) });
  failWith('conflict');
  const secret = { headers: { 'x-key': 'secret' } };
  assert.equal((await app.call('PATCH', '/v1/admin/servers/mail', patch(secret))).status, 409);
  assert.deepEqual([await rights(), await seen()], before);
  const posted = { id: 'mail', name: 'mail', remote_url: 'http://127.0.0.1:9/mcp', visibility: 'private' };
  failWith('unavailable');
  assert.equal((await app.call('POST', '/v1/admin/servers', { body: [posted] })).status, 503);
  assert.deepEqual([await rights(), await seen()], before);
  Object.assign(catalog, { put });
  assert.equal((await app.call('PATCH', '/v1/admin/servers/mail', patch(secret))).status, 200);
  assert.equal(await seen(), 404);
  const said = await rights();
  failWith('unavailable');
  await app.call('POST', '/v1/admin/servers', { body: { ...posted, granted: [{ developer: '*' }] } });
  assert.equal(await rights(), said, 'what was said before is said again');
});

test('who may see a server that was put after all is not taken back, whatever its change was answered', async (t) => {
  const app = await bootMcp(t);
  const { catalog, policy } = app.services;
  const stranger = await app.newKey();
  const { put } = catalog;
  const server = (id: string) => ({ id, name: id, remote_url: 'http://127.0.0.1:9/mcp' });
  // The store took it, and its answer was lost.
  Object.assign(catalog, {
    async put(...args: Parameters<typeof put>) {
      await put(...args);
      throw new Problem('unavailable', 'The database does not answer');
    },
  });
  const posted = { ...server('secret'), visibility: 'private' };
  assert.equal((await app.call('POST', '/v1/admin/servers', { body: posted })).status, 503);
  Object.assign(catalog, { put });
  assert.equal((await app.call('GET', '/v1/admin/servers/secret')).status, 200);
  assert.equal((await app.call('GET', '/v1/servers/secret', { key: stranger })).status, 404);

  // Of two that bring credentials at once one is taken.
  const parsed = catalog.parse(server('mail'));
  assert.ok(parsed.ok);
  await catalog.put([parsed.input], 'import');
  const { admin } = policy;
  const { putRights } = admin;
  const both = Promise.withResolvers<void>();
  let waiting = 0;
  Object.assign(admin, {
    async putRights(...args: Parameters<typeof putRights>) {
      if (++waiting === 2) both.resolve();
      await both.promise;
      return putRights(...args);
    },
  });
  const bring = (n: number) =>
    app.call('PATCH', '/v1/admin/servers/mail', patch({ headers: { 'x-key': `secret ${n}` } }));
  const statuses = (await Promise.all([0, 1].map(bring))).map(({ status }) => status).sort();
  assert.deepEqual([statuses, admin.hasRights('mail')], [[200, 409], true]);
});

test('a change that cannot be is refused by the name of its field, and nothing of it is done', async (t) => {
  const app = await bootMcp(t);
  await app.add('mail', 'http://127.0.0.1:9/mcp');
  const before = (await app.call('GET', '/v1/admin/servers/mail')).text;
  for (const [body, words] of [
    [{ name: '' }, /^name: /],
    [{ name: 'Good', remote_url: 'ftp://x.example' }, /^remote_url: /],
    [{ remote_url: 'http://10.0.0.1/mcp' }, /^remote_url: /],
    [{ transport: 'stdio' }, /^transport: /],
    [{ auth_type: 'magic' }, /^auth_type: /],
    [{ headers: { Host: 'x' } }, /^headers: .*host/],
    [{ headers: { 'x-a': 'line\nbreak' } }, /^headers.x-a: /],
    [{ tags: ['ok', ''] }, /^tags/],
    [{ id: 'other' }, /^id: /],
    [{ visibility: 'public' }, /^visibility: /],
  ] as const) {
    const reply = await app.call('PATCH', '/v1/admin/servers/mail', patch(body));
    assert.equal(reply.status, 400, JSON.stringify(body));
    assert.match(String(reply.body.detail), words);
  }
  assert.equal((await app.call('GET', '/v1/admin/servers/mail')).text, before);
  assert.equal((await app.call('PATCH', '/v1/admin/servers/none', patch({ name: 'x' }))).status, 404);
  await app.call('DELETE', '/v1/admin/servers/mail');
  assert.equal((await app.call('PATCH', '/v1/admin/servers/mail', patch({ name: 'x' }))).status, 410);
});

test('credentials that come later make a public server private; the mark of a registry is not the operator’s', async (t) => {
  const app = await bootMcp(t);
  await app.put('listed', 'http://127.0.0.1:9/mcp');
  const parsed = app.services.catalog.parse({
    ...{ id: 'marked', name: 'Marked', remote_url: 'http://127.0.0.1:9/mcp', verified: true },
  });
  assert.ok(parsed.ok);
  await app.services.catalog.put([parsed.input], 'import');
  const reader = await app.newKey({ scopes: ['search'] });
  assert.equal((await app.call('GET', '/v1/servers/listed', { key: reader })).status, 200);
  await app.call('PATCH', '/v1/admin/servers/listed', patch({ headers: { 'x-key': 'ours' } }));
  assert.equal((await app.call('GET', '/v1/servers/listed', { key: reader })).status, 404);

  const edited = await app.call('PATCH', '/v1/admin/servers/marked', patch({ description: 'In our words' }));
  assert.equal(edited.body.verified, false);
  const said = await app.call('PATCH', '/v1/admin/servers/marked', patch({ verified: true }));
  assert.equal(said.body.verified, true);
  assert.equal((await app.services.catalog.get('marked')).trusted, true);
});

test('a server of a file is changed in the file', async (t) => {
  const app = await bootMcp(t);
  for (const [source, file] of [
    ['config', '--mcp-config'],
    ['apply', 'mcprank apply'],
  ] as const) {
    const parsed = app.services.catalog.parse({
      id: source,
      name: source,
      remote_url: 'http://127.0.0.1:9/mcp',
    });
    assert.ok(parsed.ok);
    await app.services.catalog.put([parsed.input], source);
    const reply = await app.call('PATCH', `/v1/admin/servers/${source}`, patch({ name: 'x' }));
    assert.deepEqual([reply.status, String(reply.body.detail).includes(file)], [409, true]);
  }
});

test('servers of the starter can be changed as it stands', async (t) => {
  const app = await bootMcp(t, {}, { MCPRANK_STARTER: 'on' });
  const { servers } = await app.services.catalog.list({ limit: 20 });
  assert.equal(servers.length, 20);
  for (const { id } of servers) {
    const path = `/v1/admin/servers/${encodeURIComponent(id)}`;
    const { updated_at: _, verified: __, source: ___, ...before } = (await app.call('GET', path)).body;
    const {
      updated_at: ____,
      verified: _v,
      source,
      ...after
    } = (await app.call('PATCH', path, patch({}))).body;
    assert.deepEqual([after, source], [before, 'admin']);
  }
});

test('the list comes in the order that was asked for, page by page, for whoever sees less as well', async (t) => {
  const app = await bootMcp(t);
  for (const [i, name] of ['b', 'c', 'a'].entries())
    await app.add(`id ${i}`, 'http://127.0.0.1:9/mcp', { name, tools: [{ name, description: name }] });
  await app.add('hidden', 'http://127.0.0.1:9/mcp', { name: 'a first', visibility: 'private' });
  const key = await app.newKey({ scopes: ['search'] });
  const found: string[] = [];
  let cursor = '';
  do {
    const reply = await app.call('GET', `/v1/servers?sort=name&limit=1${cursor}`, { key });
    found.push(...(reply.body.servers as { name: string }[]).map(({ name }) => name));
    const { next_cursor: next } = reply.body.metadata as { next_cursor?: string };
    cursor = next === undefined ? '' : `&cursor=${next}`;
  } while (cursor !== '');
  assert.deepEqual(found, ['a', 'b', 'c']);
  assert.equal((await app.call('GET', '/v1/servers?sort=size')).status, 400);
});
