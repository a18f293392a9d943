import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { calendar } from '@googleapis/calendar';
import { drive } from '@googleapis/drive';
import { gmail } from '@googleapis/gmail';
import { OAuth2Client } from 'google-auth-library';
import { adminKey, bootApp } from '../support/app.ts';
import { googleRow, startGoogleApi } from '../support/google-api.ts';
import { connectUser, providerSettings, startIdp } from '../support/oidc.ts';

/** Google's own clients, pointed at the real app: a user who came the whole way, an API that asks who the bearer is. */
async function boot(t: TestContext) {
  const idp = await startIdp(t);
  const api = await startGoogleApi(t, idp);
  const env = providerSettings(t, { google: googleRow(idp, api) }, idp);
  const app = await bootApp(t, { ...env, MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1' });
  await connectUser(app, { userId: 'alice', provider: 'google' });
  const issued = { count: 0 };
  const mit = async () => {
    issued.count++;
    const made = await app.call('POST', '/v1/identity/token', { body: { user_id: 'alice' } });
    return { access_token: String(made.body.access_token), expiry_date: Date.now() + 3_600_000 };
  };
  // The two lines that a program changes: where Google is, and whose key it is.
  const fetchImplementation: typeof fetch = (input, init) =>
    fetch(String(input).replace(/^https:\/\/[a-z]+\.googleapis\.com\//, `${app.url}/v1/proxy/google/`), init);
  const headers = { 'x-api-key': adminKey };
  const auth = new OAuth2Client();
  auth.refreshHandler = mit;
  auth.setCredentials(await mit());
  return { api, app, auth, issued, mit, options: { auth, fetchImplementation, headers } };
}

const raw = Buffer.from('Subject: hi\r\n\r\nhello').toString('base64url');

test("Google's own clients: list, get, send, ids with escapes, errors in Google's words", async (t) => {
  const { api, options } = await boot(t);
  const { users } = gmail({ version: 'v1', ...options });
  const listed = await users.messages.list({ userId: 'me', q: 'from:me is:unread', labelIds: ['A', 'B'] });
  assert.equal(listed.data.messages?.[0]?.id, 'of alice');
  const odd = 'a/b ..?c%2f@d#e';
  assert.equal((await users.messages.get({ userId: 'me', id: odd })).data.id, odd);
  assert.equal((await users.messages.send({ userId: 'me', requestBody: { raw } })).data.id, 'sent');
  assert.deepEqual(api.calls, [
    'GET /gmail/v1/users/me/messages?q=from%3Ame%20is%3Aunread&labelIds=A&labelIds=B',
    'GET /gmail/v1/users/me/messages/a%2Fb%20..%3Fc%252f%40d%23e',
    'POST /gmail/v1/users/me/messages/send',
  ]);
  await assert.rejects(users.labels.list({ userId: 'me' }), /Not Found/);
});

test("Google's own clients: per-call rootUrl, 304, and a batch is refused", async (t) => {
  const { api, app, auth, options } = await boot(t);
  const { events } = calendar({ version: 'v3', auth, headers: options.headers });
  const rootUrl = `${app.url}/v1/proxy/google/`;
  const first = await events.list({ calendarId: 'primary' }, { rootUrl });
  assert.equal(first.data.items?.[0]?.summary, 'day of alice');
  const again = await events.list(
    { calendarId: 'primary' },
    { rootUrl, headers: { ...options.headers, 'if-none-match': '"v1"' }, validateStatus: () => true },
  );
  assert.equal(again.status, 304);
  const batch = await auth.request({
    ...options,
    url: 'https://www.googleapis.com/batch/calendar/v3',
    method: 'POST',
    data: '--x\r\nContent-Type: application/http\r\n\r\nGET /calendar/v3/x\r\n--x--',
    validateStatus: () => true,
  });
  assert.equal(batch.status, 400);
  assert.ok(!api.calls.some((call) => call.includes('batch')));
});

test("Google's own clients: multipart and resumable upload, ranged download", async (t) => {
  const { api, app, auth, options } = await boot(t);
  const { files } = drive({ version: 'v3', ...options });
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 31) % 256));
  const made = await files.create({
    requestBody: { name: 'a.bin' },
    media: { mimeType: 'application/octet-stream', body: Readable.from([bytes]) },
  });
  assert.equal(made.data.id, 'multipart');
  const multipart = api.bodies.get('/upload/drive/v3/files?uploadType=multipart');
  assert.ok(multipart?.includes(bytes), 'every byte arrived');

  const opened = await auth.request({
    ...options,
    url: 'https://www.googleapis.com/upload/drive/v3/files?uploadType=resumable',
    method: 'POST',
    data: { name: 'b.bin' },
  });
  const location = new Headers(opened.headers).get('location') ?? '';
  assert.equal(
    location,
    `${app.url}/v1/proxy/google/upload/drive/v3/files?uploadType=resumable&upload_id=up%2F1`,
  );
  const sent = await auth.request<{ id: string; size: number; range: string }>({
    ...options,
    url: location,
    method: 'PUT',
    headers: { ...options.headers, 'content-range': 'bytes 0-299999/300000' },
    body: bytes,
  });
  assert.deepEqual(sent.data, { id: 'resumable', size: 300_000, range: 'bytes 0-299999/300000' });

  const part = await files.get(
    { fileId: 'f', alt: 'media' },
    { responseType: 'arraybuffer', headers: { ...options.headers, range: 'bytes=100-199' } },
  );
  assert.equal(part.status, 206);
  const got = Buffer.from(part.data as unknown as ArrayBuffer);
  assert.deepEqual([got.length, got[0]], [100, 100]);
});

test("Google's own clients: a 429 reaches the client's own retries", async (t) => {
  const { api, options } = await boot(t);
  const { events } = calendar({ version: 'v3', ...options });
  api.busy = 2;
  const listed = await events.list(
    { calendarId: 'primary' },
    { retryConfig: { retry: 3, retryDelay: 1, httpMethodsToRetry: ['GET'] } },
  );
  assert.equal(listed.data.items?.[0]?.summary, 'day of alice');
  assert.equal(api.calls.length, 3);
});

test("Google's own clients: a MIT that is over is renewed by the refreshHandler, a dead Google token by us", async (t) => {
  const { api, auth, issued, mit, options } = await boot(t);
  const { events } = calendar({ version: 'v3', ...options });
  auth.setCredentials({ ...(await mit()), expiry_date: Date.now() - 1_000 });
  const before = issued.count;
  assert.equal((await events.list({ calendarId: 'primary' })).status, 200);
  assert.equal(issued.count, before + 1, 'an expiry date that is over');
  auth.setCredentials({ access_token: 'not.a.mit' });
  assert.equal((await events.list({ calendarId: 'primary' })).status, 200);
  assert.equal(issued.count, before + 2, 'a refusal of ours');

  // The API no longer takes the access token, though its time is not over: its 401 leads to one refresh, unseen by the client.
  const used = api.calls.length;
  api.refused = api.token;
  assert.equal((await events.list({ calendarId: 'primary' })).status, 200);
  assert.equal(api.calls.length - used, 2);
  assert.notEqual(api.token, api.refused, 'the second time with a new one');
});

test('a user who has not connected is 403 with a session, and nobody without a MIT comes through', async (t) => {
  const { api, app } = await boot(t);
  const made = await app.call('POST', '/v1/identity/token', { body: { user_id: 'bob' } });
  const asBob = { authorization: `Bearer ${String(made.body.access_token)}` };
  const refused = await app.call('GET', '/v1/proxy/google/calendar/v3/calendars/primary/events', {
    headers: asBob,
  });
  assert.equal(refused.status, 403, refused.text);
  const detail = refused.body.detail as { code: string; session: { id: string; auth_url: string } };
  assert.equal(detail.code, 'provider_not_connected');
  assert.match(detail.session.id, /^sess_/);
  assert.ok(detail.session.auth_url.startsWith(app.url));
  const info = await app.call('GET', '/v1/proxy/google/info', { headers: asBob });
  assert.deepEqual(info.body, { provider: 'google', connected: false, status: null, can_access: false });
  const nobody = await app.call('GET', '/v1/proxy/google/calendar/v3/x');
  assert.deepEqual([nobody.status, (nobody.body.detail as { code: string }).code], [403, 'invalid_token']);
  assert.deepEqual(api.calls, []);
});

test('O2 a call is in the audit trail of its user', async (t) => {
  const { app, options } = await boot(t);
  await calendar({ version: 'v3', ...options }).events.list({ calendarId: 'primary' });
  await app.services.proxy.close();
  const trail = await app.call('GET', '/v1/admin/audit?user=alice');
  const entries = trail.body.entries as { action: string; facts: unknown }[];
  const used = entries?.filter(({ action }) => action === 'connection.use');
  assert.deepEqual(
    used?.map(({ facts }) => facts),
    [{ provider: 'google', calls: 1 }],
    trail.text,
  );
});
