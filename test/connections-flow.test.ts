import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootApp } from './support/app.ts';
import { connectUser, providerSettings, startIdp } from './support/oidc.ts';

test('a user connects in a browser, and the app can use the token', async (t) => {
  const idp = await startIdp(t);
  const app = await bootApp(t, providerSettings(t, { idp: idp.row() }, idp));
  const { sessionId, page } = await connectUser(app, { userId: 'u1', provider: 'idp' });
  assert.equal(page.status, 200, page.text);
  assert.match(page.text, /Test Suite is connected/);
  const seen = await app.call('GET', `/v1/identity/sessions/${sessionId}`);
  assert.equal(seen.body.status, 'complete', seen.text);
});
