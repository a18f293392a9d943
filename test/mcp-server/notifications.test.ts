import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  Client as NewClient,
  StreamableHTTPClientTransport as NewTransport,
} from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { LoggingMessageNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { parseMcpConfig } from '../../src/mcp/mcp.ts';
import { adminKey } from '../support/app.ts';
import { fullRunOnly } from '../support/full-run.ts';
import { bootMcp, type McpTestApp } from '../support/mcp-app.ts';
import { referenceServer, sendJson, startEverything, startRaw } from '../support/mcp-servers.ts';
import { root } from '../support/paths.ts';

const levelKey = 'io.modelcontextprotocol/logLevel';
const odd = (way: string) => ({
  command: process.execPath,
  args: [join(root, 'test/support/odd-program.ts'), way],
});

async function connect(t: TestContext, app: McpTestApp, path: string) {
  const client = new Client({ name: 'test', version: '1' }, { capabilities: {} });
  const lines: unknown[] = [];
  client.setNotificationHandler(
    LoggingMessageNotificationSchema,
    ({ params }) => void lines.push(params.data),
  );
  const requestInit = { headers: { 'x-api-key': adminKey } };
  await client.connect(
    new StreamableHTTPClientTransport(new URL(`${app.url}${path}`), { requestInit }) as never,
  );
  t.after(() => client.close());
  return { client, lines };
}

async function connectNew(t: TestContext, app: McpTestApp, path: string) {
  const client = new NewClient(
    { name: 'test', version: '1' },
    { versionNegotiation: { mode: { pin: '2026-07-28' } } },
  );
  const lines: unknown[] = [];
  client.setNotificationHandler('notifications/message', ({ params }) => void lines.push(params.data));
  const requestInit = { headers: { 'x-api-key': adminKey } };
  await client.connect(new NewTransport(new URL(`${app.url}${path}`), { requestInit }));
  t.after(() => client.close());
  return { client, lines };
}

/** A 2026-07-28 server over HTTP that logs as it is asked to, on the way to its answer. */
function startLogging(t: TestContext) {
  return startRaw(t, ({ body }, reply) => {
    const { id, method, params } = body;
    const answer = (result: object) => ({
      jsonrpc: '2.0',
      id,
      result: { resultType: 'complete', ...result },
    });
    if (method === 'server/discover')
      return sendJson(
        reply,
        200,
        answer({ supportedVersions: ['2026-07-28'], capabilities: { tools: {}, logging: {} } }),
      );
    if (method !== 'tools/call')
      return sendJson(reply, 404, {
        jsonrpc: '2.0',
        id,
        error: { code: -32601, message: 'Method not found' },
      });
    const level = (params?._meta as Record<string, unknown> | undefined)?.[levelKey];
    reply.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const data of level === undefined ? [] : ['one', 'two'])
      reply.write(
        `data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { level, data: `${data} at ${level}` } })}\n\n`,
      );
    reply.end(`data: ${JSON.stringify(answer({ content: [] }))}\n\n`);
  });
}

test('25: the log of a 2026-07-28 server reaches newer clients by _meta, older ones by logging/setLevel, at both doors and over both transports', async (t) => {
  const app = await bootMcp(t, {
    localServers: parseMcpConfig(JSON.stringify({ mcpServers: { program: odd('modern') } })),
  });
  await app.add('http', (await startLogging(t)).url);
  for (const id of ['http', 'program']) {
    const wanted = ['one at debug', 'two at debug'];
    const newer = await connectNew(t, app, `/mcp/servers/${id}`);
    await newer.client.callTool({ name: 'log', _meta: { [levelKey]: 'debug' } });
    assert.deepEqual(newer.lines, wanted, id);

    const older = await connect(t, app, `/mcp/servers/${id}`);
    const other = await connect(t, app, `/mcp/servers/${id}`);
    await older.client.setLoggingLevel('debug');
    await older.client.callTool({ name: 'log' });
    await older.client.callTool({ name: 'log' });
    assert.deepEqual(older.lines, [...wanted, ...wanted], id);
    await older.client.setLoggingLevel('error');
    await older.client.callTool({ name: 'log' });
    assert.deepEqual(older.lines.slice(-2), ['one at error', 'two at error'], id);
    await other.client.callTool({ name: 'log' });
    if (id === 'http') assert.deepEqual(other.lines, [], 'a level is one session’s');

    const all = await connectNew(t, app, '/mcp');
    await all.client.callTool({
      name: 'call_tool',
      arguments: { server_id: id, name: 'log' },
      _meta: { [levelKey]: 'info' },
    });
    assert.deepEqual(all.lines, ['one at info', 'two at info'], id);
  }
});

test('25: four steps are four progress notifications as they come, from programs and over both HTTP transports, to both ages', {
  skip: fullRunOnly,
}, async (t) => {
  const everything = { command: process.execPath, args: [referenceServer('everything'), 'stdio'] };
  const mcpServers = { program: everything, shared: { ...everything, shared: true } };
  const app = await bootMcp(t, { localServers: parseMcpConfig(JSON.stringify({ mcpServers })) });
  await app.add('http', (await startEverything(t, 'streamableHttp')).url);
  await app.add('sse', (await startEverything(t, 'sse')).url, { transport: 'sse' });
  const name = 'trigger-long-running-operation';
  const args = { duration: 0.8, steps: 4 };
  for (const id of ['program', 'shared', 'http', 'sse']) {
    const run = async (client: Client | NewClient) => {
      const heard: number[] = [];
      const began = performance.now();
      let firstMs = Number.POSITIVE_INFINITY;
      const onprogress = ({ progress }: { progress: number }) => {
        firstMs = Math.min(firstMs, performance.now() - began);
        heard.push(progress);
      };
      if (client instanceof Client)
        await client.callTool({ name, arguments: args }, undefined, { onprogress });
      else await client.callTool({ name, arguments: args }, { onprogress });
      assert.deepEqual(heard, [1, 2, 3, 4], id);
      assert.ok(firstMs < performance.now() - began - 200, `${id}: they come on the way`);
    };
    const older = await connect(t, app, `/mcp/servers/${id}`);
    const newer = await connectNew(t, app, `/mcp/servers/${id}`);
    // Both at once through one program: each hears its own.
    await Promise.all([run(older.client), run(newer.client)]);
  }
});
