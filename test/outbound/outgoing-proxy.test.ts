import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer, request as httpRequest } from 'node:http';
import { createServer as createTlsHttpServer } from 'node:https';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setDefaultCACertificates } from 'node:tls';
import { inspect } from 'node:util';
import { Secret } from '../../src/base/secret.ts';
import { createOutbound, type OutboundConfig } from '../../src/outbound/outbound.ts';
import { certificate, certificateKey } from '../support/certificate.ts';
import { ended, textOf } from '../support/raw-upstream.ts';

/** A small real proxy: CONNECT and absolute URLs, whatever the name, lead to 127.0.0.1:`port`. */
async function startProxy(t: TestContext, port: number, credentials?: string) {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const isLetIn = (field: string | undefined) =>
    credentials === undefined || field === `Basic ${Buffer.from(credentials).toString('base64')}`;
  const server = createHttpServer((request, reply) => {
    asked.push(`${request.method} ${request.url}`);
    if (!isLetIn(request.headers['proxy-authorization'])) {
      reply.writeHead(407).end();
      return;
    }
    const { pathname, search } = new URL(request.url ?? '');
    const { 'proxy-authorization': _, ...headers } = request.headers;
    const onward = httpRequest({
      port,
      host: '127.0.0.1',
      method: request.method,
      path: pathname + search,
      headers,
    });
    onward.on('response', (from) => from.pipe(reply.writeHead(from.statusCode ?? 502, from.headers)));
    request.pipe(onward);
  });
  server.on('connection', (socket) => sockets.add(socket));
  server.on('connect', (request, socket, head) => {
    asked.push(`CONNECT ${request.url}`);
    if (!isLetIn(request.headers['proxy-authorization'])) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      return;
    }
    const onward = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      onward.write(head);
      socket.pipe(onward).pipe(socket);
    });
    sockets.add(onward);
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const own = credentials === undefined ? '' : `${credentials}@`;
  return { url: `http://${own}127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

/** Answers with what it was asked, over TLS or not. */
async function startEcho(t: TestContext, isSecure: boolean) {
  const tls = { cert: certificate, key: certificateKey };
  const names: unknown[] = [];
  const server = (
    isSecure
      ? createTlsHttpServer(tls, (request, reply) =>
          reply.end(JSON.stringify([request.url, request.rawHeaders])),
        )
      : createHttpServer((request, reply) => reply.end(JSON.stringify([request.url, request.rawHeaders])))
  ).on('secureConnection', (socket) => names.push(socket.servername));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, names };
}

function outboundBehind(
  t: TestContext,
  { proxy, ...config }: Partial<OutboundConfig> & { readonly proxy: string },
  addresses: Readonly<Record<string, readonly string[]>> = {},
) {
  const secret = new Secret(proxy);
  const outbound = createOutbound(
    { allowUpstreams: [], httpProxy: secret, httpsProxy: secret, ...config },
    {
      async resolve(hostname) {
        const found = addresses[hostname];
        if (found === undefined) throw new Error(`${hostname} is not known here`);
        return found;
      },
    },
  );
  t.after(() => outbound.close());
  return outbound;
}

test('https goes through CONNECT: the proxy resolves the name, and the certificate must still be that of the name', async (t) => {
  setDefaultCACertificates([certificate]);
  const upstream = await startEcho(t, true);
  const proxy = await startProxy(t, upstream.port);
  const outbound = outboundBehind(t, { proxy: proxy.url });
  const headers = ['X-B', '1', 'x-a', '\xe9', 'X-B', '2'];
  const get = (host: string) =>
    textOf(outbound.request({ method: 'GET', url: `https://${host}/`, target: '/a%2fb/%20..?"', headers }));
  const [target, fields] = JSON.parse(await get('upstream.test:8443'));
  assert.equal(target, '/a%2fb/%20..?"');
  assert.deepEqual(
    fields,
    [
      ['host', 'upstream.test:8443'],
      ['connection', 'keep-alive'],
      ['X-B', '1'],
      ['X-B', '2'],
      ['x-a', '\xe9'],
    ].flat(),
  );
  assert.deepEqual(upstream.names, ['upstream.test']);
  await assert.rejects(get('other.test'), ended('refused', /cannot be reached/));
  assert.deepEqual(proxy.asked, ['CONNECT upstream.test:8443', 'CONNECT other.test:443']);
});

