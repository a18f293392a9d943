import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Problem } from '../../src/base/problem.ts';
import { createOutbound, type Resolve } from '../../src/outbound/outbound.ts';

/** A loopback server that counts what reached it. */
async function upstream(t: TestContext, listener: RequestListener) {
  let connections = 0;
  const server = createServer(listener).on('connection', () => connections++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { port: (server.address() as AddressInfo).port, reached: () => connections };
}

function outboundFor(t: TestContext, allowUpstreams: readonly string[], resolve?: Resolve) {
  const outbound = createOutbound({ allowUpstreams }, resolve === undefined ? {} : { resolve });
  t.after(() => outbound.close());
  return outbound;
}

const refusedWith = (kind: Problem['kind'], pattern: RegExp) => (error: unknown) =>
  error instanceof Problem && error.kind === kind && pattern.test(error.detail);

test('E3, E4: a name that resolves to a private address is never dialled, also when it was public before', async (t) => {
  const server = await upstream(t, (_request, reply) => reply.end('secret'));
  let answers = 0;
  const rebinding: Resolve = async () => (++answers % 2 === 0 ? ['127.0.0.1'] : ['8.8.8.8', '127.0.0.1']);
  const outbound = outboundFor(t, [], rebinding);
  for (let i = 0; i < 3; i++)
    await assert.rejects(
      outbound.request({ method: 'GET', url: 'https://rebind.example:8443/' }),
      refusedWith('upstream_error', /cannot be reached/),
    );
  assert.equal(answers, 3);
  assert.equal(server.reached(), 0);
});

test('E2, E5, E9: odd spellings of loopback, plain http, other ports and user names in URLs are refused before anything is sent', async (t) => {
  const server = await upstream(t, (_request, reply) => reply.end('secret'));
  const outbound = outboundFor(t, []);
  for (const host of ['127.1', '0x7f.1', '2130706433', '①②⑦.0.0.1', '[::ffff:7f00:1]', 'localhost']) {
    await assert.rejects(
      outbound.request({ method: 'GET', url: `http://${host}:${server.port}/` }),
      refusedWith('invalid_request', /expected https/),
    );
    await assert.rejects(
      outbound.request({ method: 'GET', url: `https://${host}:8443/` }),
      refusedWith('upstream_error', /cannot be reached/),
    );
  }
  await assert.rejects(
    outbound.request({ method: 'GET', url: 'https://example.com:22/' }),
    refusedWith('invalid_request', /port/),
  );
  await assert.rejects(
    outbound.request({ method: 'GET', url: 'https://a:b@example.com/' }),
    refusedWith('invalid_request', /user name/),
  );
  await assert.rejects(
    outbound.request({ method: 'GET', url: 'ftp://example.com/' }),
    refusedWith('invalid_request', /http\(s\)/),
  );
  assert.equal(server.reached(), 0);
});

test('E7: a metadata address stays blocked even where the operator allows its network', async (t) => {
  const outbound = outboundFor(t, ['meta.example', '169.254.0.0/16'], async () => ['169.254.169.254']);
  await assert.rejects(
    outbound.request({ method: 'GET', url: 'http://meta.example/', timeoutMs: 2_000 }),
    refusedWith('upstream_error', /cannot be reached/),
  );
});

test('E6: an allowed host is spoken to over http, and a redirect is handed back, not followed', async (t) => {
  const server = await upstream(t, (request, reply) => {
    reply.writeHead(302, { location: '/elsewhere', 'x-host': request.headers.host ?? '' }).end();
  });
  const outbound = outboundFor(t, ['upstream.test'], async () => ['127.0.0.1']);
  const reply = await outbound.request({ method: 'GET', url: `http://upstream.test:${server.port}/` });
  assert.equal(reply.status, 302);
  assert.equal(reply.headers['x-host'], `upstream.test:${server.port}`);
  assert.equal(server.reached(), 1);
});

test('a reply that is too large or too slow ends in words', async (t) => {
  const server = await upstream(t, (request, reply) => {
    if (request.url === '/large') reply.end('x'.repeat(10_000));
  });
  const outbound = outboundFor(t, ['127.0.0.1']);
  const url = `http://127.0.0.1:${server.port}`;
  await assert.rejects(
    outbound.request({ method: 'GET', url: `${url}/large`, maxBytes: 9_999 }),
    refusedWith('upstream_error', /larger than 9999/),
  );
  await assert.rejects(
    outbound.request({ method: 'GET', url: `${url}/slow`, timeoutMs: 50 }),
    refusedWith('upstream_error', /in time/),
  );
});

test('E8: a blocked address and one where nobody listens read the same', async (t) => {
  const outbound = outboundFor(t, ['127.0.0.1:9']);
  const detailOf = async (url: string) => {
    const error: unknown = await outbound.request({ method: 'GET', url }).catch((e: unknown) => e);
    assert.ok(error instanceof Problem);
    return [error.kind, error.detail.replace(/^\S+/, 'HOST')];
  };
  const unreachable = await detailOf('http://127.0.0.1:9/');
  const resolved = outboundFor(t, [], async () => ['10.0.0.1']);
  const blocked: unknown = await resolved
    .request({ method: 'GET', url: 'https://inside.example/' })
    .catch((e: unknown) => e);
  assert.ok(blocked instanceof Problem);
  assert.deepEqual([blocked.kind, blocked.detail.replace(/^\S+/, 'HOST')], unreachable);
});
