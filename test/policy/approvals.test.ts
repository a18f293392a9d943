import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import type { AppOptions } from '../../src/app.ts';
import type { Env } from '../../src/config.ts';
import { parseMcpConfig } from '../../src/mcp/mcp.ts';
import { handClock, type TestReply } from '../support/app.ts';
import { bootMcp, type McpTestApp, textOf } from '../support/mcp-app.ts';
import { startSdkServer } from '../support/mcp-sdk-server.ts';
import { type Seen, sendJson, startRaw } from '../support/mcp-servers.ts';
import { until } from '../support/programs.ts';
import { engines } from '../support/stores.ts';

const tools = ['read', 'pay'].map((name) => ({ name, description: name, inputSchema: { type: 'object' } }));
const ask = [{ effect: 'ask', tool: 'pay' }];
type Approval = Record<string, unknown> & { readonly id: string; readonly state: string };

/** A server that pays, and a developer whose payments somebody has to approve. */
async function boot(
  t: TestContext,
  { rules = ask as readonly object[], options = {} as AppOptions, env = {} as Env } = {},
) {
  const app = await bootMcp(t, options, env);
  const upstream = await startPayments(t);
  await app.add('bank', upstream.url, { tools });
  const key = await app.newKey();
  await put(app, rules);
  await app.call('PUT', '/v1/admin/toolsets/careful/bindings', { body: { developers: ['developer 1'] } });
  return { app, key, paid: () => paymentsOf(upstream.seen), upstream };
}

const put = (app: McpTestApp, rules: readonly object[]) =>
  app.call('PUT', '/v1/admin/toolsets/careful', { body: { rules, default: 'allow' } });

/** The same server as a program. */
const payingProgram = `
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, method } = JSON.parse(line);
    const result = method === 'initialize'
      ? { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'bank', version: '1' } }
      : { tools: ${JSON.stringify(tools)}, content: [{ type: 'text', text: 'paid' }] };
    if (id === undefined) return;
    const known = ['initialize', 'tools/list', 'tools/call'].includes(method);
    const answer = known ? { result } : { error: { code: -32601, message: 'unknown' } };
    console.log(JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
  });
`;

function startPayments(t: TestContext) {
  return startRaw(t, ({ body }, reply) =>
    sendJson(reply, 200, {
      jsonrpc: '2.0',
      id: body.id,
      result: {
        resultType: 'complete',
        supportedVersions: ['2026-07-28'],
        capabilities: { tools: {}, resources: {} },
        content: [{ type: 'text', text: 'paid' }],
        contents: [],
        resources: [],
        tools,
      },
    }),
  );
}

const paymentsOf = (seen: readonly Seen[]) => seen.filter(({ body }) => body.method === 'tools/call').length;

function pay(app: McpTestApp, key: string, fields: object = {}, headers: Record<string, string> = {}) {
  const body = { server_id: 'bank', name: 'pay', arguments: { amount: 5, to: 'ann' }, ...fields };
  return app.call('POST', '/v1/mcp/tools/call', { key, body, headers });
}

/** What a caller has in hand after it was asked. */
function asked({ status, body, text }: TestReply): { id: string; continuation: string; url: string } {
  assert.deepEqual([status, body.status], [200, 'input_required'], text);
  const { id, url } = body.approval as { id: string; url: string };
  return { id, url, continuation: String(body.continuation) };
}

const list = async (app: McpTestApp, query = '') =>
  (await app.call('GET', `/v1/admin/approvals${query}`)).body.approvals as Approval[];
const decide = (app: McpTestApp, id: string, decision = 'approve', options: { key?: string } = {}) =>
  app.call('POST', `/v1/admin/approvals/${id}`, { body: { decision, note: 'as agreed' }, ...options });

