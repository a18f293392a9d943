import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import {
  Client as NewClient,
  StreamableHTTPClientTransport as NewTransport,
} from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { type Browser, chromium } from 'playwright-core';
import { adminKey, type TestApp, temporaryFolder } from '../support/app.ts';
import { createBrowser } from '../support/browser.ts';
import { clientsMissing, commandOf } from '../support/client-programs.ts';
import { startCompany } from '../support/company.ts';
import { chromiumPath } from '../support/console.ts';
import { bootMcp } from '../support/mcp-app.ts';
import { startSdkServer } from '../support/mcp-sdk-server.ts';
import { root } from '../support/paths.ts';
import { register } from '../support/sign-in.ts';

/** Clients by other people, with a URL and nothing else: they find out by themselves, and a person signs in. */

async function boot(t: TestContext, env: Record<string, string> = {}) {
  const app = await bootMcp(t, {}, env);
  const { url } = await startSdkServer(t);
  await app.add('fixture', url, { tools: [{ name: 'echo', description: 'Say it again', inputSchema: {} }] });
  return app;
}

let launched: Promise<Browser> | undefined;
after(async () => (await launched)?.close());

/** A person in Chromium, at whatever page a client opened; done once the browser was brought back to the client. */
async function agree(url: string, button: string | RegExp = /^Sign in .*allow$/): Promise<void> {
  launched ??= chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox'] });
  const context = await (await launched).newContext();
  const page = await context.newPage();
  const refused: string[] = [];
  page.on('console', (message) => {
    if (/Content Security Policy/.test(message.text())) refused.push(message.text());
  });
  await page.goto(url);
  const key = page.getByLabel('API key');
  if (button !== 'Cancel' && (await key.count()) > 0) await key.fill(adminKey);
  await page.getByRole('button', { name: button }).click();
  await page.waitForURL(/\/callback/);
  assert.deepEqual(refused, []);
  await context.close();
}

/** What a program on a desktop does: a server of its own for the way back, and everything in memory. */
async function desktop(t: TestContext) {
  const returned = Promise.withResolvers<URLSearchParams>();
  const server = createServer((request, reply) => {
    returned.resolve(new URL(request.url ?? '', 'http://x').searchParams);
    reply.end('You can close this page.');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const redirectUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`;
  const kept: { client?: unknown; tokens?: unknown; verifier?: string; asked: number } = { asked: 0 };
  const provider = {
    redirectUrl,
    clientMetadata: { client_name: 'SDK', redirect_uris: [redirectUrl] },
    clientInformation: () => kept.client,
    saveClientInformation(client: unknown) {
      kept.client = client;
    },
    tokens: () => kept.tokens,
    saveTokens(tokens: unknown) {
      kept.tokens = tokens;
    },
    async redirectToAuthorization(url: URL) {
      kept.asked++;
      await agree(url.href);
    },
    saveCodeVerifier(verifier: string) {
      kept.verifier = verifier;
    },
    codeVerifier: () => kept.verifier ?? '',
  };
  return { provider: provider as never, kept, returned: returned.promise };
}

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
  const app = await boot(t);
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

/** Who signs in: a person with a key, or one of the company, at its provider. */
const people = ['with a key', 'at the company'] as const;
const signedInBy = async (t: TestContext, who: (typeof people)[number]) =>
  boot(t, who === 'with a key' ? {} : (await startCompany(t, 'keycloak')).env());

for (const who of people)
  test(`the MCP SDK 2, a person ${who}: with nothing but the URL`, async (t) => {
    const app = await signedInBy(t, who);
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

for (const who of people)
  test(`mcp-remote, a person ${who}: opens a browser, and a desktop program goes on`, {
    skip: clientsMissing,
  }, async (t) => {
    const app = await signedInBy(t, who);
    const home = temporaryFolder(t);
    const asked = join(home, 'asked');
    const opener = join(home, 'xdg-open');
    writeFileSync(opener, `#!/bin/sh\nprintf %s "$1" > '${asked}'\n`);
    chmodSync(opener, 0o755);
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [commandOf('mcp-remote', 'mcp-remote'), `${app.url}/mcp`],
      env: { PATH: `${home}:${process.env.PATH ?? ''}`, HOME: home, MCP_REMOTE_CONFIG_DIR: home },
      stderr: 'pipe',
    });
    let told = '';
    transport.stderr?.on('data', (chunk: Buffer) => {
      told += chunk;
    });
    const client = new NewClient({ name: 'desktop', version: '1' });
    t.after(() => client.close());
    const connected = client.connect(transport);
    const url = await until(() => {
      if (existsSync(asked)) return readFileSync(asked, 'utf8');
      return /https?:\/\/\S+\/authorize\?\S+/.exec(told)?.[0];
    });
    await agree(url);
    await connected;
    assert.ok((await client.listTools()).tools.length > 0);
  });

async function until<T>(look: () => T | undefined): Promise<T> {
  for (;;) {
    const found = look();
    if (found !== undefined && found !== '') return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test('a person who cancels is brought back to the client, in a real browser', async (t) => {
  const app = await boot(t);
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
  const app: Pick<TestApp, 'url'> = await boot(t);
  const port = 3_000 + Math.floor(Math.random() * 50_000);
  const made = await register(app, { redirect_uris: [`http://127.0.0.1:${port}/callback`] });
  const child = spawn(
    process.execPath,
    [
      join(root, 'node_modules/@modelcontextprotocol/conformance/dist/index.js'),
      'authorization',
      ...['--url', app.url, '--client-id', String(made.body.client_id), '--resource', `${app.url}/mcp`],
      ...['-p', String(port), '-o', temporaryFolder(t)],
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
  assert.equal(code, 0, text);
  assert.match(text, /✓ authorization-server-metadata-endpoint: 2 passed, 0 failed/);
  assert.match(text, /✓ authorization-code-grant: 1 passed, 0 failed/);
});
