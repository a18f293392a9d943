import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { sendJson, startRaw } from '../support/mcp-servers.ts';
import { ask, type Replica, startReplicas } from '../support/replicas.ts';
import { engines } from '../support/stores.ts';

const [, postgres] = engines;
const skip = postgres?.skip ?? true;
const call = { server_id: 'bank', name: 'pay', arguments: { amount: 5, to: 'ann' } };

/** Three replicas, and a server whose payments somebody has to approve. `answers`: whether it does. */
async function boot(t: TestContext, answers: () => boolean) {
  const upstream = await startRaw(t, ({ body }, reply) => {
    if (body.method === 'tools/call' && !answers()) return;
    const result = {
      resultType: 'complete',
      supportedVersions: ['2026-07-28'],
      capabilities: { tools: {} },
      content: [{ type: 'text', text: 'paid' }],
    };
    sendJson(reply, 200, { jsonrpc: '2.0', id: body.id, result });
  });
  const env = (await postgres?.environment(t)) ?? {};
  const { DATABASE_URL = '' } = env;
  const replicas = await startReplicas(t, 3, {
    DATABASE_URL,
    MCPRANK_STARTER: 'off',
    MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1',
  });
  const [a, b, c] = replicas as [Replica, Replica, Replica];
  const server = { id: 'bank', name: 'bank', remote_url: upstream.url, tools: [{ name: 'pay' }] };
  await ask(a.url, 'POST', '/v1/admin/servers', { body: server });
  const rules = [{ effect: 'ask', tool: 'pay', self: true }];
  await ask(a.url, 'PUT', '/v1/admin/toolsets/careful', { body: { rules, default: 'allow' } });
  await ask(a.url, 'PUT', '/v1/admin/toolsets/careful/bindings', { body: { developers: ['admin'] } });
  const paid = () => upstream.seen.filter(({ body }) => body.method === 'tools/call').length;
  return { a, b, c, paid };
}

const pay = ({ url }: Replica, fields: object = {}) =>
  ask(url, 'POST', '/v1/mcp/tools/call', { body: { ...call, ...fields } });
const approve = ({ url }: Replica, id: string) =>
  ask(url, 'POST', `/v1/admin/approvals/${id}`, { body: { decision: 'approve' } });

async function asked(replica: Replica): Promise<{ id: string; continuation: string }> {
  const { body } = await pay(replica);
  assert.equal(body.status, 'input_required');
  return { id: (body.approval as { id: string }).id, continuation: String(body.continuation) };
}

async function kill({ child }: Replica): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

test('three replicas: asked at one that is killed, approved at another: exactly one run at the server', {
  skip,
}, async (t) => {
  const { a, b, c, paid } = await boot(t, () => true);
  const { id, continuation } = await asked(a);
  await kill(a);
  assert.equal((await approve(b, id)).status, 200);
  const replies = await Promise.all(
    Array.from({ length: 12 }, (_, i) => pay(i % 2 === 0 ? b : c, { continuation })),
  );
  const statuses = replies.map(({ status }) => status).sort();
  assert.deepEqual([statuses[0], [...new Set(statuses.slice(1))], paid()], [200, [409], 1]);
});

test('three replicas: killed in the middle of an approved call, it is not run again: the answer says that it may have run', {
  skip,
}, async (t) => {
  let isAnswering = false;
  const { a, b, c, paid } = await boot(t, () => isAnswering);
  const { id, continuation } = await asked(a);
  assert.equal((await approve(b, id)).status, 200);
  const cut = pay(a, { continuation }).then(
    () => 'answered',
    () => 'cut off',
  );
  while (paid() === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  await kill(a);
  assert.equal(await cut, 'cut off');
  isAnswering = true;
  for (const replica of [b, c]) {
    const { status, body } = await pay(replica, { continuation });
    assert.equal(status, 409);
    assert.match(String(body.detail), /may have run/);
  }
  assert.notEqual((await asked(b)).id, id, 'a person decides anew');
  assert.equal(paid(), 1);
  const { body } = await ask(b.url, 'GET', '/v1/admin/approvals?state=started');
  assert.deepEqual(
    (body.approvals as { id: string }[]).map((approval) => approval.id),
    [id],
  );
});