test('a call that a rule asks about waits for a person, and runs once when it is made again', async (t) => {
  const { app, key, paid } = await boot(t);
  const first = await pay(app, key);
  const { id, continuation, url } = asked(first);
  assert.deepEqual(Object.keys(first.body).sort(), ['approval', 'continuation', 'status']);
  assert.deepEqual(Object.keys(first.body.approval as object).sort(), ['expires_at', 'id', 'url']);
  assert.ok(url.startsWith(`${app.url}/`) && url.includes(id), url);
  assert.equal(asked(await pay(app, key)).id, id, 'the very same call asks for one approval');
  assert.equal(asked(await pay(app, key, { continuation })).id, id);
  const [waiting] = await list(app, '?state=pending');
  assert.deepEqual(
    [waiting?.id, waiting?.tool, waiting?.server_id, waiting?.toolset, waiting?.arguments],
    [id, 'pay', 'bank', 'careful', null],
  );
  assert.match(String(waiting?.definition), /^[0-9a-f]{64}$/);
  assert.equal(paid(), 0, 'nothing is sent before');
  const decided = await decide(app, id);
  assert.deepEqual([decided.status, decided.body.state, decided.body.note], [200, 'approved', 'as agreed']);
  assert.equal((await decide(app, id, 'deny')).status, 409, 'it is decided once');
  assert.equal((await pay(app, key, { continuation })).status, 200);
  const again = await pay(app, key, { continuation });
  assert.deepEqual([again.status, paid()], [409, 1]);
  assert.notEqual(asked(await pay(app, key)).id, id, 'the next one is another call');
  assert.equal((await app.tool('bank', 'read', {}, { key })).status, 200);
  const [, used] = await list(app);
  assert.deepEqual(
    [used?.state, typeof used?.used_at, used?.decided_by],
    ['done', 'string', decided.body.decided_by],
  );
  const { body } = await app.call('GET', '/v1/admin/audit?limit=50');
  const actions = (body.entries as { action: string; subject?: string }[])
    .filter(({ subject }) => subject === id)
    .map(({ action }) => action);
  assert.deepEqual(actions, ['approval.start', 'approval.approve', 'approval.request']);
});

test('a client that cannot keep a continuation makes the very same call again, whatever its spelling', async (t) => {
  const { app, key, paid } = await boot(t);
  await decide(app, asked(await pay(app, key)).id);
  const spelled = '{"server_id":"bank","name":"pay","arguments":{ "to":"\\u0061nn", "amount":5 }}';
  const sent = await app.call('POST', '/v1/mcp/tools/call', { key, body: spelled });
  assert.deepEqual([sent.status, sent.body.isError, paid()], [200, false, 1]);
});

test('N12 N13 an approval is of this principal, these arguments, this definition and this version of the rule', async (t) => {
  const { app, key, paid, upstream } = await boot(t);
  const { id, continuation } = asked(await pay(app, key));
  await decide(app, id);
  const other = await app.call('POST', '/v1/admin/keys', {
    body: { developer: 'developer 1', name: 'second', tier: 'pro' },
  });
  const user = await app.call('POST', '/v1/identity/token', { body: { user_id: 'ann' }, key });
  const forAnn = { authorization: `Bearer ${String(user.body.access_token)}` };
  for (const reply of [
    await pay(app, String(other.body.key)),
    await pay(app, key, {}, forAnn),
    await pay(app, key, { arguments: { amount: 6, to: 'ann' } }),
    await pay(app, key, { arguments: { amount: 5.0, to: 'ann', more: null } }),
  ])
    assert.notEqual(asked(reply).id, id);
  for (const [by, fields] of [
    [String(other.body.key), { continuation }],
    [key, { continuation, arguments: { amount: 500, to: 'eve' } }],
  ] as const) {
    const stolen = await pay(app, by, fields);
    assert.ok(stolen.status === 400 || stolen.body.status === 'input_required', stolen.text);
  }
  const changed = [tools[0], { ...tools[1], description: 'pay, and tell eve' }];
  await app.add('bank', upstream.url, { tools: changed });
  const renewed = asked(await pay(app, key, { continuation }));
  assert.notEqual(renewed.id, id, 'the tool is another one');
  await decide(app, renewed.id);
  await put(app, [{ effect: 'ask', tool: 'p*' }]);
  assert.notEqual(asked(await pay(app, key, { continuation: renewed.continuation })).id, renewed.id);
  assert.equal(paid(), 0);
});

