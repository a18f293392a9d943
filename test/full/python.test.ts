import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema, LoggingMessageNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { parseMcpConfig } from '../../src/mcp/mcp.ts';
import { adminKey } from '../support/app.ts';
import { freePort } from '../support/free-port.ts';
import { bootMcp, type McpTestApp, textOf } from '../support/mcp-app.ts';
import { root } from '../support/paths.ts';
import { pythonMissing, python as pythons } from '../support/python.ts';

/** Servers of Python's SDK as they really are: fastmcp 4, and the reference servers on mcp 2. */
const python = pythons[2];
const skip = pythonMissing;

const server = join(root, 'test/full/python/fastmcp_server.py');
const stdio = { command: python, args: [server, 'stdio'] };
const boot = (t: TestContext, mcpServers: object) =>
  bootMcp(t, { localServers: parseMcpConfig(JSON.stringify({ mcpServers })) });

async function connect(t: TestContext, app: McpTestApp, id: string) {
  const client = new Client({ name: 'test', version: '1' }, { capabilities: { elicitation: {} } });
  const lines: unknown[] = [];
  client.setNotificationHandler(
    LoggingMessageNotificationSchema,
    ({ params }) => void lines.push(params.data),
  );
  client.setRequestHandler(ElicitRequestSchema, () => ({
    action: 'accept' as const,
    content: { value: 'Ada' },
  }));
  const requestInit = { headers: { 'x-api-key': adminKey } };
  const url = new URL(`${app.url}/mcp/servers/${id}`);
  await client.connect(new StreamableHTTPClientTransport(url, { requestInit }) as never);
  t.after(() => client.close());
  return { client, lines };
}

test('a program that is slow to start is listed and called, and its numbers arrive as they are', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const slow = { command: '/bin/sh', args: ['-c', 'sleep 4; exec "$0" "$@"', python, server, 'stdio'] };
  const app = await boot(t, { slow });
  const listed = await app.list('slow');
  assert.equal(listed.status, 200, listed.text);
  assert.equal(app.lines.filter((line) => line.includes('mcp.program.failed')).length, 0);
  const body = '{"server_id":"slow","name":"echo","arguments":{"data":{"n":9007199254740993}}}';
  const echoed = await app.call('POST', '/v1/mcp/tools/call', {
    body,
    headers: { 'content-type': 'application/json' },
  });
  assert.match(echoed.text, /"structuredContent":\{"n":9007199254740993\}/);
  const numbers = await app.tool('slow', 'numbers');
  assert.ok(
    numbers.text
      .replaceAll(' ', '')
      .includes(
        '"result":1267650600228229401496703205376,"one":1.0,"zero":-0.0,"order":{"a":1,"10":2,"2":3}',
      ),
    numbers.text,
  );
});

test('what is printed inside a tool is noise', { skip, timeout: 120_000 }, async (t) => {
  const app = await boot(t, { it: stdio });
  for (let i = 0; i < 3; i++) assert.equal(textOf(await app.tool('it', 'noise')), 'quiet');
  assert.equal(app.lines.filter((line) => line.includes('mcp.program.failed')).length, 0);
});

test('a question of FastMCP is asked of a client of 2025-11-25, and answered; both lines of a log arrive', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const app = await boot(t, { it: stdio });
  const { client, lines } = await connect(t, app, 'it');
  const asked = await client.callTool({ name: 'ask' });
  assert.deepEqual(asked.content, [{ type: 'text', text: 'Hello Ada' }]);
  await client.setLoggingLevel('debug');
  await client.callTool({ name: 'log' });
  assert.equal(lines.length, 2, JSON.stringify(lines));
});

test('mounted below a path, behind a redirect: listed, called, and asked in a session of the client’s own', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const port = await freePort();
  const child = spawn(python, [server, 'http', String(port)], { stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
  for (let tries = 0; ; tries++) {
    const isUp = await fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    );
    if (isUp) break;
    assert.ok(tries < 400);
    await delay(100);
  }
  const app = await bootMcp(t);
  await app.add('it', `http://127.0.0.1:${port}/deep/sub`);
  assert.equal((await app.list('it')).status, 200);
  assert.equal(textOf(await app.tool('it', 'noise')), 'quiet');
  const { client } = await connect(t, app, 'it');
  const asked = await client.callTool({ name: 'ask' });
  assert.deepEqual(asked.content, [{ type: 'text', text: 'Hello Ada' }]);
});

test('the reference servers: what they list and answer through us is what they list and answer', {
  skip,
  timeout: 240_000,
}, async (t) => {
  const programs: Record<string, [module: string, tool: string, args: Record<string, unknown>]> = {
    time: [
      'mcp_server_time',
      'convert_time',
      { source_timezone: 'Europe/Berlin', time: '12:00', target_timezone: 'Asia/Tokyo' },
    ],
    git: ['mcp_server_git', 'git_status', { repo_path: root }],
    fetch: ['mcp_server_fetch', 'fetch', { url: 'not a url' }],
  };
  const entries = Object.entries(programs).map(
    ([id, [module]]) => [id, { command: python, args: ['-m', module] as string[] }] as const,
  );
  const app = await boot(t, Object.fromEntries(entries));
  for (const [id, program] of entries) {
    const direct = new Client({ name: 'test', version: '1' });
    await direct.connect(new StdioClientTransport({ ...program, stderr: 'ignore' }));
    const through = (await connect(t, app, id)).client;
    assert.deepEqual((await through.listTools()).tools, (await direct.listTools()).tools, id);
    const [, name, args] = programs[id] ?? ['', '', {}];
    const call = (client: Client) => client.callTool({ name, arguments: args });
    assert.deepEqual(await call(through), await call(direct), id);
    assert.equal((await app.list(id)).status, 200);
    await direct.close();
  }
});
