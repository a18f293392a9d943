import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  asJson,
  type PlainProvider,
  type ProviderReply,
  startPlainProvider,
} from '../support/plain-provider.ts';

/** Replies to a refresh that mean that the grant is over, in the words of those who say it so. */
const deadGrants: Readonly<Record<string, ProviderReply>> = {
  'RFC 6749': asJson(400, { error: 'invalid_grant' }),
  'GitHub 200': asJson(200, {
    error: 'bad_refresh_token',
    error_description: 'The refresh token passed is incorrect or expired.',
  }),
  'GitHub as a form': asJson(
    200,
    'error=bad_refresh_token&error_description=The+refresh+token+passed+is+incorrect+or+expired.',
    'application/x-www-form-urlencoded; charset=utf-8',
  ),
  'a form without a type': { status: 200, headers: { 'content-type': '' }, body: 'error=bad_refresh_token' },
  'Slack invalid_refresh_token': asJson(200, { ok: false, error: 'invalid_refresh_token' }),
  'Slack token_revoked': asJson(200, { ok: false, error: 'token_revoked' }),
  'Slack account_inactive': asJson(200, { ok: false, error: 'account_inactive' }),
  'Atlassian 403': asJson(403, {
    error: 'unauthorized_client',
    error_description: 'refresh_token is invalid',
  }),
  'Atlassian 400': asJson(400, {
    error: 'unauthorized_client',
    error_description: 'refresh_token is invalid',
  }),
  'Microsoft interaction_required': asJson(400, {
    error: 'interaction_required',
    error_description: 'AADSTS50076',
  }),
  'Microsoft consent_required': asJson(400, { error: 'consent_required' }),
  'Microsoft login_required': asJson(400, { error: 'login_required' }),
  expired_token: asJson(400, { error: 'expired_token' }),
  'expired_token with 401': asJson(401, { error: 'expired_token' }),
  'kanidm: text/plain': asJson(
    400,
    '{"error":"invalid_grant","error_description":null}',
    'text/plain; charset=utf-8',
  ),
  'JSON under text/html': asJson(400, '{"error":"invalid_grant"}', 'text/html'),
  'JSON without a type, with a BOM': {
    status: 400,
    headers: { 'content-type': '' },
    body: '\ufeff{"error":"invalid_grant"}',
  },
  'Auth0 403': asJson(403, {
    error: 'invalid_grant',
    error_description: 'Unknown or invalid refresh token.',
  }),
  'invalid_grant with 401': asJson(401, { error: 'invalid_grant' }),
  'invalid_grant with 201': asJson(201, { error: 'invalid_grant' }),
  'a null token beside it': asJson(200, { access_token: null, error: 'invalid_grant' }),
  HubSpot: asJson(400, { status: 'BAD_REFRESH_TOKEN', message: 'missing or invalid refresh token' }),
  Twitch: asJson(400, { error: 'Bad Request', status: 400, message: 'Invalid refresh token' }),
  'Twitch 401': asJson(401, { status: 401, message: 'Invalid refresh token' }),
  X: asJson(400, {
    error: 'invalid_request',
    error_description: 'Value passed for the token was invalid.',
  }),
  Strava: asJson(400, {
    message: 'Bad Request',
    errors: [{ resource: 'RefreshToken', field: 'refresh_token', code: 'invalid' }],
  }),
  Meta: asJson(400, { error: { message: 'Error validating', type: 'OAuthException', code: 190 } }),
  Fitbit: asJson(400, {
    errors: [{ errorType: 'invalid_grant', message: 'Refresh token invalid: x' }],
    success: false,
  }),
  Yahoo: asJson(400, {
    error: { errorId: 'INVALID_REFRESH_TOKEN', localizedMessage: 'client request is not acceptable' },
  }),
  Zoho: asJson(200, { error: 'invalid_code' }),
};

async function refused(plain: PlainProvider, userId: string, reply: ProviderReply | (() => ProviderReply)) {
  plain.onToken = ({ form }) => {
    if (form.get('refresh_token') === null) return undefined;
    return typeof reply === 'function' ? reply() : reply;
  };
  const answer = await plain.call(userId);
  plain.onToken = null;
  return answer;
}

