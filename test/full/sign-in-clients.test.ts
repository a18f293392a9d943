import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  Client as NewClient,
  StreamableHTTPClientTransport as NewTransport,
} from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { adminKey, type TestApp, temporaryFolder } from '../support/app.ts';
import { createBrowser } from '../support/browser.ts';
import { freePort } from '../support/free-port.ts';
import { root } from '../support/paths.ts';
import { agree, bootEcho, bootFor, desktop, people } from '../support/person.ts';
import { register } from '../support/sign-in.ts';

/** The SDKs and the protocol's referee, with a URL and nothing else: they find out by themselves, and a person signs in. */

type Connecting<T> = {
  readonly make: () => T;
  readonly connect: (transport: T) => Promise<void>;
  readonly finish: (transport: T, params: URLSearchParams) => Promise<void>;
  readonly returned: Promise<URLSearchParams>;
};

/** As the SDKs want it: the first connection fails and opens the browser; with the code, the second one is good. */
async function connectSignedIn<T>({ make, connect, finish, returned }: Connecting<T>): Promise<void> {
  const first = make();
  await assert.rejects(connect(first), /Unauthorized/i);
  await finish(first, await returned);
  await connect(make());
}

test('the MCP SDK 1: with nothing but the URL; it refreshes by itself', async (t) => {
  const app = await bootEcho(t);
  for (const path of ['/mcp', '/mcp/servers/fixture']) {
    const { provider, kept, returned } = await desktop(t);
    const open = () => new Client({ name: 'one', version: '1' });
    let client = open();
    const make = () =>
      new StreamableHTTPClientTransport(new URL(`${app.url}${path}`), { authProvider: provider });
    const connect = async (transport: StreamableHTTPClientTransport) => {
      client = open();
      await client.connect(transport as never);
    };
    await connectSignedIn({
      make,
      connect,
      returned,
      finish: (transport, params) => transport.finishAuth(params.get('code') ?? ''),
    });
    assert.ok((await client.listTools()).tools.length > 0);
    // The access token is over.
    kept.tokens = { ...(kept.tokens as object), access_token: 'over' };
    assert.ok((await client.listTools()).tools.length > 0);
    assert.equal(kept.asked, 1, 'a person was asked once');
    await client.close();
  }
});

for (const who of people)
  test(`the MCP SDK 2, a person ${who}: with nothing but the URL`, async (t) => {
    const app = await bootFor(t, who);
    for (const mode of ['legacy', { pin: '2026-07-28' }] as const) {
      const { provider, kept, returned } = await desktop(t);
      let client: NewClient | undefined;
      await connectSignedIn({
        make: () => new NewTransport(new URL(`${app.url}/mcp/servers/fixture`), { authProvider: provider }),
        async connect(transport: NewTransport) {
          client = new NewClient({ name: 'two', version: '2' }, { versionNegotiation: { mode } });
          await client.connect(transport);
        },
        returned,
        finish: (transport, params) => transport.finishAuth(params),
      });
      const said = await client?.callTool({ name: 'echo', arguments: { message: 'hi' } });
      assert.match(JSON.stringify(said), /hi/);
      assert.equal(kept.asked, 1);
      await client?.close();
    }
  });

test('a person who cancels is brought back to the client, in a real browser', async (t) => {
  const app = await bootEcho(t);
  const { provider, returned } = await desktop(t);
  const { redirectUrl } = provider as { redirectUrl: string };
  const made = await register(app, { redirect_uris: [redirectUrl] });
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: String(made.body.client_id),
    redirect_uri: redirectUrl,
    code_challenge: 'x'.repeat(43),
    code_challenge_method: 'S256',
    state: 's',
  });
  await agree(`${app.url}/authorize?${query}`, 'Cancel');
  assert.equal((await returned).get('error'), 'access_denied');
});

/** The protocol's referee asks for a browser on its standard output. */
test('conformance: all that the referee asks of an authorization server', async (t) => {
  const app: Pick<TestApp, 'url'> = await bootEcho(t);
  const port = await freePort();
  const results = temporaryFolder(t);
  const made = await register(app, { redirect_uris: [`http://127.0.0.1:${port}/callback`] });
  const child = spawn(
    process.execPath,
    [
      join(root, 'node_modules/@modelcontextprotocol/conformance/dist/index.js'),
      'authorization',
      ...['--url', app.url, '--client-id', String(made.body.client_id), '--resource', `${app.url}/mcp`],
      ...['-p', String(port), '-o', results],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let text = '';
  let isAsked = false;
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk;
    const [url] = /http\S+\/authorize\?\S+/.exec(text) ?? [];
    if (url === undefined || isAsked || !text.includes('Callback server started')) return;
    isAsked = true;
    const browser = createBrowser();
    browser
      .follow(url)
      .then((page) => browser.follow(page.url, { decision: 'allow', key: adminKey }))
      .catch(() => child.kill());
  });
  const code = await new Promise((resolve) => child.on('exit', resolve));
  assert.equal(code, 0, text + globSync(`${results}/**/*.json`).map((file) => readFileSync(file, 'utf8')));
  assert.match(text, /✓ authorization-server-metadata-endpoint: 2 passed, 0 failed/);
  assert.match(text, /✓ authorization-code-grant: 1 passed, 0 failed/);
});
