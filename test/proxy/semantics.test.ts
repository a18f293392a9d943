import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { Problem } from '../../src/base/problem.ts';
import type { FreshToken, TokenRequest } from '../../src/connections/connections.ts';
import { rawRequest, rawUpstream, recordingUpstream, startProxy } from '../support/proxy.ts';

const token = (version: number, scopes: readonly string[] = []): FreshToken => ({
  connectionId: 'con_1',
  accessToken: `token-${version}`,
  scopes,
  version,
});
const bearer = (rawHeaders: readonly string[]) => rawHeaders[rawHeaders.indexOf('authorization') + 1];

/** The vault's side: a token that is renewed when its version was refused. */
function tokens(asked: TokenRequest[] = []) {
  return async (request: TokenRequest) => {
    asked.push(request);
    return token((request.refused ?? 0) + 1);
  };
}

test('J9 a 401 of the provider leads to one renewal and one repetition, with the body, and to no more', async (t) => {
  const asked: TokenRequest[] = [];
  const upstream = await recordingUpstream(t, ({ target, rawHeaders }, reply) => {
    const good = target.endsWith('heals') && bearer(rawHeaders) === 'Bearer token-2';
    reply.writeHead(good ? 200 : 401).end(good ? 'ok' : 'no');
  });
  const proxy = await startProxy(t, upstream.origin, { freshToken: tokens(asked) });
  const healed = await proxy.call('POST', 'google/gmail/v1/heals', { body: 'the body' });
  assert.deepEqual([healed.status, await healed.text()], [200, 'ok']);
  assert.deepEqual(
    upstream.seen.map(({ body, rawHeaders }) => [body, bearer(rawHeaders)]),
    [
      ['the body', 'Bearer token-1'],
      ['the body', 'Bearer token-2'],
    ],
  );
  assert.deepEqual(
    asked.map(({ refused, actor, owner }) => [refused, actor, owner.userId]),
    [
      [undefined, 'key:key_1', 'alice'],
      [1, 'key:key_1', 'alice'],
    ],
  );
  const refused = await proxy.call('GET', 'google/gmail/v1/never');
  assert.deepEqual([refused.status, await refused.text()], [401, 'no']);
  assert.equal(upstream.seen.length, 4);
});

test('J9 a 401 is passed on when nothing newer can be had, and when the body cannot be sent again', async (t) => {
  const upstream = await recordingUpstream(t, (_request, reply) => reply.writeHead(401).end('no'));
  const same = await startProxy(t, upstream.origin, { freshToken: async () => token(1) });
  assert.equal((await same.call('GET', 'google/gmail/v1/x')).status, 401);
  assert.equal(upstream.seen.length, 1);
  const down = await startProxy(t, upstream.origin, {
    freshToken: async ({ refused }) => {
      if (refused !== undefined) throw new Problem('unavailable', 'the provider is down');
      return token(1);
    },
  });
  assert.equal((await down.call('GET', 'google/gmail/v1/x')).status, 401);
  const large = await startProxy(t, upstream.origin, { freshToken: tokens() });
  const body = new Blob([Buffer.alloc(200_000)]).stream();
  const reply = await large.call('POST', 'google/gmail/v1/x', { body, duplex: 'half' } as RequestInit);
  assert.equal(reply.status, 401);
  assert.equal(upstream.seen.length, 3);
});

test('what the user has to do is 403 with a session to do it, where one can be opened', async (t) => {
  const upstream = await recordingUpstream(t, (_request, reply) => reply.end());
  const session = {
    sessionId: 'sess_1',
    authUrl: 'https://us.test/a',
    expiresAt: Date.parse('2026-01-01T00:05:00.000Z'),
  };
  for (const kind of ['provider_not_connected', 'token_expired'] as const)
    for (const opens of [true, false]) {
      const proxy = await startProxy(t, upstream.origin, {
        freshToken: () => Promise.reject(new Problem(kind, 'connect google')),
        ...(opens ? { openSession: async () => session } : {}),
      });
      const reply = await proxy.call('GET', 'google/gmail/v1/x');
      assert.equal(reply.status, 403);
      assert.equal(reply.headers.get('x-proxy-origin'), 'gateway');
      const { detail } = (await reply.json()) as { detail: unknown };
      const hint = { id: 'sess_1', auth_url: session.authUrl, expires_at: '2026-01-01T00:05:00.000Z' };
      const fields = { code: kind, message: 'connect google', provider: 'google' };
      assert.deepEqual(detail, opens ? { ...fields, session: hint } : fields);
    }
  assert.equal(upstream.connections(), 0);
});