test('19 a dead grant, in whatever words, is needs_reauth and 403 token_expired with a session, and nobody else is asked to wait', async (t) => {
  const plain = await startPlainProvider(t);
  const cases = Object.entries(deadGrants);
  for (const [name] of cases) assert.equal((await plain.connect(name)).body.status, 'complete', name);
  await plain.connect('well');
  plain.expire();
  for (const [name, reply] of cases) {
    const answer = await refused(plain, name, reply);
    const detail = answer.body.detail as { code: string; session?: { auth_url: string } };
    assert.deepEqual([answer.status, detail.code], [403, 'token_expired'], `${name}: ${answer.text}`);
    assert.match(String(detail.session?.auth_url), /connect/, name);
  }
  const listed = await plain.app.call('GET', '/v1/admin/connections?limit=100');
  const states = listed.body.connections as { user_id: string; status: string }[];
  for (const { user_id, status } of states)
    assert.equal(status, user_id === 'well' ? 'active' : 'needs_reauth', user_id);
  assert.equal((await plain.call('well')).status, 200);
  assert.equal(plain.app.services.connections.admin.countMisconfigured(), 0);
});

/** Replies to a refresh that say nothing against the grant. */
const passing: Readonly<Record<string, ProviderReply>> = {
  '500 with words': asJson(500, { error: 'server_error' }),
  '503 invalid_grant': asJson(503, { error: 'invalid_grant' }),
  'Slack ratelimited': asJson(200, { ok: false, error: 'ratelimited' }),
  'Slack internal_error': asJson(200, { ok: false, error: 'internal_error' }),
  '429 nameless': asJson(429, 'slow down', 'text/plain'),
  HTML: asJson(200, '<!doctype html><title>Sign in</title>', 'text/html'),
  'no token': asJson(200, { token_type: 'Bearer' }),
  temporarily_unavailable: asJson(400, { error: 'temporarily_unavailable' }),
};

test('19 a provider that is down, busy or talks nonsense keeps the grant', async (t) => {
  const plain = await startPlainProvider(t);
  const cases = Object.entries(passing);
  for (const [name] of cases) await plain.connect(name);
  plain.expire();
  for (const [name, reply] of cases) {
    for (let i = 0; i < 5; i++) {
      assert.equal((await refused(plain, name, reply)).status, 503, name);
      plain.clock.advance(60_000);
    }
    plain.clock.advance(600_000);
    assert.equal((await plain.call(name)).status, 200, name);
  }
});

for (const [what, reply] of Object.entries({
  '400 invalid_request': asJson(400, { error: 'invalid_request' }),
  '400 invalid_scope': asJson(400, { error: 'invalid_scope' }),
  '400 unauthorized_client': asJson(400, { error: 'unauthorized_client' }),
  '401 without a word': asJson(401, ''),
  "401 unauthorized_client, Google's for a token of another client": asJson(401, {
    error: 'unauthorized_client',
    error_description: 'Unauthorized',
  }),
  '403 HTML': asJson(403, '<html>', 'text/html'),
}))
  test(`18.7 ${what} at one user's refresh is that grant's: others go on, and after three it is the user's to mend`, async (t) => {
    const plain = await startPlainProvider(t);
    for (const user of ['ann', 'bob', 'cas']) await plain.connect(user);
    plain.expire();
    assert.equal((await refused(plain, 'ann', reply)).status, 503);
    assert.equal(plain.app.services.connections.admin.countMisconfigured(), 0);
    assert.equal((await plain.call('bob')).status, 200);
    plain.clock.advance(60_000);
    assert.equal((await refused(plain, 'ann', reply)).status, 503);
    plain.clock.advance(60_000);
    const last = await refused(plain, 'ann', reply);
    assert.equal((last.body.detail as { code: string }).code, 'token_expired', last.text);
    assert.equal((await plain.call('cas')).status, 200);
  });

test('18.7 several grants refused alike, and none renewed in between, are an alarm about the provider; no grant is touched', async (t) => {
  const plain = await startPlainProvider(t);
  const users = ['u1', 'u2', 'u3', 'u4'];
  for (const user of users) await plain.connect(user);
  plain.expire();
  for (const user of users)
    assert.equal((await refused(plain, user, asJson(400, { error: 'invalid_scope' }))).status, 503);
  assert.equal(plain.app.services.connections.admin.countMisconfigured(), 1);
  plain.clock.advance(31_000);
  for (const user of users) assert.equal((await plain.call(user)).status, 200, user);
  assert.equal(plain.app.services.connections.admin.countMisconfigured(), 0);
});

