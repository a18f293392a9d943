import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { adminKey, bootApp } from '../support/app.ts';
import { isFullRun } from '../support/full-run.ts';
import { bootMcp, type McpTestApp } from '../support/mcp-app.ts';
import { startToolServer } from '../support/mcp-servers.ts';
import { engines } from '../support/stores.ts';

const names = ['read_file', 'write_file', 'read_mail', 'send_mail'];
const tool = (name: string) => ({
  name,
  description: `To ${name.replace('_', ' a ')}`,
  inputSchema: { type: 'object' },
});

async function boot(t: TestContext): Promise<{ app: McpTestApp; key: string; keyId: string }> {
  const app = await bootMcp(t);
  const upstream = await startToolServer(t, () => names.map(tool));
  await app.add('files', upstream.url, { tags: ['disk'], tools: names.slice(0, 2).map(tool) });
  await app.add('mail', upstream.url, { category: 'Post', tools: names.slice(2).map(tool) });
  await app.services.search.settled();
  const made = await app.call('POST', '/v1/admin/keys', {
    body: { developer: 'acme', name: 'ci', tier: 'enterprise' },
  });
  return { app, key: String(made.body.key), keyId: String(made.body.key_id) };
}

const put = (app: McpTestApp, rules: unknown, more: object = {}, name = 'set') =>
  app.call('PUT', `/v1/admin/toolsets/${name}`, { body: { rules, ...more } });
const bind = (app: McpTestApp, body: unknown, name = 'set') =>
  app.call('PUT', `/v1/admin/toolsets/${name}/bindings`, { body });

const rpc = (method: string, params: object = {}) => ({ jsonrpc: '2.0', id: 1, method, params });
type Answer = { error?: { code: number; data?: unknown }; result?: { tools?: { name: string }[] } };

test('a tool that the toolset denies is denied at every door, and the others go through', async (t) => {
  const { app, key } = await boot(t);
  await put(app, [{ effect: 'allow', tool: 'read_*' }]);
  await bind(app, { developers: ['acme'] });
  const message = 'The toolset set does not allow write_file: ask whoever gave you the key';
  const denied = { code: 'denied', message, toolset: 'set' };
  for (const [name, allowed] of [
    ['read_file', true],
    ['write_file', false],
  ] as const) {
    const rest = await app.tool('files', name, {}, { key });
    const whole = await app.call('POST', '/v1/mcp/call', {
      key,
      body: { server_id: 'files', method: 'tools/call', params: { name, arguments: {} } },
    });
    const noted = await app.call('POST', '/v1/invocations', {
      key,
      body: { server_id: 'files', tool_name: name, success: true },
    });
    assert.deepEqual([rest.status, whole.status, noted.status], allowed ? [200, 200, 201] : [403, 403, 403]);
    if (!allowed) assert.deepEqual(rest.body.detail, denied);
    const params = { name, arguments: {} };
    const inner = { name: 'call_tool', arguments: { server_id: 'files', ...params } };
    for (const [path, asked] of [
      ['/mcp/servers/files', params],
      ['/mcp', inner],
    ] as const) {
      const { body } = await app.call('POST', path, { key, body: rpc('tools/call', asked) });
      const { error } = body as Answer;
      assert.deepEqual(error?.code, allowed ? undefined : -32003, `${path} ${name}`);
      if (!allowed) assert.deepEqual(error?.data, { code: 'denied', toolset: 'set' });
    }
  }
  assert.equal(
    (await app.tool('files', 'write_file')).status,
    200,
    'whom nothing is bound to notices nothing',
  );
});

const shown = (body: unknown) => ((body as Answer).result?.tools ?? []).map(({ name }) => name);

test('what is denied is listed nowhere: tools/list at every door, search, browsing, counts', async (t) => {
  const { app, key } = await boot(t);
  await put(app, [{ effect: 'allow', tool: 'read_*' }]);
  await bind(app, { developers: ['acme'] });
  const listed = await app.list('files', key);
  assert.deepEqual(
    (listed.body.tools as { name: string }[]).map(({ name }) => name),
    ['read_file', 'read_mail'],
  );
  const whole = await app.call('POST', '/v1/mcp/call', {
    key,
    body: { server_id: 'files', method: 'tools/list' },
  });
  assert.deepEqual(shown(whole.body), ['read_file', 'read_mail']);
  for (const path of ['/mcp/servers/files', '/mcp'])
    assert.deepEqual(
      shown((await app.call('POST', path, { key, body: rpc('tools/list') })).body),
      path === '/mcp' ? ['files__read_file', 'mail__read_mail'] : ['read_file', 'read_mail'],
      path,
    );
  const found = await app.call('POST', '/v1/search', { key, body: { query: 'send a mail' } });
  assert.ok(!found.text.includes('send_mail') && found.text.includes('read_mail'), found.text);
  const browsed = await app.call('GET', '/v1/servers/mail', { key });
  assert.ok(!browsed.text.includes('send_mail'));
  assert.equal((await app.call('GET', '/v1/catalogue', { key })).body.tools, 2);
});