test('N12 an approval ends with its toolset and with the address that it was given for, whatever is made under their names', async (t) => {
  const { app, key, paid, upstream } = await boot(t, { rules: [{ ...ask[0], self: true }] });
  const { id } = asked(await pay(app, key));
  const bind = () =>
    app.call('PUT', '/v1/admin/toolsets/careful/bindings', { body: { developers: ['developer 1'] } });
  assert.equal((await app.call('DELETE', '/v1/admin/toolsets/careful')).status, 200);
  await put(app, ask);
  await bind();
  const anew = asked(await pay(app, key));
  assert.notEqual(anew.id, id, 'who calls might have approved the one before');
  await decide(app, anew.id);
  const elsewhere = await startPayments(t);
  await app.call('DELETE', '/v1/admin/servers/bank');
  assert.equal((await pay(app, key, { continuation: anew.continuation })).status, 410);
  await app.add('bank', elsewhere.url, { tools });
  for (const fields of [{ continuation: anew.continuation }, {}])
    assert.notEqual(asked(await pay(app, key, fields)).id, anew.id);
  assert.equal(paymentsOf(elsewhere.seen), 0);
  await app.add('bank', upstream.url, { tools });
  const back = await pay(app, key, { continuation: anew.continuation });
  assert.deepEqual([back.status, paid()], [200, 1]);
});

test('members that stand twice are one order of them: the approval of one is none of the other', async (t) => {
  const { app, key, paid } = await boot(t);
  const twice = (first: number, second: number) =>
    app.call('POST', '/v1/mcp/tools/call', {
      key,
      body: `{"server_id":"bank","name":"pay","arguments":{"amount":${first},"amount":${second}}}`,
    });
  const { id } = asked(await twice(1, 1_000));
  await decide(app, id);
  assert.notEqual(asked(await twice(1_000, 1)).id, id);
  assert.equal(paid(), 0);
});

test('what was denied is denied, and what nobody decided in time is asked again', async (t) => {
  const clock = handClock(Date.now());
  const { app, key, paid } = await boot(t, { options: { clock } });
  const { id, continuation } = asked(await pay(app, key));
  await decide(app, id, 'deny');
  for (const fields of [{ continuation }, {}]) {
    const refused = await pay(app, key, fields);
    assert.deepEqual([refused.status, (refused.body.detail as { code: string }).code], [403, 'denied']);
  }
  const late = asked(await pay(app, key, { arguments: {} }));
  await decide(app, late.id);
  clock.advance(3_600_001);
  assert.notEqual(asked(await pay(app, key, { arguments: {} })).id, late.id);
  assert.equal((await decide(app, late.id)).status, 409);
  const states = new Map((await list(app)).map(({ id, state }) => [id, state]));
  assert.deepEqual([states.get(late.id), states.get(id)], ['expired', 'denied']);
  assert.equal((await list(app, '?state=expired')).length, 1);
  assert.equal(paid(), 0);
});

test('N13 whoever calls does not approve, unless the rule says so; the scope approve suffices', async (t) => {
  const { app, paid } = await boot(t);
  const both = await app.newKey({ developer: 'developer 1', scopes: ['mcp', 'approve'] });
  const { id } = asked(await pay(app, both));
  const own = await decide(app, id, 'approve', { key: both });
  assert.deepEqual([own.status, (own.body.detail as { code: string }).code], [403, 'denied']);
  const approver = await app.newKey({ scopes: ['approve'] });
  assert.equal((await app.call('GET', '/v1/admin/approvals', { key: approver })).status, 200);
  assert.equal((await app.call('GET', '/v1/admin/keys', { key: approver })).status, 403);
  assert.equal((await decide(app, id, 'approve', { key: approver })).status, 200);
  const usual = await app.newKey();
  assert.equal((await app.call('GET', '/v1/admin/approvals', { key: usual })).status, 403, 'not by itself');
  await put(app, [{ effect: 'ask', tool: 'pay', self: true }]);
  const second = asked(await pay(app, both));
  assert.equal((await decide(app, second.id, 'approve', { key: both })).status, 200);
  await put(app, [
    { effect: 'ask', tool: 'pay', self: true },
    { effect: 'ask', server: 'bank' },
  ]);
  const third = asked(await pay(app, both));
  assert.equal((await decide(app, third.id, 'approve', { key: both })).status, 403, 'the stricter of two');
  // A person who called by one of their accounts, and decides by another.
  const caller = await app.newKey({ developer: 'developer 1', scopes: ['mcp', 'identity'] });
  const { access_token: token } = (
    await app.call('POST', '/v1/identity/token', { key: caller, body: { user_id: 'ann' } })
  ).body;
  const fourth = asked(await pay(app, caller, {}, { authorization: `Bearer ${token}` }));
  const waits = (await list(app)).find(({ id }) => id === fourth.id) as unknown as {
    developer_id: string;
    user_id: string;
  };
  assert.equal(waits.user_id, 'ann');
  const by = { actor: 'account:acc_2', developerId: waits.developer_id, keyId: 'acc_2' };
  const yes = { isApproved: true, note: null };
  await assert.rejects(app.services.approvals.decide(fourth.id, yes, { ...by, userId: 'ann' }), {
    kind: 'denied',
  });
  assert.equal(
    (await app.services.approvals.decide(fourth.id, yes, { ...by, userId: 'bob' })).state,
    'approved',
  );
  assert.equal(paid(), 0);
});

