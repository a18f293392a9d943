import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createLocalJWKSet, exportJWK, generateKeyPair, jwtVerify } from 'jose';
import { temporaryFolder } from '../support/app.ts';
import { bootMcp, textOf } from '../support/mcp-app.ts';
import { type Asked, type FakeAs, startAs, startProtected } from '../support/mcp-oauth.ts';

const secret = 'machine-secret-4c1a';

/** An authorization server for programs alone, the server behind it, and the service that is its client. */
async function boot(
  t: TestContext,
  login: Record<string, unknown> = { client_secret: secret },
  env: Record<string, string> = {},
) {
  const as = await startAs(t);
  as.metadata = { authorization_endpoint: undefined, code_challenge_methods_supported: undefined };
  as.token = (asked) => {
    const access_token = `machine-${as.tokens.size + 1}`;
    as.tokens.set(access_token, (asked.form.get('scope') ?? '').split(' '));
    return { body: { access_token, token_type: 'Bearer', expires_in: 3_600 } };
  };
  const server = await startProtected(t, as);
  const app = await bootMcp(t, {}, env);
  const fields = {
    description: 'Monthly reports',
    client_credentials: { issuer: as.url, client_id: 'us', ...login },
  };
  await app.add('s', server.mcp, fields);
  return { as, server, app, fields };
}
const asksOf = (as: FakeAs): readonly Asked[] => as.at('/token');

test('the service gets a token for itself, once for all that wait, for the server’s resource, and renews it when it is refused', async (t) => {
  const { as, server, app } = await boot(t);
  const calls = await Promise.all([1, 2, 3].map(() => app.tool('s', 'whoami')));
  assert.deepEqual(calls.map(textOf), ['machine-1', 'machine-1', 'machine-1']);
  const [asked] = asksOf(as);
  assert.equal(asksOf(as).length, 1);
  const basic = Buffer.from(`us:${secret}`).toString('base64');
  assert.equal(asked?.headers.authorization, `Basic ${basic}`);
  const sent = ['grant_type', 'resource', 'scope'].map((name) => asked?.form.get(name));
  assert.deepEqual(sent, ['client_credentials', server.mcp, 'read']);
  server.refused.add('machine-1');
  assert.equal(textOf(await app.tool('s', 'whoami')), 'machine-2');
  // A server that refuses every token does not make us ask with every call.
  server.refused.add('machine-2');
  for (let i = 0; i < 3; i++) assert.equal((await app.tool('s', 'whoami')).status, 502);
  assert.equal(asksOf(as).length, 2);
  assert.equal((await app.call('POST', '/v1/admin/servers/s/probe')).status, 200);
});

