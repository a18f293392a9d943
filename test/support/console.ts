import { existsSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { build } from 'vite';
import { bootMcp, type McpTestApp } from './mcp-app.ts';
import { agree, invitationOf, mitOf, startAs, startProtected } from './mcp-oauth.ts';
import { startEverything } from './mcp-servers.ts';
import { connectUser, providerSettings, startIdp } from './oidc.ts';
import { root } from './paths.ts';

const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
);
export const noChromium: string | false = chromium === undefined ? 'needs Chromium' : false;
export const chromiumPath = chromium ?? '';

/** A build empties the folder first, from which others start services at the same time: a run of all tests builds once, before. */
export async function buildConsole(): Promise<void> {
  if (process.env.CONSOLE_IS_BUILT !== undefined) return;
  await build({ root: `${root}/console`, configFile: `${root}/console/vite.config.ts`, logLevel: 'error' });
}

/** The real service with the starter catalogue, a real MCP server, and something that happened. */
export async function bootConsole(t: TestContext): Promise<McpTestApp> {
  const idp = await startIdp(t);
  const app = await bootMcp(
    t,
    {},
    {
      ...providerSettings(t, { idp: idp.row() }),
      MCPRANK_STARTER: 'on',
      MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1,localhost',
    },
  );
  await connectUser(app, { userId: 'carol@example.com', provider: 'idp' });
  const files = await startProtected(t, await startAs(t));
  await app.add('protected-files', `${files.url}/mcp`, { name: 'Protected files' });
  const asked = await app.call('POST', '/v1/mcp/tools/list', {
    body: { server_id: 'protected-files' },
    headers: await mitOf(app, 'dora'),
  });
  await agree(invitationOf(asked).auth_url);
  const { url } = await startEverything(t, 'streamableHttp');
  await app.add('everything', url, {
    name: 'Everything',
    description: 'Shows every feature of MCP: echo, add, images.',
  });
  await app.call('POST', '/v1/admin/servers/everything/probe');
  await app.call('POST', '/v1/admin/servers/everything/probe');
  await app.newKey({ name: 'mail agent', developer: 'Acme', tier: 'pro' });
  const key = await app.newKey({ name: 'night batch', developer: 'Acme', scopes: ['search'] });
  for (const user_id of ['ann@example.com', 'bob@example.com'])
    await app.call('POST', '/v1/identity/token', { body: { user_id } });
  await app.services.search.settled();
  for (const query of [
    'send an email',
    'echo a message',
    'qqxyzzy',
    'qqxyzzy',
    'plan a trip to Mars by submarine',
  ])
    await app.call('POST', '/v1/search', { body: { query }, key });
  await app.call('PUT', '/v1/admin/toolsets/no-secrets', {
    body: { title: 'No secrets', rules: [{ effect: 'deny', tool: 'get-env' }], default: 'allow' },
  });
  await app.call('PUT', '/v1/admin/toolsets/no-secrets/bindings', { body: { developers: ['Acme'] } });
  for (const message of ['one', 'two', 'three']) await app.tool('everything', 'echo', { message });
  await app.tool('everything', 'echo', { message: 1 });
  await app.services.catalog.flush();
  await app.services.queryLog.flush();
  return app;
}
