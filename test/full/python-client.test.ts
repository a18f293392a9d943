import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { parseMcpConfig } from '../../src/mcp/mcp.ts';
import { adminKey, bootApp, temporaryFolder } from '../support/app.ts';
import { createBrowser } from '../support/browser.ts';
import { googleRow, startGoogleApi } from '../support/google-api.ts';
import { startSdkServer } from '../support/mcp-sdk-server.ts';
import { referenceServer } from '../support/mcp-servers.ts';
import { providerSettings, startIdp } from '../support/oidc.ts';
import { root } from '../support/paths.ts';
import { until } from '../support/programs.ts';
import { python } from '../support/python.ts';

const run = promisify(execFile);
const folder = join(root, 'clients/python');
const skipWithout = (generation: 1 | 2, modules: string) =>
  spawnSync(python[generation], ['-c', `import ${modules}`]).status === 0
    ? false
    : `${python[generation]} has not all of ${modules}: .ci/run puts them there`;

/** A service with everything that the client's tests ask for; and a person who opens links and agrees. */
async function startService(t: TestContext) {
  const idp = await startIdp(t);
  const api = await startGoogleApi(t, idp);
  const fixture = await startSdkServer(t);
  const mcpServers = {
    memory: { command: process.execPath, args: [referenceServer('memory')] },
    fixture: { url: fixture.url },
  };
  const app = await bootApp(
    t,
    {
      ...providerSettings(t, { google: googleRow(idp, api) }, idp),
      MCPRANK_STARTER: 'on',
      MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1',
    },
    {
      localServers: parseMcpConfig(JSON.stringify({ mcpServers })),
      childEnvironment: { PATH: process.env.PATH ?? '' },
    },
  );
  const tools = async (id: string) => (await app.call('GET', `/v1/servers/${id}`)).body.tools as unknown[];
  for (const id of ['memory', 'fixture'])
    await until(`the tools of ${id} are listed`, async () => (await tools(id)).length > 0);
  await app.services.search.settled();
  const person = createServer(async (request, reply) => {
    const browser = createBrowser();
    const url = new URL(request.url ?? '', 'http://x').searchParams.get('url') ?? '';
    await browser.submit(await browser.open(url));
    reply.end();
  }).listen(0, '127.0.0.1');
  await once(person, 'listening');
  t.after(() => person.close());
  const { port } = person.address() as { port: number };
  return { BASE: app.url, KEY: adminKey, PERSON: `http://127.0.0.1:${port}/` };
}

for (const generation of [1, 2] as const)
  test(`the Python client against a running service, beside generation ${generation} of the MCP SDK`, {
    skip: skipWithout(generation, 'httpx, pytest'),
  }, async (t) => {
    const env = { PATH: process.env.PATH ?? '', PYTHONPATH: join(folder, 'src'), ...(await startService(t)) };
    const args = ['-m', 'pytest', '-q', '-p', 'no:cacheprovider'];
    const { stdout } = await run(python[generation], args, { cwd: folder, env }).catch((error: unknown) => {
      throw new Error((error as { stdout: string }).stdout.slice(-6_000));
    });
    t.diagnostic(stdout.trim().split('\n').at(-1) ?? '');
    assert.match(stdout, /\b1\d passed\b/);
  });

test('the types of the Python client hold, strictly', { skip: skipWithout(1, 'mypy') }, async () => {
  const { stdout } = await run(python[1], ['-m', 'mypy', '--no-incremental', 'src'], { cwd: folder });
  assert.match(stdout, /Success: no issues found/);
});

test('the Python package is built with its types and the mark that it has them', {
  skip: skipWithout(1, 'pip'),
}, async (t) => {
  const wheels = temporaryFolder(t);
  const wheel = ['-m', 'pip', 'wheel', '--quiet', '--no-deps', '--wheel-dir', wheels, folder];
  try {
    await run(python[1], wheel);
  } catch (error) {
    if (/No matching distribution|Max retries|Could not find a version/.test(String(error)))
      return t.skip('needs a package registry for the build backend');
    throw error;
  }
  const [file = ''] = readdirSync(wheels);
  const { stdout } = await run(python[1], ['-m', 'zipfile', '--list', join(wheels, file)]);
  for (const name of ['py.typed', 'types.py', '_client.py', 'adapters/google.py'])
    assert.ok(stdout.includes(`mcp_rank/${name}`), stdout);
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  assert.match(file, new RegExp(`^mcp_rank-${manifest.version}-py3`));
});