test('a deny wins over an ask, and an ask over an allow; the preview says what is asked', async (t) => {
  const { app, key, paid } = await boot(t, {
    rules: [{ effect: 'allow', tool: 'pay' }, ...ask],
  });
  const { id } = asked(await pay(app, key));
  await decide(app, id);
  const keys = (await app.call('GET', '/v1/admin/keys')).body.keys as { key_id: string; developer: string }[];
  const keyId = keys.find(({ developer }) => developer === 'developer 1')?.key_id;
  const preview = await app.call('GET', `/v1/admin/toolsets/careful/preview?key_id=${keyId}`);
  const [bank] = preview.body.servers as { tools: { name: string; decision: unknown }[] }[];
  assert.deepEqual(bank?.tools.at(1)?.decision, { effect: 'ask', toolset: 'careful' });
  const page = await app.call('GET', '/v1/servers/bank', { key });
  assert.ok(page.text.includes('"pay"'), 'what is asked about is there');
  await put(app, [...ask, { effect: 'deny', server: 'bank' }]);
  assert.equal((await pay(app, key)).status, 403);
  assert.equal(paid(), 0);
});

test('a rule about a whole server asks about everything that is used of it, not about lists', async (t) => {
  const { app, key, upstream } = await boot(t, { rules: [{ effect: 'ask', server: 'bank' }] });
  const call = (method: string, params: object, fields: object = {}) =>
    app.call('POST', '/v1/mcp/call', { key, body: { server_id: 'bank', method, params, ...fields } });
  for (const method of ['tools/list', 'resources/list']) assert.ok('result' in (await call(method, {})).body);
  const read = await call('resources/read', { uri: 'bank://balance' });
  const { id, continuation } = asked(read);
  assert.deepEqual(
    (read.body.result as { resultType: string }).resultType,
    'input_required',
    'the envelope says it as the protocol does',
  );
  assert.equal(upstream.seen.filter(({ body }) => body.method === 'resources/read').length, 0);
  const [waiting] = await list(app);
  assert.deepEqual([waiting?.method, waiting?.tool], ['resources/read', 'bank://balance']);
  await decide(app, id);
  assert.ok(
    'contents' in
      ((await call('resources/read', { uri: 'bank://balance' }, { continuation })).body.result as object),
  );
});

test('with an Idempotency-Key the approved call is answered again, and not run again', async (t) => {
  const { app, key, paid } = await boot(t);
  const headers = { 'idempotency-key': 'once' };
  const { id, continuation } = asked(await pay(app, key, {}, headers));
  await decide(app, id);
  const first = await pay(app, key, { continuation }, headers);
  const second = await pay(app, key, { continuation }, headers);
  assert.deepEqual([first.status, second.status, second.text, paid()], [200, 200, first.text, 1]);
  const other = await pay(app, key, { continuation }, { 'idempotency-key': 'twice' });
  assert.deepEqual([other.status, paid()], [409, 1], 'another key is no other approval');
  // Whoever kept no continuation makes the very same call again.
  const kept = await pay(app, key, {}, headers);
  assert.deepEqual([kept.status, kept.text, paid()], [200, first.text, 1]);
  assert.equal((await pay(app, key, { arguments: {} }, headers)).status, 409, 'the key was another call’s');
  asked(await pay(app, key, {}, { 'idempotency-key': 'thrice' }));
  assert.equal((await list(app, '?state=pending')).length, 1);
  await put(app, [{ effect: 'deny', tool: 'pay' }]);
  assert.equal((await pay(app, key, {}, headers)).status, 403, 'nor is it answered once it is denied');
});