test('by a key of ours in place of a secret', async (t) => {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  const client_key = { ...(await exportJWK(privateKey)), alg: 'ES256', kid: 'one' };
  const { as, app } = await boot(t, { client_key, scopes: ['write'] });
  assert.equal(textOf(await app.tool('s', 'whoami')), 'machine-1');
  const [asked] = asksOf(as);
  const keys = createLocalJWKSet({ keys: [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' }] });
  const { payload } = await jwtVerify(asked?.form.get('client_assertion') ?? '', keys, {
    issuer: 'us',
    subject: 'us',
  });
  assert.ok([payload.aud].flat().includes(as.url));
  assert.equal(asked?.form.get('scope'), 'write');
});

test('N15 by what the platform says of us: read anew for each token, sent to the issuer named with it alone, out of one folder', async (t) => {
  const folder = temporaryFolder(t);
  const tokenFile = join(folder, 'reports');
  writeFileSync(tokenFile, 'platform.one.token\n');
  writeFileSync(join(folder, 'notes'), 'a secret that is no token');
  const env = { MCPRANK_WORKLOAD_TOKENS: folder };
  const { as, server, app, fields } = await boot(t, { workload_token: 'reports' }, env);
  assert.equal(textOf(await app.tool('s', 'whoami')), 'machine-1');
  writeFileSync(tokenFile, 'platform.two.token');
  server.refused.add('machine-1');
  assert.equal(textOf(await app.tool('s', 'whoami')), 'machine-2');
  const sent = asksOf(as).map(({ form }) =>
    ['grant_type', 'assertion', 'resource'].map((name) => form.get(name)),
  );
  const grant = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
  assert.deepEqual(sent, [
    [grant, 'platform.one.token', server.mcp],
    [grant, 'platform.two.token', server.mcp],
  ]);
  const other = await startAs(t);
  other.metadata = as.metadata;
  const login = { issuer: as.url, client_id: 'us' };
  for (const [name, detail] of [
    ['notes', /the workload token notes is no JWT/],
    ['missing', /the workload token missing cannot be read/],
  ] as const) {
    await app.add('s', server.mcp, { client_credentials: { ...login, workload_token: name } });
    const failed = await app.tool('s', 'whoami');
    assert.deepEqual([failed.status, detail.test(failed.text)], [502, true], failed.text);
    assert.ok(!failed.text.includes('a secret'));
  }
  for (const workload_token of ['../reports', '/etc/passwd', '..', '', 1]) {
    const body = { id: 'x', name: 'x', remote_url: server.mcp };
    const put = await app.call('POST', '/v1/admin/servers', {
      body: { ...body, client_credentials: { ...login, workload_token } },
    });
    assert.match(String(put.body.detail), /^client_credentials\.workload_token: expected the name of a file/);
  }
  server.as = other;
  await app.add('s', server.mcp, fields);
  assert.match((await app.tool('s', 'whoami')).text, /another authorization server/);
  assert.equal(asksOf(other).length, 0);
  assert.doesNotMatch(app.lines.join('\n'), /platform\./);
});

test('a workload token needs the folder that the operator names', async (t) => {
  const { app } = await boot(t, { workload_token: 'reports' });
  assert.match((await app.tool('s', 'whoami')).text, /MCPRANK_WORKLOAD_TOKENS is not set/);
});

test('it is the operator’s: not for other developers until it is granted with credentials, and search says so', async (t) => {
  const { as, server, app, fields } = await boot(t);
  await app.services.search.settled();
  const ops = await app.newKey({ scopes: ['admin', 'mcp'] });
  const theirs = { id: 'theirs', name: 'theirs', remote_url: server.mcp, ...fields };
  assert.equal((await app.call('POST', '/v1/admin/servers', { key: ops, body: theirs })).status, 200);
  assert.equal((await app.tool('theirs', 'whoami')).status, 404, 'whoever added it has it');
  const stranger = await app.newKey();
  assert.equal((await app.tool('s', 'whoami', {}, { key: stranger })).status, 404);
  const grant = (credentials: boolean) =>
    app.call('PUT', '/v1/admin/servers/s/rights', { body: { granted: [{ developer: '*', credentials }] } });
  await grant(false);
  assert.equal((await app.tool('s', 'whoami', {}, { key: stranger })).status, 403);
  assert.equal(asksOf(as).length, 0);
  await grant(true);
  assert.equal(textOf(await app.tool('s', 'whoami', {}, { key: stranger })), 'machine-1');
  const { body } = await app.call('POST', '/v1/search', {
    key: stranger,
    body: { query: 'monthly reports' },
  });
  const hits = body.servers as { id: string; connection: string }[];
  assert.equal(hits.find(({ id }) => id === 's')?.connection, 'ready');
});

test('N3 the secret goes to the issuer that the operator named and to no other; what fails is told in words', async (t) => {
  const { as, server, app, fields } = await boot(t);
  const other = await startAs(t);
  other.metadata = as.metadata;
  server.as = other;
  const refused = await app.tool('s', 'whoami');
  assert.equal(refused.status, 502);
  assert.match(refused.text, /another authorization server than its client_credentials are for/);
  assert.deepEqual([asksOf(other).length, asksOf(as).length], [0, 0]);
  server.as = as;
  as.token = () => ({ status: 401, body: { error: 'invalid_client' } });
  await app.add('s', server.mcp, fields);
  const failed = await app.tool('s', 'whoami');
  assert.match(failed.text, /gave no token: invalid_client/);
  assert.ok(!failed.text.includes(secret));
});

test('M1 K6 the secret rests sealed, shows nowhere, and stays with a put that says nothing of it; faults name their field', async (t) => {
  const { server, app } = await boot(t);
  await app.add('s', server.mcp, { description: 'the same' });
  assert.equal(textOf(await app.tool('s', 'whoami')), 'machine-1');
  for (const [login, detail] of [
    [{ client_id: 'us', client_secret: 'x' }, /^client_credentials\.issuer/],
    [{ issuer: 'https://as.example', client_secret: 'x' }, /^client_credentials\.client_id/],
    [
      { issuer: 'https://as.example', client_id: 'us' },
      /^client_credentials\.client_secret: expected this or/,
    ],
    [
      { issuer: 'https://as.example', client_id: 'us', client_key: { kty: 'EC' } },
      /^client_credentials\.client_key/,
    ],
    [
      { issuer: 'https://as.example', client_id: 'us', client_key: { kty: 'EC', alg: 'ES256', d: 'AQAB' } },
      /^client_credentials\.client_key: expected a private JWK, whole/,
    ],
    [{ issuer: 'https://as.example', client_id: 'us', client_secret: 'x', scopes: 'a b' }, /\.scopes/],
  ] as const) {
    const { status, body } = await app.call('POST', '/v1/admin/servers', {
      body: { id: 'bad', name: 'bad', remote_url: server.mcp, client_credentials: login },
    });
    assert.equal(status, 400);
    assert.match(String(body.detail), detail);
  }
  const shown = await Promise.all(
    ['/v1/admin/servers', '/v1/servers/s', '/v1/admin/audit'].map((path) => app.call('GET', path)),
  );
  await app.add('s', server.mcp, { headers: {} });
  assert.equal((await app.tool('s', 'whoami')).status, 403, 'and is gone when its headers are said');
  await app.close();
  const store = readFileSync(join(app.dataDir, 'mcprank.db'), 'latin1');
  for (const text of [...shown.map((reply) => reply.text), app.lines.join('\n'), store])
    assert.ok(!text.includes(secret) && !text.includes('machine-1'));
});
