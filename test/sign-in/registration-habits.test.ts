import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootApp } from '../support/app.ts';
import { callback, ping, post, register, signIn, visit } from '../support/sign-in.ts';

const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';

test('what a client says of itself and nobody here reads is no reason to refuse it; what it gets is what is served', async (t) => {
  const app = await bootApp(t);
  for (const said of [
    { grant_types: ['authorization_code', 'refresh_token', deviceGrant] },
    { grant_types: ['authorization_code', 'implicit', 'refresh_token'], response_types: ['code', 'token'] },
    { grant_types: [], response_types: [] },
    { grant_types: null, response_types: null, client_name: null, contacts: null },
    { client_name: '', client_uri: '', logo_uri: '', tos_uri: '', policy_uri: '', jwks_uri: '' },
    { logo_uri: 'data:image/png;base64,AA==', client_uri: 'no url', contacts: 'a@example.com' },
    { subject_type: 'pairwise', sector_identifier_uri: 'https://nobody.example/sector' },
    { id_token_signed_response_alg: 'RS256', userinfo_signed_response_alg: 'RS256' },
    { token_endpoint_auth_signing_alg: 'HS256', jwks: {}, default_max_age: 'x', default_acr_values: ['x'] },
    { require_pushed_authorization_requests: true, dpop_bound_access_tokens: true },
    { application_type: 7, scope: 7, software_statement: 'x.y.z' },
    { client_id: 'mine', client_secret: 'mine', registration_access_token: 'mine' },
  ]) {
    const { status, body } = await register(app, said);
    const what = JSON.stringify([said, body]);
    assert.equal(status, 201, what);
    assert.deepEqual(body.grant_types, ['authorization_code', 'refresh_token'], what);
    assert.deepEqual(body.response_types, ['code'], what);
    assert.notEqual(body.client_id, 'mine');
    const { access } = await signIn(app, { clientId: String(body.client_id) });
    assert.equal((await ping(app, access)).status, 200, what);
  }
  // What it lives by is not guessed.
  for (const said of [
    { grant_types: [deviceGrant] },
    { grant_types: 'authorization_code' },
    { response_types: ['token'] },
    { token_endpoint_auth_method: 7 },
    { token_endpoint_auth_method: 'private_key_jwt' },
  ]) {
    const { status, body } = await register(app, said);
    assert.deepEqual([status, body.error], [400, 'invalid_client_metadata'], JSON.stringify([said, body]));
  }
});

test('the code comes back in the query, as the metadata say; other ways are unsupported_response_mode', async (t) => {
  const app = await bootApp(t);
  const clientId = String((await register(app)).body.client_id);
  for (const response_mode of ['query', '']) {
    const { page } = await visit(app, clientId, { response_mode });
    assert.equal(page.status, 200, response_mode);
  }
  for (const response_mode of ['fragment', 'form_post', 'web_message', 'jwt', 'x']) {
    const { page } = await visit(app, clientId, { response_mode });
    const back = new URL(page.headers.get('location') ?? 'x:');
    assert.ok(back.href.startsWith(`${callback}?`), `${response_mode}: ${back.href}`);
    assert.equal(back.searchParams.get('error'), 'unsupported_response_mode');
  }
});

test('a form is a form however its type is written; what is none is refused in OAuth’s own words', async (t) => {
  const app = await bootApp(t);
  const { clientId, refresh } = await signIn(app);
  const fields = {
    grant_type: 'refresh_token',
    client_id: clientId,
    refresh_token: refresh,
    resource: `${app.url}/mcp/`,
    scope: 'openid mcp',
  };
  const shouted = { 'content-type': 'Application/X-WWW-Form-Urlencoded ; Charset=UTF-8' };
  const renewed = await post(app, '/token', fields, shouted);
  assert.equal(renewed.status, 200, JSON.stringify(renewed.body));
  for (const path of ['/token', '/revoke', '/introspect', '/register'])
    for (const [type, body] of [
      ['text/plain', 'a=b'],
      ['multipart/form-data; boundary=x', '--x--'],
      ['', Buffer.from('a=b')],
      ['application/x-www-form-urlencoded', `a=${'x'.repeat(70_000)}`],
    ] as const) {
      const headers = type === '' ? {} : { 'content-type': type };
      const reply = await fetch(`${app.url}${path}`, { method: 'POST', headers, body });
      const said = (await reply.json()) as { error?: string; error_description?: string };
      const what = `${path} ${type} ${JSON.stringify(said)}`;
      assert.deepEqual([reply.status, said.error], [400, 'invalid_request'], what);
      assert.match(said.error_description ?? '', /^(content-type: expected|body: larger than 64 kB)/, what);
      assert.equal(reply.headers.get('cache-control'), 'no-store', what);
      assert.equal(reply.headers.get('access-control-allow-origin'), '*', what);
    }
});