test('http, where it is allowed, goes to the proxy as a whole URL, its body too', async (t) => {
  const upstream = await startEcho(t, false);
  const proxy = await startProxy(t, upstream.port);
  const outbound = outboundBehind(
    t,
    { proxy: proxy.url, allowUpstreams: ['plain.test'] },
    { 'plain.test': ['8.8.8.8'] },
  );
  const reply = await outbound.request({ method: 'POST', url: 'http://plain.test/x?y', body: 'hello' });
  const [target, fields] = JSON.parse(String(reply.body));
  assert.equal(target, '/x?y');
  assert.deepEqual([fields.includes('plain.test'), fields.includes('5')], [true, true]);
  assert.deepEqual(proxy.asked, ['POST http://plain.test/x?y']);
});

test('E1 E7 what can be seen to be private from here is refused, and the proxy is not asked', async (t) => {
  const proxy = await startProxy(t, 9);
  const outbound = outboundBehind(
    t,
    { proxy: proxy.url, allowUpstreams: ['10.0.0.0/8'] },
    { 'inside.test': ['192.168.0.1'] },
  );
  const hosts = ['127.0.0.1', '192.168.1.1', '[::1]', '169.254.169.254', '[fd00:ec2::254]'];
  const names = ['localhost', 'x.localhost', 'metadata.google.internal', 'metadata', 'inside.test'];
  for (const host of [...hosts, ...names])
    await assert.rejects(
      outbound.request({ method: 'GET', url: `https://${host}/` }),
      ended('refused', /cannot be reached/),
      host,
    );
  assert.deepEqual(proxy.asked, []);
});

test('what the operator allowed and is private is reached past the proxy, and so is what NO_PROXY names, past the guard of the direct way', async (t) => {
  const upstream = await startEcho(t, false);
  const proxy = await startProxy(t, upstream.port);
  const outbound = outboundBehind(
    t,
    { proxy: proxy.url, allowUpstreams: ['inside.test', '127.0.0.1'], noProxy: '.direct.test' },
    { 'inside.test': ['127.0.0.1'], 'a.direct.test': ['10.0.0.1'] },
  );
  for (const host of ['inside.test', '127.0.0.1'])
    await outbound.request({ method: 'GET', url: `http://${host}:${upstream.port}/` });
  await assert.rejects(
    outbound.request({ method: 'GET', url: 'https://a.direct.test/' }),
    ended('refused', /cannot be reached/),
  );
  assert.deepEqual(proxy.asked, []);
});

test('the credentials of the proxy go to the proxy, and into no error', async (t) => {
  setDefaultCACertificates([certificate]);
  const upstream = await startEcho(t, true);
  const proxy = await startProxy(t, upstream.port, 'me:s3cr3t%2Fword');
  const good = proxy.url.replace('s3cr3t%2Fword', encodeURIComponent('s3cr3t%2Fword'));
  const get = (url: string) => {
    const outbound = outboundBehind(t, { proxy: url });
    return outbound.request({ method: 'GET', url: 'https://upstream.test/', timeoutMs: 5_000 });
  };
  assert.equal((await get(good)).status, 200);
  const failures = [proxy.url, good.replace(/127.0.0.1:\d+/, '127.0.0.1:9')].map((url) =>
    get(url).then(
      () => assert.fail('it was let in'),
      (error: unknown) => error,
    ),
  );
  for (const error of await Promise.all(failures)) {
    assert.ok(ended('refused', /cannot be reached/)(error));
    assert.doesNotMatch(inspect(error, { depth: 20, showHidden: true }), /s3cr3t|bWU6/);
  }
});

test('a proxy that says nothing is not waited for longer than the call allows', async (t) => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.after(() => silent.close());
  const outbound = outboundBehind(t, { proxy: `http://127.0.0.1:${(silent.address() as AddressInfo).port}` });
  await assert.rejects(
    outbound.request({ method: 'GET', url: 'https://upstream.test/', timeoutMs: 100 }),
    ended('refused', /cannot be reached/),
  );
});
