import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { bootApp, type TestApp } from '../support/app.ts';
import { enter, startCompany, turnedClock } from '../support/company.ts';
import { sendJson, startRaw } from '../support/mcp-servers.ts';
import { tokensOf } from '../support/sign-in.ts';

/** Longer than the provider's last word counts of whoever is at work. */
const beyondMs = 31_000;

/** A company whose payers ask before they pay, and a bank. */
async function boot(t: TestContext) {
  const company = await startCompany(t);
  const clock = turnedClock();
  const roles = { MCPRANK_SSO_ROLES: 'developers=developer,operators=operator' };
  const app = await bootApp(t, company.env({ ...roles, MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1' }), { clock });
  let paid = 0;
  const bank = await startRaw(t, ({ body }, reply) => {
    if (body.method === 'tools/call') paid++;
    sendJson(reply, 200, { jsonrpc: '2.0', id: body.id, result: { resultType: 'complete', content: [] } });
  });
  const put = (path: string, body: object) => app.call('PUT', path, { body });
  await app.call('POST', '/v1/admin/servers', {
    body: { id: 'bank', name: 'bank', remote_url: bank.url, tools: [{ name: 'pay', inputSchema: {} }] },
  });
  await put('/v1/admin/toolsets/careful', { rules: [{ effect: 'ask', tool: 'pay' }], default: 'allow' });
  await put('/v1/admin/toolsets/careful/bindings', { groups: ['payers'] });
  await put('/v1/admin/toolsets/none', { rules: [{ effect: 'deny', tool: 'pay' }], default: 'deny' });
  await put('/v1/admin/toolsets/none/bindings', { groups: ['closed'] });
  const inGroups = (...groups: string[]) => {
    company.people.set('dan', { email: 'dan@example.com', groups });
    clock.forward(beyondMs);
  };
  inGroups('developers', 'payers');
  return { app, company, inGroups, paid: () => paid };
}

/** The call waits for the decision; meanwhile the person is in other groups, and then somebody approves. */
async function payAfter(app: TestApp, headers: Record<string, string>, meanwhile: () => void) {
  // Another call each time: an approval that was not used stays good.
  const payee = crypto.randomUUID();
  const pay = (fields: object = {}) =>
    app.call('POST', '/v1/mcp/tools/call', {
      key: null,
      headers,
      body: { server_id: 'bank', name: 'pay', arguments: { to: payee }, ...fields },
    });
  const { body } = await pay();
  const { id } = body.approval as { id: string };
  const approvals = app.services.approvals as { waitForDecision: (...args: never[]) => Promise<unknown> };
  const wait = approvals.waitForDecision;
  approvals.waitForDecision = async (...args) => {
    approvals.waitForDecision = wait;
    const decided = wait(...args);
    meanwhile();
    await app.call('POST', `/v1/admin/approvals/${id}`, { body: { decision: 'approve' } });
    return decided;
  };
  return pay({ continuation: body.continuation, input_responses: { approval: { action: 'accept' } } });
}

test('a call that waited for its approval goes by the role and the groups that its person has then', async (t) => {
  const { app, company, inGroups, paid } = await boot(t);
  const { headers } = await enter(app, company, 'dan');
  const approved = await payAfter(app, headers, () => inGroups('developers', 'payers'));
  assert.deepEqual([approved.status, paid()], [200, 1], approved.text);
  const closed = await payAfter(app, headers, () => inGroups('developers', 'payers', 'closed'));
  assert.deepEqual([closed.status, paid()], [403, 1], closed.text);
  assert.match(closed.text, /The toolset none does not allow/);
  inGroups('developers', 'payers');
  const without = await payAfter(app, headers, () => inGroups('payers'));
  assert.deepEqual([without.status, paid()], [401, 1], without.text);
});

test('an open stream ends within a second of the provider’s word that its person has another role, or is in other groups', async (t) => {
  const { app, company, inGroups } = await boot(t);
  inGroups('operators');
  const { headers } = await enter(app, company, 'dan');
  const live = await fetch(`${app.url}/v1/admin/activity/live?window=1h`, { headers });
  assert.equal(live.status, 200);
  inGroups('developers');
  await assert.rejects(live.text(), 'cut off');
  const { access } = await tokensOf(app);
  const fields = {
    authorization: `Bearer ${access}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };
  const params = {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'test', version: '1' },
  };
  const opened = await fetch(`${app.url}/mcp`, {
    method: 'POST',
    headers: fields,
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params }),
  });
  const session = { ...fields, 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' };
  const stream = await fetch(`${app.url}/mcp`, { headers: session });
  assert.equal(stream.status, 200);
  inGroups('developers', 'closed');
  await assert.rejects(stream.text(), 'cut off');
  const again = await fetch(`${app.url}/mcp`, { headers: session });
  assert.equal(again.status, 200, 'and may be opened anew');
  await again.body?.cancel();
});