test('18.7 invalid_client, in whatever words, is about us: at once an alarm', async (t) => {
  for (const reply of [
    asJson(400, { error: 'invalid_client' }),
    asJson(401, { error: 'invalid_client', error_description: 'refresh token is invalid' }),
    asJson(200, { error: 'incorrect_client_credentials' }),
    asJson(200, { ok: false, error: 'bad_client_secret' }),
  ]) {
    const plain = await startPlainProvider(t);
    await plain.connect('ann');
    plain.expire();
    assert.equal((await refused(plain, 'ann', reply)).status, 503);
    assert.equal(plain.app.services.connections.admin.countMisconfigured(), 1, JSON.stringify(reply));
  }
});

/** Token replies that are good, however they are written. */
const tokens: Readonly<Record<string, ProviderReply>> = {
  'OpenAuth: no token_type': asJson(200, { access_token: 'at', expires_in: 3_600, refresh_token: 'rt' }),
  'Twitch: scope as an array': asJson(200, {
    access_token: 'at',
    token_type: 'bearer',
    expires_in: 3_600,
    scope: ['read', 'mail:send', null],
    refresh_token: 'rt',
  }),
  nulls: asJson(200, {
    access_token: 'at',
    token_type: null,
    expires_in: null,
    scope: null,
    refresh_token: null,
    id_token: null,
    error: null,
  }),
  'empty texts': asJson(200, {
    access_token: 'at',
    token_type: '',
    expires_in: '',
    scope: '',
    refresh_token: '',
    id_token: '',
    error: '',
  }),
  'Slack: token_type user': asJson(200, {
    ok: true,
    access_token: 'at',
    token_type: 'user',
    expires_in: 43_200,
    refresh_token: 'rt',
  }),
  'Slack: token_type bot': asJson(200, { ok: true, access_token: 'at', token_type: 'bot' }),
  eBay: asJson(200, { access_token: 'at', token_type: 'User Access Token', expires_in: 7_200 }),
  'status 201': asJson(201, { access_token: 'at', token_type: 'Bearer', expires_in: 3_600 }),
  'expires_in as text': asJson(200, { access_token: 'at', token_type: 'BEARER', expires_in: '3600' }),
  'an ID token that nobody asked for': asJson(200, {
    access_token: 'at',
    token_type: 'Bearer',
    id_token: 'no.jwt.x',
  }),
  'GitHub: a form': asJson(
    200,
    'access_token=at&scope=repo%2Cread&token_type=bearer&refresh_token=rt&expires_in=3600',
    'application/x-www-form-urlencoded; charset=utf-8',
  ),
  'JSON under text/plain': asJson(200, '{"access_token":"at","token_type":"bearer"}', 'text/plain'),
  'JSON under text/html, with a BOM': asJson(200, '\ufeff{"access_token":"at"}', 'text/html'),
  'a life that is none': asJson(200, { access_token: 'at', expires_in: 'never' }),
  'a life below zero': asJson(200, { access_token: 'at', expires_in: -1 }),
  'a life of for ever': asJson(200, '{"access_token":"at","expires_in":1e300}'),
  'scope as an object': asJson(200, { access_token: 'at', scope: { read: true } }),
};

test('20 token replies as they are: taken at the code exchange and at a renewal alike', async (t) => {
  const plain = await startPlainProvider(t);
  for (const [name, reply] of Object.entries(tokens)) {
    plain.onToken = () => reply;
    const session = await plain.connect(name);
    assert.equal(session.body.status, 'complete', `${name}: ${session.text}`);
    plain.onToken = null;
    assert.equal((await plain.call(name)).text, 'Bearer at', name);
  }
  await plain.connect('renewed');
  for (const [name, reply] of Object.entries(tokens)) {
    plain.clock.advance(3_700_000);
    // However long the last ones were to live, the provider refuses them now.
    const held = { refused: false };
    plain.onApi = ({ headers }) => {
      if (held.refused) return asJson(200, headers.authorization, 'text/plain');
      held.refused = true;
      return asJson(401, {});
    };
    plain.onToken = () => reply;
    const answer = await plain.call('renewed');
    assert.deepEqual([answer.status, answer.text], [200, 'Bearer at'], name);
  }
});

