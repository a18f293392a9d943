import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isDeepStrictEqual, promisify } from 'node:util';
import { parseMcpConfig } from '../../src/mcp/mcp.ts';
import { adminKey, bootApp, type TestApp } from '../support/app.ts';
import { googleRow, startGoogleApi } from '../support/google-api.ts';
import { referenceServer, startEverything } from '../support/mcp-servers.ts';
import { openAiSays, startModel } from '../support/model.ts';
import { connectUser, providerSettings, startIdp } from '../support/oidc.ts';
import { root } from '../support/paths.ts';

/** What the documents show is done: their commands and programs run, in their order, against one service. */
const run = promisify(execFile);
const skip = spawnSync('curl', ['--version']).error === undefined ? false : 'needs curl';

function snippets(file: string, language: string): string[] {
  const text = readFileSync(join(root, file === 'README.md' ? '' : 'docs', file), 'utf8');
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```/gm)].flatMap(([, name, body = '']) =>
    name === language ? [body] : [],
  );
}

/** The service of the documents: the starter catalogue, the memory server, and a Google that ann has connected. */
async function boot(t: TestContext): Promise<TestApp> {
  const idp = await startIdp(t);
  const api = await startGoogleApi(t, idp);
  const env = providerSettings(t, { google: googleRow(idp, api) }, idp);
  const [shown = ''] = snippets('getting-started.md', 'json');
  const config = JSON.parse(shown) as { mcpServers: { memory: { command: string; args: string[] } } };
  assert.deepEqual(config.mcpServers.memory.args, ['@modelcontextprotocol/server-memory']);
  const app = await bootApp(
    t,
    { ...env, MCPRANK_STARTER: 'on', MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1' },
    {
      // As npx would start it, without asking a registry.
      localServers: parseMcpConfig(
        JSON.stringify({
          mcpServers: { memory: { command: process.execPath, args: [referenceServer('memory')] } },
        }),
      ),
      childEnvironment: { PATH: process.env.PATH ?? '' },
    },
  );
  const { url } = await startEverything(t, 'streamableHttp');
  const body = { id: 'everything', name: 'Everything', remote_url: url };
  const crm = { ...body, id: 'crm', name: 'CRM', user_credentials: { headers: { 'X-Api-Key': '{key}' } } };
  await app.call('POST', '/v1/admin/servers', { body: [body, crm] });
  // A cursor belongs to one state of the catalogue: the program's tools are listed behind the start.
  const listed = async () => ((await app.call('GET', '/v1/servers/memory')).body.tools ?? []) as unknown[];
  while ((await listed()).length === 0) await new Promise((next) => setTimeout(next, 20));
  await app.services.search.settled();
  await connectUser(app, { userId: 'ann', provider: 'google' });
  return app;
}

/** All commands of a page in one shell; every curl has to succeed, unless the page says what else comes. */
async function runPage(app: TestApp, file: string): Promise<string> {
  const commands = snippets(file, 'sh').filter(
    (text) => /\bcurl |^ask /m.test(text) || text.includes('export'),
  );
  assert.ok(commands.length > 0, file);
  const script = [
    'set -euo pipefail',
    'curl() { command curl --fail-with-body --max-time 20 "$@"; echo; }',
    ...commands,
  ]
    .join('\n')
    .replaceAll('localhost:8787', new URL(app.url).host);
  const env = { PATH: process.env.PATH ?? '', BASE: app.url, KEY: adminKey };
  try {
    return (await run('bash', ['--norc', '-c', script], { env, maxBuffer: 1e8 })).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${file}: ${stdout.slice(-2_000)}\n${stderr.slice(-2_000)}`);
  }
}

/** Methods and routes that a page's commands reached successfully. */
function reached(app: TestApp, from: number): Set<string> {
  const hits = app.lines.slice(from).flatMap((line) => {
    const { msg, method, path, status } = JSON.parse(line) as Record<string, unknown>;
    return msg === 'http.request.answered' || msg === 'http.request.slow'
      ? [{ method, path: String(path), status: Number(status) }]
      : [];
  });
  return new Set(
    app.routes
      .filter(({ method, url }) => {
        const pattern = new RegExp(`^${url.replace(/:[a-z_]+/g, '[^/]+').replace('*', '.+')}$`);
        return hits.some((hit) => hit.method === method && pattern.test(hit.path) && hit.status < 300);
      })
      .map(({ method, url }) => `${method} ${url}`),
  );
}