test('arguments are shown to whoever decides where the operator wants it, sealed meanwhile, and gone afterwards', async (t) => {
  const secret = 'a very private payee';
  const { app, key } = await boot(t, { env: { MCPRANK_APPROVAL_ARGUMENTS: 'on' } });
  const { id, continuation } = asked(await pay(app, key, { arguments: { to: secret } }));
  const rows = () =>
    app.services.storage
      .tables<{ approvals: { arguments_sealed: string | null } }>()
      .selectFrom('approvals')
      .selectAll()
      .execute();
  assert.equal((await list(app))[0]?.arguments, JSON.stringify({ to: secret }));
  assert.ok(!JSON.stringify(await rows()).includes(secret));
  await decide(app, id);
  await pay(app, key, { arguments: { to: secret }, continuation });
  assert.equal((await list(app))[0]?.arguments, null);
  assert.equal((await rows())[0]?.arguments_sealed, null);
});

test('the developer’s and the operator’s apps hear of it', async (t) => {
  const { app, key } = await boot(t);
  for (const by of [{ key }, {}])
    await app.call('PUT', '/v1/identity/webhook', { body: { url: 'https://app.example/events' }, ...by });
  const { id, url } = asked(await pay(app, key));
  const rows = await app.services.storage
    .tables<{ webhook_outbox: { developer_id: string; body: string } }>()
    .selectFrom('webhook_outbox')
    .selectAll()
    .execute();
  const events = rows.map(({ body }) => JSON.parse(body) as { type: string; data: Record<string, unknown> });
  assert.equal(new Set(rows.map(({ developer_id }) => developer_id)).size, 2);
  for (const { type, data } of events) {
    assert.equal(type, 'approval.requested');
    assert.deepEqual([data.subject, data.url, data.server_id, data.tool], [id, url, 'bank', 'pay']);
  }
});

for (const engine of engines)
  test(`${engine.name}: approved at one process, it runs once, however many processes are asked at once`, {
    skip: engine.skip,
  }, async (t) => {
    const env = {
      MCPRANK_VAULT_KEYS: `k:${Buffer.alloc(32, 7).toString('base64')}`,
      ...(await engine.environment(t)),
    };
    const { app, key, paid } = await boot(t, { env });
    const other = await bootMcp(t, {}, env);
    const { id, continuation } = asked(await pay(app, key));
    const early = await Promise.all([pay(other, key), pay(app, key), pay(other, key)]);
    assert.deepEqual([...new Set(early.map((reply) => asked(reply).id))], [id]);
    assert.equal((await decide(other, id)).status, 200);
    const replies = await Promise.all(
      Array.from({ length: 10 }, (_, i) => pay(i % 2 === 0 ? app : other, key, { continuation })),
    );
    const statuses = replies.map(({ status }) => status).sort();
    assert.deepEqual([statuses[0], new Set(statuses.slice(1)), paid()], [200, new Set([409]), 1]);
  });

test('a client that waits for the decision is held to the rules as they are when it comes, and so are its key and its user', async (t) => {
  const { app, key, paid } = await boot(t);
  const waiting = (
    continuation: string,
    meanwhile: () => Promise<unknown>,
    fields: object = {},
    headers: Record<string, string> = {},
  ) => {
    const approvals = app.services.approvals as {
      -readonly [K in keyof typeof app.services.approvals]: (typeof app.services.approvals)[K];
    };
    const wait = approvals.waitForDecision;
    approvals.waitForDecision = async (...args) => {
      approvals.waitForDecision = wait;
      const row = wait(...args);
      await meanwhile();
      return row;
    };
    const accepted = { ...fields, continuation, input_responses: { approval: { action: 'accept' } } };
    return pay(app, key, accepted, headers);
  };
  const first = asked(await pay(app, key));
  const denied = await waiting(first.continuation, async () => {
    await put(app, [{ effect: 'deny', tool: 'pay' }]);
    await decide(app, first.id);
  });
  assert.equal(denied.status, 403);
  await put(app, ask);
  const second = asked(await pay(app, key));
  assert.equal((await waiting(second.continuation, () => decide(app, second.id))).status, 200);
  const third = asked(await pay(app, key));
  const declined = { continuation: third.continuation, input_responses: { approval: { action: 'decline' } } };
  assert.equal((await pay(app, key, declined)).status, 403);
  const { access_token: token } = (
    await app.call('POST', '/v1/identity/token', { key, body: { user_id: 'ann' } })
  ).body;
  const user = { authorization: `Bearer ${token}` };
  const ofUser = asked(await pay(app, key, {}, user));
  const over = await waiting(
    ofUser.continuation,
    async () => {
      await app.call('POST', '/v1/identity/revoke', { key, body: { user_id: 'ann' } });
      await decide(app, ofUser.id);
    },
    {},
    user,
  );
  assert.deepEqual([over.status, paid()], [403, 1], over.text);
  const fourth = asked(await pay(app, key, { arguments: { amount: 6 } }));
  const [own] = (await list(app)) as unknown as { key_id: string }[];
  const revoked = await waiting(
    fourth.continuation,
    async () => {
      await app.call('DELETE', `/v1/admin/keys/${own?.key_id}`);
      await decide(app, fourth.id);
    },
    { arguments: { amount: 6 } },
  );
  assert.deepEqual([revoked.status, (await list(app))[0]?.state], [401, 'approved']);
  assert.equal(paid(), 1);
});