test('a query that only hidden tools answer finds nothing by them, and its totals do not move', async (t) => {
  const { app, key } = await boot(t);
  await put(app, [{ effect: 'allow', server: 'files' }]);
  await bind(app, { developers: ['acme'] });
  const ask = async (query: string) =>
    (await app.call('POST', '/v1/search', { key, body: { query, explain: true } })).body as {
      servers: { id: string }[];
      metadata: { total_candidates: number };
    };
  const hidden = await ask('send a mail');
  assert.equal(hidden.metadata.total_candidates, 1);
  assert.deepEqual(
    hidden.servers.filter(({ id }) => id === 'mail'),
    [],
  );
  await put(app, [{ effect: 'allow', tool: 'write_file' }]);
  const partly = await ask('read a file');
  assert.deepEqual(
    partly.servers
      .flatMap((each) => (each as { tools?: { name: string }[] }).tools ?? [])
      .map(({ name }) => name),
    partly.servers.length === 0 ? [] : ['write_file'],
  );
});

test('resources and prompts follow rules about the whole server, not those about tools', async (t) => {
  const { app, key } = await boot(t);
  await bind(app, { developers: ['acme'] });
  const resources = async () =>
    (await app.call('POST', '/v1/mcp/call', { key, body: { server_id: 'files', method: 'resources/list' } }))
      .status;
  await put(app, [{ effect: 'allow', server: 'files', tool: 'read_*' }]);
  await bind(app, { developers: ['acme'] });
  assert.equal(await resources(), 403);
  await put(app, [{ effect: 'allow', server: 'files' }]);
  assert.equal(await resources(), 200);
});

test('toolsets of a key and of its developer count together; taken away, nothing is left of them', async (t) => {
  const { app, key, keyId } = await boot(t);
  await put(app, [{ effect: 'allow', server: '*' }], {}, 'wide');
  await put(app, [{ effect: 'deny', tags: ['disk'] }], { default: 'allow' }, 'narrow');
  await bind(app, { developers: ['acme'] }, 'wide');
  await bind(app, { keys: [keyId] }, 'narrow');
  assert.equal((await app.tool('files', 'read_file', {}, { key })).status, 403);
  assert.equal((await app.tool('mail', 'send_mail', {}, { key })).status, 200);
  const preview = await app.call('GET', `/v1/admin/toolsets/wide/preview?key_id=${keyId}`);
  const [files] = preview.body.servers as { decision: unknown }[];
  assert.deepEqual(files?.decision, { effect: 'deny', toolset: 'narrow' });
  await app.call('DELETE', '/v1/admin/toolsets/narrow');
  assert.equal((await app.tool('files', 'read_file', {}, { key })).status, 200);
});

test('a fault names the rule and the field; a rule that fits nothing is a warning with what comes close', async (t) => {
  const { app } = await boot(t);
  const wrong = await put(app, [{ effect: 'allow' }, { effect: 'forbid' }]);
  assert.deepEqual(
    [wrong.status, wrong.body.detail],
    [400, 'rules[1].effect: expected one of allow, deny, ask'],
  );
  const unknownMember = await put(app, [], { result_budget: 50_000 });
  assert.match(String(unknownMember.body.detail), /^result_budget: /, 'nothing is promised that is not done');
  const warned = await put(app, [
    { effect: 'allow', server: 'file' },
    { effect: 'deny', server: 'mail' },
  ]);
  assert.deepEqual(warned.body.warnings, ['rules[0]: fits no tool here; near: files']);
  const unknown = await bind(app, { developers: ['nobody'] });
  assert.deepEqual(unknown.body.detail, 'developers[0]: unknown; expected one that has a key here');
});