test('a consent that does not cover the API is 403 before anything is sent; one that does, or is not known, goes', async (t) => {
  const upstream = await recordingUpstream(t, (_request, reply) => reply.end('ok'));
  const asks = async (...scopes: string[]) => {
    const proxy = await startProxy(t, upstream.origin, { freshToken: async () => token(1, scopes) });
    const reply = await proxy.call('GET', 'google/gmail/v1/x');
    return reply.status === 200 ? 200 : ((await reply.json()) as { detail: Record<string, unknown> }).detail;
  };
  const refused = await asks('https://www.googleapis.com/auth/calendar.readonly', 'openid');
  assert.ok(typeof refused === 'object');
  assert.equal(refused.code, 'provider_not_connected');
  assert.deepEqual(refused.missing_scopes, [
    'https://mail.google.com/',
    'https://www.googleapis.com/auth/gmail.*',
  ]);
  assert.equal(upstream.connections(), 0);
  assert.equal(await asks('https://www.googleapis.com/auth/gmail.readonly'), 200);
  assert.equal(await asks('https://mail.google.com/'), 200);
  assert.equal(await asks(), 200);
});

test('G5 the account that the caller names is asked for, and the header goes no further', async (t) => {
  const upstream = await recordingUpstream(t, (_request, reply) => reply.end());
  const asked: TokenRequest[] = [];
  const proxy = await startProxy(t, upstream.origin, { freshToken: tokens(asked) });
  await proxy.call('GET', 'google/gmail/v1/x', { headers: { 'x-proxy-account': 'work@x.test' } });
  assert.equal(asked[0]?.account, 'work@x.test');
  assert.doesNotMatch(upstream.seen[0]?.rawHeaders.join() ?? '', /work@x/);
});

test('reads are repeated when the provider says soon, not when it says later, and writes only under an Idempotency-Key', async (t) => {
  const answers: [number, Record<string, string>][] = [];
  const upstream = await recordingUpstream(t, (_request, reply) => {
    const [status, headers] = answers.shift() ?? [200, {}];
    reply.writeHead(status, headers).end();
  });
  const waits: number[] = [];
  const wait = async (ms: number) => void waits.push(ms);
  const proxy = await startProxy(t, upstream.origin, { wait });
  const attempt = async (method: string, next: typeof answers, headers: Record<string, string> = {}) => {
    answers.splice(0, answers.length, ...next);
    waits.length = 0;
    const before = upstream.seen.length;
    const { status } = await proxy.call(method, 'google/gmail/v1/x', { headers });
    return [status, upstream.seen.length - before];
  };
  const soon = { 'retry-after': '1' };
  assert.deepEqual(await attempt('GET', [[429, soon]]), [200, 2]);
  assert.deepEqual(waits, [1_000]);
  assert.deepEqual(
    await attempt('GET', [
      [503, soon],
      [503, soon],
      [503, soon],
    ]),
    [503, 3],
  );
  assert.deepEqual(await attempt('HEAD', [[502, {}]]), [200, 2]);
  assert.deepEqual(await attempt('GET', [[429, { 'retry-after': '60' }]]), [429, 1]);
  assert.deepEqual(await attempt('GET', [[429, {}]]), [429, 1]);
  assert.deepEqual(await attempt('GET', [[500, {}]]), [500, 1]);
  assert.deepEqual(await attempt('POST', [[429, soon]]), [429, 1]);
  assert.deepEqual(await attempt('POST', [[502, {}]]), [502, 1]);
  assert.deepEqual(await attempt('POST', [[429, soon]], { 'idempotency-key': 'a' }), [200, 2]);
  assert.deepEqual(await attempt('POST', [[502, {}]], { 'idempotency-key': 'b' }), [502, 1]);
});

test('a read survives one connection that breaks before an answer; a write is not sent twice', async (t) => {
  let requests = 0;
  const upstream = await rawUpstream(t, (socket) => {
    socket.once('data', () => {
      if (++requests % 2 === 1) socket.destroy();
      else socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
    });
  });
  const proxy = await startProxy(t, upstream.origin, { wait: async () => undefined });
  assert.equal((await proxy.call('GET', 'google/gmail/v1/x')).status, 200);
  assert.equal((await proxy.call('POST', 'google/gmail/v1/x', { body: 'x' })).status, 502);
  assert.equal(requests, 3);
});

test('the same Idempotency-Key and request is done once and answered alike; another request under it is 409', async (t) => {
  const upstream = await recordingUpstream(t, (_request, reply) => {
    setTimeout(() => reply.writeHead(201, { etag: '"1"' }).end(`made ${upstream.seen.length}`), 50);
  });
  const proxy = await startProxy(t, upstream.origin);
  const send = (body: string, path = 'x', name = 'k1') =>
    proxy.call('POST', `google/gmail/v1/${path}`, { body, headers: { 'idempotency-key': name } });
  const both = await Promise.all([send('a'), send('a')]);
  const later = await send('a');
  for (const reply of [...both, later])
    assert.deepEqual([reply.status, reply.headers.get('etag'), await reply.text()], [201, '"1"', 'made 1']);
  assert.equal((await send('b')).status, 409);
  assert.equal((await send('a', 'y')).status, 409);
  assert.equal(upstream.seen.length, 1);
  assert.equal(await (await send('a', 'x', 'k2')).text(), 'made 2');
  assert.equal((await send('a', 'x', 'bad key')).status, 400);
});