test('a call that was begun and never ended is not run again by anybody', async (t) => {
  const { app, key, paid } = await boot(t);
  const { id, continuation } = asked(await pay(app, key));
  await decide(app, id);
  // A process took it, and died before it heard of an end.
  await app.services.approvals.start(id, 0, 'key:of-the-dead');
  const late = await pay(app, key, { continuation });
  assert.equal(late.status, 409);
  assert.match(String(late.body.detail), /may have run/);
  assert.notEqual(asked(await pay(app, key)).id, id, 'a person decides anew');
  assert.equal(paid(), 0);
});

test('a question of the server’s belongs to the call that was approved, and its answer goes there once', async (t) => {
  const { app, key } = await boot(t, { rules: [{ effect: 'ask', tool: 'who' }] });
  const { url } = await startSdkServer(t, { legacy: 'reject' });
  await app.add('fixture', url);
  const call = (fields: object = {}) =>
    app.call('POST', '/v1/mcp/tools/call', {
      key,
      body: { server_id: 'fixture', name: 'who', arguments: {}, ...fields },
    });
  const { id, continuation } = asked(await call());
  await decide(app, id);
  const question = await call({ continuation });
  assert.ok('name' in (question.body.input_requests as object), question.text);
  const answer = {
    continuation: String(question.body.continuation),
    input_responses: { name: { action: 'accept', content: { name: 'Ada' } } },
  };
  const answered = await call(answer);
  assert.match(answered.text, /Hello Ada/);
  assert.equal((await call(answer)).status, 409);
  assert.equal((await list(app))[0]?.state, 'done');
});

/** The SDK's client, which opens what it is asked to open. */
async function connect(
  t: TestContext,
  app: McpTestApp,
  options: {
    key: string;
    era: 'legacy' | 'modern';
    capabilities: object;
    path?: string;
    onUrl?: (url: string) => Promise<void> | void;
  },
) {
  const { key, era, capabilities, path = '/mcp/servers/bank', onUrl = () => undefined } = options;
  const client = new Client(
    { name: 'test', version: '1' },
    { versionNegotiation: { mode: era === 'modern' ? { pin: '2026-07-28' } : 'legacy' }, capabilities },
  );
  if ('elicitation' in capabilities)
    client.setRequestHandler('elicitation/create', async ({ params }) => {
      await onUrl(String((params as { url?: string }).url));
      return { action: 'accept' };
    });
  await client.connect(
    new StreamableHTTPClientTransport(new URL(`${app.url}${path}`), {
      requestInit: { headers: { 'x-api-key': key } },
    }),
  );
  t.after(() => client.close());
  return client;
}

