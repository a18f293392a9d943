import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { bootApp, type TestApp } from '../support/app.ts';
import { startCompany } from '../support/company.ts';
import { ping, post, register } from '../support/sign-in.ts';

const grantType = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

async function boot(t: TestContext, env: Record<string, string> = { MCPRANK_SSO_ASSERTIONS: 'on' }) {
  const company = await startCompany(t);
  const app = await bootApp(t, company.env(env));
  const made = await register(app, {
    token_endpoint_auth_method: 'client_secret_post',
    grant_types: ['authorization_code', 'refresh_token', grantType],
  });
  return { app, company, made };
}

function redeem(app: TestApp, made: Record<string, unknown>, assertion: string, fields = {}) {
  return post(app, '/token', {
    grant_type: grantType,
    client_id: String(made.client_id),
    client_secret: String(made.client_secret),
    assertion,
    ...fields,
  });
}

test('the company’s assertion is taken for a token of its resource, once, without asking anybody', async (t) => {
  const { app, company, made } = await boot(t);
  const { client_id } = made.body;
  const claims = { sub: 'ann', aud: app.url, client_id, resource: `${app.url}/mcp`, scope: 'mcp' };
  const assertion = await company.assertion(claims);
  const { status, body } = await redeem(app, made.body, assertion);
  assert.equal(status, 200, JSON.stringify(body));
  assert.ok(Number(body.expires_in) <= 300);
  assert.equal(body.refresh_token, undefined);
  assert.equal((await ping(app, String(body.access_token))).status, 200);
  assert.equal((await ping(app, String(body.access_token), '/mcp/servers/a')).status, 401);
  assert.match((await app.call('GET', '/v1/admin/users')).text, /"user_id":"ann"/);
  const again = await redeem(app, made.body, assertion);
  assert.deepEqual([again.status, again.body.error], [400, 'invalid_grant']);
  const metadata = await app.call('GET', '/.well-known/oauth-authorization-server', { key: null });
  assert.ok((metadata.body.grant_types_supported as string[]).includes(grantType));
});

test('threats P13: an assertion for another client, service or resource, of another issuer, or of another kind', async (t) => {
  const { app, company, made } = await boot(t, {
    MCPRANK_SSO_ASSERTIONS: 'on',
    MCPRANK_SSO_DOMAINS: 'example.com',
  });
  const other = await startCompany(t);
  const { client_id } = made.body;
  const claims = { sub: 'ann', aud: app.url, client_id, resource: `${app.url}/mcp` };
  const bad: readonly (readonly [string, string])[] = [
    ['invalid_grant', await company.assertion({ ...claims, client_id: 'mcp_other' })],
    ['invalid_grant', await company.assertion({ ...claims, aud: 'https://other.example' })],
    ['invalid_grant', await company.assertion(claims, 'at+jwt')],
    ['invalid_grant', await company.assertion(claims, 'JWT')],
    ['invalid_grant', await other.assertion({ ...claims, iss: company.issuer })],
    ['invalid_grant', await other.assertion(claims)],
    ['invalid_grant', await company.assertion({ ...claims, email: 'ann@elsewhere.example' })],
    ['invalid_grant', await company.assertion({ ...claims, sub: undefined })],
    ['invalid_grant', 'nonsense'],
    ['invalid_target', await company.assertion({ ...claims, resource: 'https://other.example/mcp' })],
    ['invalid_target', await company.assertion({ ...claims, resource: `${app.url}/v1/search` })],
  ];
  for (const [error, assertion] of bad) {
    const { status, body } = await redeem(app, made.body, assertion);
    assert.deepEqual([status, body.error], [400, error], JSON.stringify(body));
  }
  const good = await company.assertion(claims);
  const elsewhere = await redeem(app, made.body, good, { resource: `${app.url}/mcp/servers/a` });
  assert.equal(elsewhere.body.error, 'invalid_target');
  assert.doesNotMatch((await app.call('GET', '/v1/admin/users')).text, /"ann"/, 'nobody was made');
  assert.equal((await redeem(app, made.body, good)).status, 200, 'and it is not used up');
});

test('without the setting no assertion is taken', async (t) => {
  const company = await startCompany(t);
  const app = await bootApp(t, company.env());
  const made = await register(app, { grant_types: ['authorization_code', grantType] });
  assert.deepEqual(made.body.grant_types, ['authorization_code']);
  const form = { grant_type: grantType, client_id: String(made.body.client_id), assertion: 'x' };
  assert.equal((await post(app, '/token', form)).body.error, 'unsupported_grant_type');
  const metadata = await app.call('GET', '/.well-known/oauth-authorization-server', { key: null });
  assert.ok(!(metadata.body.grant_types_supported as string[]).includes(grantType));
});
