import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseMcpConfig } from '../../src/mcp/mcp.ts';
import { temporaryFolder } from '../support/app.ts';
import { fullRunOnly } from '../support/full-run.ts';
import { bootMcp, type McpTestApp, textOf } from '../support/mcp-app.ts';
import { referenceServer, startEverything } from '../support/mcp-servers.ts';

/** What every reference server must do through us, over whichever transport. */
async function everythingWorks(app: McpTestApp, id: string): Promise<void> {
  const listed = await app.list(id);
  assert.equal(listed.status, 200, listed.text);
  const tools = listed.body.tools as { name: string; inputSchema: object }[];
  assert.ok(tools.some(({ name }) => name === 'echo'));
  assert.equal(tools[0]?.inputSchema instanceof Object, true);

  const echoed = await app.tool(id, 'echo', { message: 'hällo "wörld"' });
  assert.deepEqual(
    [echoed.status, echoed.body],
    [200, { content: [{ type: 'text', text: 'Echo: hällo "wörld"' }], isError: false }],
  );
  assert.match(echoed.headers.get('server-timing') ?? '', /upstream;dur=/);

  const structured = await app.tool(id, 'get-structured-content', { location: 'New York' });
  assert.equal(typeof structured.body.structuredContent, 'object', structured.text);

  const wrong = await app.tool(id, 'no-such-tool');
  assert.ok(wrong.status === 502 || wrong.body.isError === true, wrong.text);

  const slow = await app.tool(id, 'trigger-long-running-operation', { duration: 0.2, steps: 2 });
  assert.match(textOf(slow), /completed/i);

  const resources = await app.rpc(id, 'resources/list', undefined, { id: 'mine' });
  assert.equal(resources.body.id, 'mine');
  const { uri } = (resources.body.result as { resources: { uri: string }[] }).resources[0] ?? { uri: '' };
  const read = await app.rpc(id, 'resources/read', { uri });
  assert.ok(Array.isArray((read.body.result as { contents: unknown }).contents), read.text);

  const prompts = await app.rpc(id, 'prompts/list');
  const { name } = (prompts.body.result as { prompts: { name: string }[] }).prompts[0] ?? { name: '' };
  const prompt = await app.rpc(id, 'prompts/get', { name });
  assert.ok(Array.isArray((prompt.body.result as { messages: unknown }).messages), prompt.text);

  const unknown = await app.rpc(id, 'no/such/method');
  assert.equal(unknown.status, 200);
  assert.equal((unknown.body.error as { code: number }).code, -32601, unknown.text);
}

test('server-everything over Streamable HTTP: lists, calls, reads, prompts, and passes errors on', {
  skip: fullRunOnly,
}, async (t) => {
  const app = await bootMcp(t);
  const { url } = await startEverything(t, 'streamableHttp');
  await app.add('everything', url);
  await everythingWorks(app, 'everything');
});

test('server-everything over legacy HTTP+SSE, declared so or found out', { skip: fullRunOnly }, async (t) => {
  const app = await bootMcp(t);
  const { url } = await startEverything(t, 'sse');
  await app.add('declared', url, { transport: 'sse' });
  await everythingWorks(app, 'declared');
  await app.add('found-out', url);
  await everythingWorks(app, 'found-out');
});

async function bootPrograms(t: TestContext): Promise<McpTestApp> {
  const folder = temporaryFolder(t);
  const localServers = parseMcpConfig(
    JSON.stringify({
      mcpServers: {
        everything: { command: process.execPath, args: [referenceServer('everything'), 'stdio'] },
        filesystem: { command: process.execPath, args: [referenceServer('filesystem'), folder] },
        memory: {
          command: process.execPath,
          args: [referenceServer('memory')],
          env: { MEMORY_FILE_PATH: join(folder, 'memory.json') },
        },
      },
    }),
  );
  return bootMcp(t, { localServers });
}