test('/mcp/t/{name} is a toolset as a server of its own: its tools as they are, and nothing that the caller may not use otherwise', async (t) => {
  const { app, key } = await boot(t);
  await put(app, [{ effect: 'allow', tool: 'read_*' }], {}, 'readers');
  await put(app, [{ effect: 'deny', server: 'mail' }], { default: 'allow' }, 'no-mail');
  await bind(app, { developers: ['acme'] }, 'no-mail');
  const at = async (by: string, method: string, params: object = {}) =>
    (await app.call('POST', '/mcp/t/readers', { key: by, body: rpc(method, params) })).body;
  assert.deepEqual(shown(await at(adminKey, 'tools/list')), ['files__read_file', 'mail__read_mail']);
  assert.deepEqual(shown(await at(key, 'tools/list')), ['files__read_file']);
  const call = async (by: string, name: string) => {
    const { result, error } = (await at(by, 'tools/call', { name, arguments: {} })) as Answer;
    return error?.code ?? (result as { isError?: boolean }).isError ?? false;
  };
  assert.equal(await call(adminKey, 'files__read_file'), false);
  assert.equal(await call(adminKey, 'files__write_file'), -32602, 'what is not in it is unknown');
  assert.equal(await call(key, 'mail__read_mail'), -32602);
  const named = { name: 'call_tool', arguments: { server_id: 'files', name: 'write_file', arguments: {} } };
  assert.equal(
    ((await at(adminKey, 'tools/call', named)) as Answer).error?.code,
    -32003,
    'nor by its other name',
  );
  const initialize = await app.call('POST', '/mcp/t/readers', {
    body: rpc('initialize', {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 't', version: '1' },
    }),
  });
  const session = { 'mcp-session-id': initialize.headers.get('mcp-session-id') ?? '' };
  const elsewhere = await app.call('POST', '/mcp', { body: rpc('tools/list'), headers: session });
  assert.equal(elsewhere.status, 404, 'a session is of one door');
  assert.equal((await app.call('POST', '/mcp/t/none-such', { body: rpc('ping') })).status, 404);
});

const effect = fc.constantFrom('allow', 'deny');
const pattern = fc.constantFrom('*', 'read_*', '*_file', 'send_mail', 'nothing');
const rules = fc.array(
  fc.record(
    { effect, server: fc.constantFrom('files', 'mail', '*'), tool: pattern },
    { requiredKeys: ['effect'] },
  ),
  { maxLength: 4 },
);

test('the decision is that of the rules, whichever door is asked', async (t) => {
  const { app, key } = await boot(t);
  await put(app, []);
  await bind(app, { developers: ['acme'] });
  await fc.assert(
    fc.asyncProperty(rules, effect, async (list, fallback) => {
      await put(app, list, { default: fallback });
      for (const server of ['files', 'mail'])
        for (const name of server === 'files' ? names.slice(0, 2) : names.slice(2)) {
          const fits = list.filter((rule) => like(server, rule.server) && like(name, rule.tool));
          const effects = fits.map((rule) => rule.effect);
          const denied = effects.includes('deny') || (effects.length === 0 && fallback === 'deny');
          const { status } = await app.tool(server, name, {}, { key });
          assert.equal(status, denied ? 403 : 200, `${server} ${name} ${JSON.stringify(list)}`);
          const { text } = await app.call('GET', `/v1/servers/${server}`, { key });
          assert.equal(
            text.includes(`"${name}"`),
            !denied,
            `${server} ${name} ${JSON.stringify(list)}: ${text}`,
          );
        }
    }),
    { numRuns: isFullRun ? 100 : 8 },
  );
});

const like = (text: string, by: string | undefined) =>
  by === undefined || new RegExp(`^${by.replaceAll('*', '.*')}$`).test(text);

for (const engine of engines)
  test(`${engine.name}: a binding is effective in another process within a second, and outlives a restart`, {
    skip: engine.skip,
  }, async (t) => {
    const env = await engine.environment(t);
    const [here, there] = [await bootApp(t, env), await bootApp(t, env)];
    const key = await here.newKey();
    await here.call('POST', '/v1/admin/servers', {
      body: { id: 's', name: 's', remote_url: 'https://s.example/mcp' },
    });
    await here.call('PUT', '/v1/admin/toolsets/none', { body: { rules: [] } });
    await here.call('PUT', '/v1/admin/toolsets/none/bindings', { body: { developers: ['developer 1'] } });
    const status = async () => (await there.call('GET', '/v1/servers/s', { key })).status;
    for (let tries = 0; (await status()) !== 404 && tries < 100; tries++)
      await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(await status(), 404);
    assert.equal((await there.call('GET', '/v1/servers/s', { key: adminKey })).status, 200);
    // What has just been written elsewhere is nobody else's for no moment, whether or not a notice came.
    const other = await here.newKey();
    const open = (id: string) => there.call('GET', `/v1/servers/${id}`, { key: other });
    assert.equal((await open('s')).status, 200);
    for (let i = 0; i < 10; i++) {
      const server = {
        id: `own-${i}`,
        name: 'own',
        remote_url: 'https://s.example/mcp',
        visibility: 'private',
      };
      await here.call('POST', '/v1/admin/servers', { body: server });
      assert.equal((await open(server.id)).status, 404);
    }
    // Two calls of one script may come to two processes.
    for (let i = 0; i < 5; i++) {
      const path = `/v1/admin/toolsets/quick-${i}`;
      await here.call('PUT', path, { body: { rules: [] } });
      assert.equal((await there.call('PUT', `${path}/bindings`, { body: {} })).status, 200);
    }
    await there.close();
    const again = await bootApp(t, env);
    assert.equal((await again.call('GET', '/v1/servers/s', { key })).status, 404);
  });
