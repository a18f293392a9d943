import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootApp } from '../support/app.ts';
import { providerSettings, startIdp } from '../support/oidc.ts';

type Setup = { name: string; callback_url: string; missing: string[]; scopes: string[] };

test('every provider says its callback, and what it lacks with where that is set; no secret is told', async (t) => {
  const idp = await startIdp(t);
  const rows = { idp: idp.row() };
  const app = await bootApp(t, {
    ...providerSettings(t, rows, idp),
    MCPRANK_PUBLIC_URL: 'https://rank.example',
    MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1',
  });
  const reply = await app.call('GET', '/v1/admin/providers');
  const found = new Map((reply.body.providers as Setup[]).map((each) => [each.name, each]));
  assert.equal(found.get('idp')?.callback_url, 'https://rank.example/v1/identity/callback/idp');
  assert.deepEqual(found.get('idp')?.missing, []);
  assert.match(
    String(found.get('google')?.missing),
    /client id and secret: .*GOOGLE_CLIENT_ID.*MCPRANK_PROVIDERS/,
  );
  assert.ok(!reply.text.includes('idp-client-secret-for-tests'));
  for (const { name, missing } of found.values()) {
    const session = await app.call('POST', '/v1/identity/sessions', {
      body: { user_id: 'ann', provider: name },
    });
    assert.equal(session.status === 200, missing.length === 0, `${name} ${session.text}`);
  }
});
