import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootApp } from '../support/app.ts';
import { register, visit } from '../support/sign-in.ts';

test('whatever is wrong with what a browser sends to a page of ours, a person reads it on a page', async (t) => {
  const app = await bootApp(t, { MCPRANK_SSO_ISSUER: 'http://127.0.0.1:1', MCPRANK_SSO_CLIENT_ID: 'x' });
  const { page } = await visit(app, String((await register(app)).body.client_id));
  const { pathname } = new URL(page.url);
  const forms = [
    { decision: 'neither' },
    { decision: 'allow', key: 'x'.repeat(300) },
    { decision: 'allow', more: 'x' },
    { csrf: 'x'.repeat(300) },
  ];
  const posted = [
    pathname,
    '/me/sign-in',
    '/me/sign-out',
    '/me/disconnect',
    '/me/connect',
    '/v1/identity/connect/x',
  ];
  const asked = [
    ...posted.flatMap((path) => forms.map((form) => [path, new URLSearchParams(form)] as const)),
    ...posted.map((path) => [path, 'no form'] as const),
    [`${pathname}%20`, null] as const,
    ['/sign-in/callback?state=a&state=b', null] as const,
    ['/authorize/%20', null] as const,
    ['/v1/identity/callback/idp?state=a&state=b', null] as const,
    ['/v1/identity/connect/%20', null] as const,
  ];
  for (const [path, body] of asked) {
    const reply = await fetch(`${app.url}${path}`, {
      ...(body !== null && { method: 'POST', body }),
      redirect: 'manual',
    });
    const text = await reply.text();
    const what = `${path} ${String(body)}: ${reply.status} ${text.slice(0, 200)}`;
    assert.ok(reply.status >= 400 && reply.status < 500, what);
    assert.match(reply.headers.get('content-type') ?? '', /^text\/html/, what);
    assert.match(text, /role="alert"/, what);
    assert.match(reply.headers.get('content-security-policy') ?? '', /default-src 'none'/, what);
  }
});

test('M1 P11 the name of a sign-in and the link to a consent, by which a browser is let on, stand in no line of the log', async (t) => {
  const app = await bootApp(t);
  const { page, browser } = await visit(app, String((await register(app)).body.client_id));
  const [, uid = ''] = /^\/sign-in\/(.+)$/.exec(new URL(page.url).pathname) ?? [];
  assert.ok(uid.length > 10);
  await browser.open(page.url, { decision: 'cancel' });
  const link = 'kPq3fVx0Jm1ZBa2w';
  await fetch(`${app.url}/v1/identity/connect/${link}`);
  const lines = app.lines.join('');
  assert.match(lines, /"path":"\/sign-in\/:uid"/, 'requests are in the log');
  assert.ok(!lines.includes(uid) && !lines.includes(link));
});
