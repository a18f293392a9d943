import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { bootApp, temporaryFolder } from '../support/app.ts';
import { createBrowser } from '../support/browser.ts';
import { fullRunOnly } from '../support/full-run.ts';

/** An issuer that says of itself what it is told to say. */
async function startIssuer(t: TestContext, lies: Record<string, unknown>) {
  const asked: string[] = [];
  const server = createServer((request, reply) => {
    asked.push(`${request.method} ${request.url}`);
    const issuer = `http://${request.headers.host}`;
    const metadata = {
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      response_types_supported: ['code'],
      code_challenge_methods_supported: ['S256'],
      ...lies,
    };
    const found = request.url?.startsWith('/.well-known/') === true;
    reply.writeHead(found ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(metadata));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const issuer = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  const file = join(temporaryFolder(t), 'providers.json');
  writeFileSync(
    file,
    JSON.stringify({ liar: { client_id: 'us', client_secret: 'client-secret-of-ours', issuer } }),
  );
  const app = await bootApp(t, {
    MCPRANK_STARTER: 'off',
    MCPRANK_PROVIDERS: file,
    MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1',
  });
  return { app, asked };
}

test('F14: metadata that leads the browser to javascript:, data: or a file is refused, and no browser is sent anywhere', async (t) => {
  for (const authorization_endpoint of [
    'javascript:alert(document.domain)//',
    'data:text/html,<script>1</script>',
    'file:///etc/passwd',
    'https://user:secret@evil.example/authorize',
  ]) {
    const { app } = await startIssuer(t, { authorization_endpoint });
    const opened = await app.call('POST', '/v1/identity/sessions', {
      body: { user_id: 'u', provider: 'liar' },
    });
    if (opened.status !== 200) continue;
    const browser = createBrowser();
    const page = await browser.open(String(opened.body.auth_url));
    const action = /<form[^>]* action="([^"]+)"/.exec(page.text)?.[1] ?? '';
    const fields = [...page.text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)];
    const sent = await browser.open(
      new URL(action, page.url).href,
      Object.fromEntries(fields.map((match) => [match[1] ?? '', match[2] ?? ''])),
    );
    assert.equal(sent.headers.get('location'), null, authorization_endpoint);
    assert.ok(sent.status >= 400, `${authorization_endpoint}: ${sent.status}`);
    assert.doesNotMatch(sent.text, /javascript:|data:text|evil\.example/);
  }
});

test('F2 F3: an issuer that offers no S256, or calls itself by another name, is never used', async (t) => {
  for (const lies of [
    { code_challenge_methods_supported: ['plain'] },
    { issuer: 'https://another.example' },
  ]) {
    const { app, asked } = await startIssuer(t, lies);
    const opened = await app.call('POST', '/v1/identity/sessions', {
      body: { user_id: 'u', provider: 'liar' },
    });
    if (opened.status === 200) {
      const browser = createBrowser();
      const landing = await browser.open(String(opened.body.auth_url));
      const page = landing.text.includes('<form') ? await browser.submit(landing) : landing;
      assert.ok(page.status >= 400);
      assert.ok(page.url.startsWith(app.url));
    }
    assert.ok(
      asked.every((line) => line.startsWith('GET /.well-known/')),
      asked.join(', '),
    );
  }
});

test('G6: one developer holds at most so many long polls; the next is told, and others are not touched', {
  skip: fullRunOnly,
}, async (t) => {
  const { app } = await startIssuer(t, {});
  const opened = await app.call('POST', '/v1/identity/sessions', {
    body: { user_id: 'u', provider: 'liar' },
  });
  const path = `/v1/identity/sessions/${String(opened.body.session_id)}?wait=6`;
  // All at once, and whichever is one too many is answered first, however long the machine takes to let them in.
  const polls = Array.from({ length: 201 }, () => app.call('GET', path));
  const refused = await Promise.race(polls);
  assert.equal(refused.status, 429, refused.text);
  const key = await app.newKey({ scopes: ['identity'] });
  const theirs = await app.call('POST', '/v1/identity/sessions', {
    body: { user_id: 'u', provider: 'liar' },
    key,
  });
  const other = await app.call('GET', `/v1/identity/sessions/${String(theirs.body.session_id)}?wait=1`, {
    key,
  });
  assert.equal(other.status, 200);
  const answers = await Promise.all(polls);
  assert.equal(answers.filter(({ status }) => status === 200).length, 200);
});