test('the reference servers as child processes: found by search, then called', async (t) => {
  const app = await bootPrograms(t);
  await everythingWorks(app, 'everything');
  const made = await app.tool('memory', 'create_entities', {
    entities: [{ name: 'Ada', entityType: 'person', observations: ['wrote the first program'] }],
  });
  assert.equal(made.body.isError, false, made.text);
  const graph = await app.tool('memory', 'read_graph');
  assert.match(graph.text, /Ada/);
  const denied = await app.tool('filesystem', 'read_text_file', { path: '/etc/passwd' });
  assert.equal(denied.body.isError, true);

  for (let tries = 0; ; tries++) {
    const found = await app.call('POST', '/v1/search', {
      body: { query: 'read a graph of entities and relations' },
    });
    const [best] = (found.body.servers ?? []) as { id: string; tools: unknown[] }[];
    if (best?.id === 'memory' && best.tools.length > 0) break;
    assert.ok(tries < 100, `the tools do not reach search: ${found.text}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
});

test('a program that dies is started again, at once the first time and later when it keeps dying', async (t) => {
  const folder = temporaryFolder(t);
  const script = join(folder, 'mortal.mjs');
  writeFileSync(script, mortal);
  const localServers = parseMcpConfig(
    JSON.stringify({
      mcpServers: {
        mortal: {
          command: process.execPath,
          args: [script, 'secret-argument'],
          env: { TOKEN: 'secret-value' },
        },
      },
    }),
  );
  const secretUrl = 'http://127.0.0.1:1/mcp?key=secret-query';
  const remote = { url: secretUrl, headers: { authorization: 'Bearer secret-header' } };
  const more = parseMcpConfig(JSON.stringify({ mcpServers: { remote } }));
  const environment = { PATH: process.env.PATH ?? '' };
  const app = await bootMcp(t, { localServers: [...localServers, ...more], childEnvironment: environment });
  const first = textOf(await app.tool('mortal', 'pid'));
  const seen = JSON.parse(textOf(await app.tool('mortal', 'env'))) as Record<string, string>;
  assert.deepEqual(Object.keys(seen).sort(), ['PATH', 'TOKEN']);

  const died = await app.tool('mortal', 'die');
  assert.equal(died.status, 502);
  assert.match(String(died.body.detail), /program ended/);
  const second = textOf(await app.tool('mortal', 'pid'));
  assert.notEqual(second, first);
  await app.tool('mortal', 'die');
  const waiting = await app.tool('mortal', 'pid');
  assert.deepEqual(
    [waiting.status, Number(waiting.headers.get('retry-after')) >= 1],
    [502, true],
    waiting.text,
  );

  await app.tool('remote', 'x');
  await app.close();
  const stored = readdirSync(app.dataDir).map((file) => readFileSync(join(app.dataDir, file), 'latin1'));
  for (const text of [...stored, app.lines.join('')]) assert.doesNotMatch(text, /secret-/);
});

test('calls at once through one program get their own answers, whatever their size; one that stops listening is started again', {
  skip: fullRunOnly,
}, async (t) => {
  const script = join(temporaryFolder(t), 'mortal.mjs');
  writeFileSync(script, mortal);
  const entry = { command: process.execPath, args: [script] };
  const localServers = parseMcpConfig(JSON.stringify({ mcpServers: { mortal: entry } }));
  const app = await bootMcp(t, { localServers });
  const texts = Array.from({ length: 40 }, (_, i) => `${i} ${'ä'.repeat((i % 5) * 30_000)}`);
  const echoed = await Promise.all(texts.map((text) => app.tool('mortal', 'echo', { text })));
  assert.deepEqual(echoed.map(textOf), texts);

  const first = textOf(await app.tool('mortal', 'pid'));
  assert.equal((await app.tool('mortal', 'deafen')).status, 200);
  const unheard = await app.tool('mortal', 'pid');
  assert.equal(unheard.status, 502);
  assert.match(String(unheard.body.detail), /stopped listening/);
  assert.notEqual(textOf(await app.tool('mortal', 'pid')), first);
});

/** The least there is of an old server on standard streams. */
const mortal = `
import { closeSync } from 'node:fs';
import { createInterface } from 'node:readline';
const send = (message) => console.log(JSON.stringify({ jsonrpc: '2.0', ...message }));
console.log('a banner where none belongs');
for await (const line of createInterface(process.stdin)) {
  const { id, method, params } = JSON.parse(line);
  if (method === 'initialize') send({ id, result: { protocolVersion: '2025-11-25' } });
  else if (method === 'tools/call') {
    if (params.name === 'die') process.exit(1);
    const texts = { echo: params.arguments?.text, pid: String(process.pid), env: JSON.stringify(process.env) };
    if (params.name === 'deafen') closeSync(0);
    if (params.name === 'deafen') setInterval(() => undefined, 1_000);
    const text = texts[params.name] ?? '';
    send({ id, result: { content: [{ type: 'text', text }] } });
  } else if (id !== undefined) send({ id, error: { code: -32601, message: 'Method not found' } });
}
`;