test('20 scopes come as texts, lists, with commas or blanks, and are told alike', async (t) => {
  const plain = await startPlainProvider(t);
  for (const [i, scope] of [['read', 'mail'], 'read mail', 'read,mail', 'read, mail'].entries()) {
    plain.onToken = () => asJson(200, { access_token: 'at', scope });
    const session = await plain.connect(`u${i}`, { scopes: ['read', 'mail', 'more'] });
    assert.deepEqual(session.body.granted_scopes, ['read', 'mail']);
    assert.deepEqual(session.body.missing_scopes, ['more']);
  }
});

test('20 a refresh token that a reply does not repeat stays good, and one that it does replaces it', async (t) => {
  const plain = await startPlainProvider(t);
  await plain.connect('ann');
  const sent = () => plain.at('/token').at(-1)?.form.get('refresh_token');
  for (const [refresh_token, next] of [
    [null, 'refresh-1'],
    ['', 'refresh-1'],
    [undefined, 'refresh-1'],
    ['rotated', 'rotated'],
    [null, 'rotated'],
  ] as const) {
    plain.expire();
    plain.onToken = () => asJson(200, { access_token: 'at', expires_in: 3_600, refresh_token });
    assert.equal((await plain.call('ann')).status, 200);
    plain.expire();
    plain.onToken = () => asJson(200, { access_token: 'at', expires_in: 3_600 });
    assert.equal((await plain.call('ann')).status, 200);
    assert.equal(sent(), next);
  }
});

/** What cannot be used says so; "try again" stands only where trying again can help. */
const useless: Readonly<Record<string, readonly [ProviderReply, RegExp]>> = {
  'a MAC token': [
    asJson(200, { access_token: 'at', token_type: 'mac' }),
    /cannot be used: its tokens are of the type mac$/,
  ],
  'no token': [asJson(200, {}), /cannot be used: it has no access_token$/],
  'an empty token': [asJson(200, { access_token: '' }), /cannot be used: it has no access_token$/],
  'a token that is a number': [asJson(200, { access_token: 7 }), /cannot be used: it has no access_token$/],
  HTML: [asJson(200, '<html>', 'text/html'), /cannot be used: it is neither JSON nor a form$/],
  'a list': [asJson(200, '[]'), /cannot be used: it is neither JSON nor a form$/],
  'a refusal in words': [asJson(400, { error: 'redirect_uri_mismatch' }), /refused: redirect_uri_mismatch$/],
  'a refusal with 200': [asJson(200, { ok: false, error: 'bad_redirect_uri' }), /refused: bad_redirect_uri$/],
  'a refusal without words': [asJson(403, ''), /refused: status 403$/],
  'a client that is none': [
    asJson(401, { error: 'invalid_client' }),
    /does not accept this service as its client$/,
  ],
  'a code that is over': [asJson(400, { error: 'invalid_grant' }), /did not give access: try again$/],
  "GitHub's code that is over": [
    asJson(200, { error: 'bad_verification_code' }),
    /did not give access: try again$/,
  ],
  'a provider that is down': [asJson(503, ''), /did not give access: try again$/],
};

test('20 a code exchange that fails is told in words that fit', async (t) => {
  const plain = await startPlainProvider(t);
  for (const [name, [reply, words]] of Object.entries(useless)) {
    plain.onToken = () => reply;
    const { body } = await plain.connect(name);
    assert.equal(body.status, 'error', name);
    assert.match(String(body.error), words, name);
  }
});

test('20 an ID token that was asked for must be there and good, and the words say so', async (t) => {
  const plain = await startPlainProvider(t, { scopes: ['openid', 'read'] });
  for (const id_token of [undefined, null, '', 'no.jwt.x']) {
    plain.onToken = () => asJson(200, { access_token: 'at', token_type: 'Bearer', id_token });
    const { body } = await plain.connect('ann');
    assert.match(String(body.error), /cannot be used: its ID token is missing or not valid$/);
  }
});