test('an Idempotency-Key holds the outcome for a caller that went away meanwhile, and forgets what was not done', async (t) => {
  let status = 201;
  const upstream = await recordingUpstream(t, (_request, reply) => {
    setTimeout(() => reply.writeHead(status).end('done'), 200);
  });
  const proxy = await startProxy(t, upstream.origin);
  const send = (name: string, signal?: AbortSignal) =>
    proxy.call('POST', 'google/gmail/v1/x', {
      body: 'a',
      headers: { 'idempotency-key': name },
      ...(signal === undefined ? {} : { signal }),
    });
  const gone = new AbortController();
  const first = send('k', gone.signal);
  while (upstream.seen.length === 0) await new Promise((next) => setTimeout(next, 5));
  gone.abort();
  await assert.rejects(first);
  const again = await send('k');
  assert.deepEqual([again.status, upstream.seen.length], [201, 1]);
  status = 503;
  assert.equal((await send('l')).status, 503);
  status = 201;
  assert.equal((await send('l')).status, 201);
});

test('O3 one user and one provider have so many calls under way and no more; a place is free again when a call is over', async (t) => {
  const upstream = await rawUpstream(t, (socket) => {
    socket.on('data', (data) => {
      if (data.includes('/hangs')) socket.write('HTTP/1.1 200 OK\r\n\r\nsome');
      else socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    });
  });
  for (const limits of [{ perUser: 2 }, { perProvider: 2 }]) {
    const proxy = await startProxy(t, upstream.origin, { limits });
    const gone = new AbortController();
    const hang = () => proxy.call('GET', 'google/gmail/v1/hangs', { signal: gone.signal });
    const held = await Promise.all([hang(), hang()]);
    const refused = await proxy.call('GET', 'google/gmail/v1/x');
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '1']);
    gone.abort();
    await Promise.allSettled(held.map((reply) => reply.text()));
    let status = 0;
    for (let i = 0; i < 50 && status !== 200; i++) {
      await new Promise((next) => setTimeout(next, 20));
      ({ status } = await proxy.call('GET', 'google/gmail/v1/x'));
    }
    assert.equal(status, 200);
  }
});

test('a provider that cannot be reached is 502 in words, and a body that its caller breaks off does not count against it', async (t) => {
  const nobody = await rawUpstream(t, (socket) => socket.destroy());
  const proxy = await startProxy(t, nobody.origin, { wait: async () => undefined });
  const reply = await proxy.call('POST', 'google/gmail/v1/x', { body: 'x' });
  assert.equal(reply.status, 502);
  assert.match(await reply.text(), /"code":"upstream_error"/);

  const upstream = await recordingUpstream(t, (_request, answer) => answer.end('ok'));
  const other = await startProxy(t, upstream.origin);
  const { hostname, port } = new URL(other.url);
  for (let i = 0; i < 12; i++) {
    const socket = connect(Number(port), hostname);
    socket.write(
      rawRequest('POST', '/v1/proxy/google/gmail/v1/x', ['Content-Length: 1000000'], 'the beginning'),
    );
    while (upstream.connections() <= i) await new Promise((next) => setTimeout(next, 2));
    socket.destroy();
  }
  assert.equal((await other.call('GET', 'google/gmail/v1/x')).status, 200, 'the breaker is closed');
});

test('A8 M4 info names the provider by its raw name and shows what the connections room says', async (t) => {
  const upstream = await recordingUpstream(t, (_request, reply) => reply.end());
  const proxy = await startProxy(t, upstream.origin);
  const reply = await proxy.call('GET', 'google/info');
  assert.deepEqual(await reply.json(), {
    provider: 'google',
    connected: true,
    status: 'active',
    can_access: true,
  });
  assert.equal((await proxy.call('GET', 'nowhere/info')).status, 404);
  assert.equal((await proxy.call('GET', 'goo%67le/info')).status, 400);
  assert.equal(upstream.connections(), 0);
});

test('O2 every use of a grant is told to the audit trail, counted by key and grant', async (t) => {
  const upstream = await recordingUpstream(t, (_request, reply) => reply.end());
  const proxy = await startProxy(t, upstream.origin);
  for (let i = 0; i < 3; i++) await proxy.call('GET', 'google/gmail/v1/x');
  await proxy.call('GET', 'google/gmail/v1/../x%2e%2e%2f..');
  const use = {
    developerId: 'dev_1',
    userId: 'alice',
    keyId: 'key_1',
    connectionId: 'con_1',
    provider: 'google',
  };
  assert.deepEqual(await proxy.usage(), [{ ...use, calls: 3 }]);
});

test('O3 a call that fails before it is sent gives its place back', async (t) => {
  const upstream = await recordingUpstream(t, (_request, reply) => reply.end());
  const proxy = await startProxy(t, upstream.origin, {
    limits: { perUser: 1 },
    freshToken: () => Promise.reject(new Problem('token_expired', 'connect again')),
  });
  for (let i = 0; i < 3; i++) assert.equal((await proxy.call('GET', 'google/gmail/v1/x')).status, 403);
});
