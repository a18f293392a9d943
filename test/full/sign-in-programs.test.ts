import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { clientsMissing, commandOf, load } from '../support/client-programs.ts';
import { freePort } from '../support/free-port.ts';
import type { McpTestApp } from '../support/mcp-app.ts';
import {
  agree,
  bootFor,
  createDesk,
  decideOn,
  desktop,
  openBrowser,
  people,
  until,
} from '../support/person.ts';

/** Programs by other people, with a URL and no key: they open a browser, a person signs in, and they list and call. */

const options = { skip: clientsMissing, timeout: 180_000 };

/** One test for each kind of person. */
function signInTest(name: string, act: (t: TestContext, app: McpTestApp) => Promise<void>): void {
  for (const who of people)
    test(`${name}, a person ${who}`, options, async (t) => act(t, await bootFor(t, who)));
}

/** Where a program that opens no browser of ours says that one should go. */
const authorizeIn = (told: string) => /https?:\/\/\S+\/authorize\?\S+/.exec(told)?.[0];

signInTest('mcp-remote opens a browser, and a desktop program goes on', async (t, app) => {
  const { home, env, asked } = createDesk(t);
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [commandOf('mcp-remote', 'mcp-remote'), `${app.url}/mcp`],
    env: { ...env, MCP_REMOTE_CONFIG_DIR: home },
    stderr: 'pipe',
  });
  let told = '';
  transport.stderr?.on('data', (chunk: Buffer) => {
    told += chunk;
  });
  const client = new Client({ name: 'desktop', version: '1' });
  t.after(() => client.close());
  const connected = client.connect(transport);
  await agree(await until(() => asked()[0] ?? authorizeIn(told)));
  await connected;
  const { tools } = await client.listTools();
  assert.deepEqual(
    tools.map(({ name }) => name),
    ['fixture__echo'],
  );
  const said = await client.callTool({ name: 'fixture__echo', arguments: { message: 'hi' } });
  assert.match(JSON.stringify(said), /Echo: hi/);
});

signInTest('mcporter signs in, lists and calls; once the token is over it renews it', async (t, app) => {
  const { home, asked, start } = createDesk(t);
  const url = `${app.url}/mcp`;
  const mcporter = (...args: string[]) => start(commandOf('mcporter', 'mcporter'), [...args, '--allow-http']);
  const signingIn = mcporter('auth', url);
  await agree(await signingIn.says(() => asked()[0]));
  await signingIn.closed;
  assert.match(await mcporter('list', url).closed, /fixture__echo/);
  const call = () => mcporter('call', `${url}.fixture__echo`, 'message=hi', '--no-oauth').closed;
  assert.match(await call(), /Echo: hi/);

  const file = join(home, '.mcporter/credentials.json');
  const kept = readFileSync(file, 'utf8');
  const over = kept.replace(/("access_token": )"[^"]+"/, '$1"over"').replace(/("expires_at": )\d+/, '$11');
  assert.notEqual(over, kept);
  writeFileSync(file, over);
  assert.match(await call(), /Echo: hi/);
  assert.equal(asked().length, 1, 'a person was asked once');
});

const inspector = () => commandOf('@modelcontextprotocol/inspector', 'mcp-inspector');

signInTest("the MCP Inspector's page connects, comes back signed in, lists and calls", async (t, app) => {
  const web = createDesk(t).start(inspector(), ['--web'], {
    CLIENT_PORT: String(await freePort()),
    MCP_SANDBOX_PORT: '0',
    MCP_AUTO_OPEN_ENABLED: 'false',
    MCP_INSPECTOR_SECRET_STORE: 'memory',
  });
  const { page, context } = await openBrowser();
  t.after(() => context.close());
  await page.goto(await web.says((told) => /http:\S+MCP_INSPECTOR_API_TOKEN=\S+/.exec(told)?.[0]));

  await page.getByRole('button', { name: 'Add Servers' }).click();
  await page.getByRole('menuitem', { name: 'Add manually' }).click();
  const dialog = page.getByRole('dialog', { name: 'Add server' });
  await dialog.getByLabel('Server ID').fill('mcprank');
  await dialog.getByRole('textbox', { name: 'Transport' }).click();
  await page.getByRole('option', { name: 'streamable-http' }).click();
  await dialog.getByLabel('URL').fill(`${app.url}/mcp`);
  await dialog.getByRole('button', { name: 'Add', exact: true }).click();
  const connect = page.getByRole('switch', { name: 'Connect or disconnect "mcprank"' });
  await page.locator('label', { has: connect }).click();

  await decideOn(page);
  await page.getByRole('banner').getByText('Tools', { exact: true }).click();
  await page.getByRole('button', { name: 'fixture__echo' }).click();
  await page.getByRole('textbox', { name: 'message' }).fill('hi');
  await page.getByRole('button', { name: 'Execute Tool' }).click();
  await page.getByText('Echo: hi').first().waitFor();
});

signInTest("the MCP Inspector's command lists and, without a person, calls", async (t, app) => {
  const { start } = createDesk(t);
  const command = (env: Record<string, string>, ...args: string[]) =>
    start(inspector(), ['--cli', `${app.url}/mcp`, '--transport', 'http', ...args], {
      MCP_INSPECTOR_SECRET_STORE: 'file',
      ...env,
    });
  const callback = ['--callback-url', 'http://127.0.0.1:0/oauth/callback'];
  // Without a terminal it signs in only where it was told that it may.
  const listing = command({ MCP_AUTO_OPEN_ENABLED: 'true' }, ...callback, '--method', 'tools/list');
  await agree(await listing.says(authorizeIn));
  assert.match(await listing.closed, /"fixture__echo"/);
  const call = ['--method', 'tools/call', '--tool-name', 'fixture__echo', '--tool-arg', 'message=hi'];
  for (const era of ['legacy', 'modern']) {
    const calling = command({}, '--stored-auth-only', '--protocol-era', era, ...call);
    assert.match(await calling.closed, /Echo: hi/, era);
  }
});

type AiTools = Record<string, { execute(args: unknown, options: unknown): Promise<unknown> }>;
type AiSdk = {
  createMCPClient(config: unknown): Promise<{ tools(): Promise<AiTools>; close(): Promise<void> }>;
  auth(provider: unknown, options: Record<string, unknown>): Promise<string>;
};

signInTest(
  "the AI SDK's client signs in by its authProvider, lists and calls; it refreshes",
  async (t, app) => {
    const { createMCPClient, auth } = (await load('@ai-sdk/mcp')) as AiSdk;
    const { provider, kept, returned } = await desktop(t);
    const url = `${app.url}/mcp`;
    const open = () => createMCPClient({ transport: { type: 'http', url, authProvider: provider } });
    await assert.rejects(open(), /Unauthorized/);
    const back = await returned;
    const done = await auth(provider, {
      serverUrl: url,
      authorizationCode: back.get('code'),
      callbackState: back.get('state'),
      callbackIssuer: back.get('iss'),
    });
    assert.equal(done, 'AUTHORIZED');
    const client = await open();
    t.after(() => client.close());
    const say = async () => {
      const tools = await client.tools();
      return tools.fixture__echo?.execute({ message: 'hi' }, { toolCallId: 'x', messages: [] });
    };
    assert.match(JSON.stringify(await say()), /Echo: hi/);
    kept.tokens = { ...(kept.tokens as object), access_token: 'over' };
    assert.match(JSON.stringify(await say()), /Echo: hi/);
    assert.equal(kept.asked, 1, 'a person was asked once');
  },
);
