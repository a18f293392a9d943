import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { adminKey, bootApp, type TestApp } from '../support/app.ts';

/** `fetch` says the host itself. */
function ask(app: TestApp, method: string, path: string, host: string): Promise<number | undefined> {
  const body = method === 'POST' ? JSON.stringify({ key: adminKey }) : undefined;
  const headers = { host, ...(body !== undefined && { 'content-type': 'application/json' }) };
  return new Promise((resolve, reject) => {
    const sent = request(`${app.url}${path}`, { method, headers }, (reply) => {
      reply.resume();
      resolve(reply.statusCode);
    });
    sent.on('error', reject).end(body);
  });
}

const asked = (app: TestApp, host: string) =>
  Promise.all([
    ask(app, 'GET', '/metrics', host),
    ask(app, 'GET', '/console/session', host),
    ask(app, 'POST', '/console/session', host),
    ask(app, 'DELETE', '/console/session', host),
  ]);

test('what needs no key is not told to a page that reaches this machine by a name of its own (DNS rebinding)', async (t) => {
  const app = await bootApp(t, { MCPRANK_PUBLIC_URL: 'https://rank.example.com' });
  const { port } = new URL(app.url);
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, '[::1]', 'rank.example.com'])
    assert.deepEqual(await asked(app, host), [200, 200, 200, 200], host);
  for (const host of ['evil.example', `evil.example:${port}`, 'rank.example.com.evil.example'])
    assert.deepEqual(await asked(app, host), [400, 400, 400, 400], host);
});

test('where others reach the service, too, its names are the operator’s to choose', async (t) => {
  const app = await bootApp(t, { MCPRANK_HOST: '0.0.0.0' });
  assert.deepEqual((await asked(app, '10.1.2.3:8787')).slice(0, 2), [200, 200]);
});