for (const era of ['legacy', 'modern'] as const) {
  test(`${era}: a client that can be sent to a page is, and its call goes on once it is approved`, async (t) => {
    const { app, key, paid } = await boot(t);
    for (const [path, name] of [
      ['/mcp/servers/bank', 'pay'],
      ['/mcp', 'bank__pay'],
    ] as const) {
      const before = paid();
      const urls: string[] = [];
      const onUrl = async (url: string) => {
        urls.push(url);
        await decide(app, new URL(url).searchParams.get('id') ?? '');
      };
      const client = await connect(t, app, {
        key,
        era,
        path,
        onUrl,
        capabilities: { elicitation: { url: {} } },
      });
      const { content } = await client.callTool({ name, arguments: { amount: 5 } });
      assert.deepEqual(content, [{ type: 'text', text: 'paid' }]);
      assert.deepEqual([urls.length, paid() - before], [1, 1], path);
    }
  });

  test(`${era}: a client that cannot is told where, and its very same call works once it is approved`, async (t) => {
    const { app, key, paid } = await boot(t);
    const client = await connect(t, app, { key, era, capabilities: {} });
    const call = () => client.callTool({ name: 'pay', arguments: { amount: 5 } });
    const error = await call().then(
      () => assert.fail('nobody has approved it'),
      (thrown: unknown) =>
        thrown as { code: number; data: { code: string; approval: { id: string; url: string } } },
    );
    assert.deepEqual([error.code, error.data.code], [-32003, 'approval_required']);
    assert.ok(error.data.approval.url.includes(error.data.approval.id));
    await decide(app, error.data.approval.id);
    assert.deepEqual((await call()).content, [{ type: 'text', text: 'paid' }]);
    assert.equal(paid(), 1);
  });
}

test('the record of calls has each that waited, that was denied, that ran, and that came with a used approval', async (t) => {
  const { app, key } = await boot(t);
  const first = asked(await pay(app, key));
  const over = await app.call('POST', '/mcp/servers/bank', {
    key,
    headers: { accept: 'application/json, text/event-stream' },
    body: {
      ...{ jsonrpc: '2.0', id: 1, method: 'tools/call' },
      params: { name: 'pay', arguments: { amount: 5, to: 'ann' } },
    },
  });
  assert.match(over.text, /approval_required/);
  await decide(app, first.id);
  assert.equal((await pay(app, key, { continuation: first.continuation })).status, 200);
  assert.equal((await pay(app, key, { continuation: first.continuation })).status, 409);
  const second = asked(await pay(app, key, { arguments: { amount: 6, to: 'bob' } }));
  await decide(app, second.id, 'deny');
  assert.equal((await pay(app, key, { arguments: { amount: 6, to: 'bob' } })).status, 403);
  const { body } = await app.call('GET', '/v1/admin/calls');
  const rows = (
    body.calls as { outcome: string; toolset: string | null; tool: string; definition: string | null }[]
  )
    .toReversed()
    .map(({ outcome, toolset, tool, definition }) => [outcome, toolset, tool, definition?.length]);
  assert.deepEqual(
    rows,
    ['waiting', 'waiting', 'ok', 'refused', 'waiting', 'denied'].map((outcome) => [
      outcome,
      'careful',
      'pay',
      64,
    ]),
  );
  const { body: waiting } = await app.call('GET', '/v1/admin/calls?outcome=waiting');
  assert.equal((waiting.calls as unknown[]).length, 3);
});

test('N12 an approval for a program is of the program that it was given for: its command, its arguments, its environment', async (t) => {
  const program = (args: readonly string[], env: object = {}) =>
    parseMcpConfig(
      JSON.stringify({
        mcpServers: { bank: { command: process.execPath, args: ['-e', payingProgram, ...args], env } },
      }),
    );
  const app = await bootMcp(t, { localServers: program([]) });
  const granted = [{ developer: '*', credentials: true }];
  await app.services.policy.admin.putRights(
    ['bank'],
    { visibility: 'private', owner: 'admin', granted },
    { actor: 'test', developerId: 'test' },
  );
  const key = await app.newKey();
  await put(app, ask);
  await app.call('PUT', '/v1/admin/toolsets/careful/bindings', { body: { developers: ['developer 1'] } });
  // What is asked before the program is listed is of a tool that nobody knows.
  await until('its tools are known', async () => (await app.services.catalog.get('bank')).tools.length === 2);
  const first = asked(await pay(app, key));
  await decide(app, first.id);
  const seen = new Set([first.id]);
  for (const changed of [program(['--for', 'eve']), program([], { PAY_TO: 'eve' })]) {
    await app.services.mcp.replaceLocalServers(changed);
    for (const fields of [{ continuation: first.continuation }, {}]) {
      const { id } = asked(await pay(app, key, fields));
      assert.notEqual(id, first.id, 'something else would run');
      seen.add(id);
    }
  }
  assert.equal(seen.size, 3);
  await app.services.mcp.replaceLocalServers(program([]));
  const back = await pay(app, key, { continuation: first.continuation });
  assert.deepEqual([back.status, textOf(back)], [200, 'paid']);
});