/** Where a person has to act between two calls; the page shows the call, and other tests walk the way. */
const notByCommand = /^(GET|POST) \/v1\/identity\/(connect|callback)\/|^POST .*\/confirm$/;
/** What clients' own libraries and people's browsers go through (docs/sign-in.md, docs/connections.md), and what answers 405. */
const notForDevelopers =
  /\.well-known\/o|^\w+ \/(authorize|token|register|revoke|introspect|sign-in|me)\b|^(GET|DELETE) \/mcp(\/t\/:name)?$/;

test('docs/api.md: every command works, and every route is among them', { skip }, async (t) => {
  const app = await boot(t);
  const from = app.lines.length;
  await runPage(app, 'api.md');
  const hits = reached(app, from);
  const missing = app.routes
    .map(({ method, url }) => `${method} ${url}`)
    .filter((route) => !hits.has(route) && !notByCommand.test(route) && !notForDevelopers.test(route))
    // One method stands for all of the proxy's.
    .filter((route) => !/^(POST|PUT|PATCH|DELETE) \/v1\/proxy\//.test(route));
  assert.deepEqual(missing, []);
});

test('every other page with a curl in it: every command works', { skip }, async (t) => {
  const app = await boot(t);
  const pages = ['README.md', ...readdirSync(join(root, 'docs')).filter((file) => file.endsWith('.md'))]
    .filter((file) => file !== 'api.md')
    .filter((file) => snippets(file, 'sh').some((text) => text.includes('curl ')));
  assert.ok(pages.length >= 7, `${pages}`);
  const printed = new Map<string, string>();
  for (const page of pages) printed.set(page, await runPage(app, page));
  assert.match(printed.get('getting-started.md') ?? '', /likes tea/);
  assert.match(printed.get('faq.md') ?? '', /limits: /);
  assert.match(printed.get('proxy.md') ?? '', /day of alice/);
  assert.match(printed.get('README.md') ?? '', /"recorded":true/);
});

test('docs/sdk.md and getting-started.md: every program runs', async (t) => {
  const app = await boot(t);
  const folder = join(root, '.tmp');
  mkdirSync(folder, { recursive: true });
  for (const file of ['sdk.md', 'getting-started.md']) {
    const model = await startModel(t, (_request, turn) =>
      turn === 0 ? openAiSays(null, ['read_graph', {}]) : openAiSays('She likes tea'),
    );
    const prelude = `
      const { BASE, KEY } = process.env;
      const MODEL = 'scripted';
      const sendToBrowser = () => { throw new Error('ann is connected already'); };
      const create = async (body) => (await fetch('${model.url}', { method: 'POST', body: JSON.stringify(body) })).json();
      const openai = { chat: { completions: { create } } };
    `;
    const place = join(folder, `${file}-${process.pid}.ts`);
    t.after(() => rmSync(place, { force: true }));
    writeFileSync(place, `${prelude}\n${snippets(file, 'ts').join('\n')}\nconsole.log('the end');`);
    const { stdout } = await run(process.execPath, ['--conditions=mcprank-source', place], {
      env: { PATH: process.env.PATH ?? '', BASE: app.url, KEY: adminKey },
    });
    assert.match(stdout, /the end/, file);
    assert.equal(model.requests.length, 2, file);
  }
});

test('docs/clients.md and the README: every entry is JSON that names /mcp and the key', () => {
  const shown = snippets('clients.md', 'json');
  const table = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/^\| .* \| `(\{.*\})` \|$/gm)];
  assert.deepEqual([shown.length, table.length], [4, 3]);
  const parsed = (text: string) => JSON.parse(text) as Record<string, unknown>;
  const documented = shown.map(parsed);
  for (const [, text = ''] of table)
    assert.ok(
      documented.some((entry) => isDeepStrictEqual(entry, parsed(text))),
      text,
    );
  for (const entry of documented) {
    const { mcprank } = (entry.mcpServers ?? entry.servers) as { mcprank: Record<string, unknown> };
    const text = JSON.stringify(mcprank);
    assert.match(text, /"http:\/\/127\.0\.0\.1:8787\/mcp"/);
    assert.match(text, /Bearer sk_mcp_rank_…/);
    if (mcprank.command === undefined)
      assert.deepEqual(Object.keys(mcprank.headers as object), ['Authorization']);
  }
});
