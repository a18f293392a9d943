import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  Client as NewClient,
  StreamableHTTPClientTransport as NewTransport,
} from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { parseMcpConfig } from '../../src/mcp/mcp.ts';
import { adminKey, temporaryFolder } from '../support/app.ts';
import { fullRunOnly } from '../support/full-run.ts';
import { bootMcp, type McpTestApp } from '../support/mcp-app.ts';
import { referenceServer, sendJson, startRaw } from '../support/mcp-servers.ts';

/** What clients on the SDK's first line (2025-11-25) can read of servers of every age, at both doors. */
async function connect(t: TestContext, app: McpTestApp, path: string): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' });
  const requestInit = { headers: { 'x-api-key': adminKey } };
  // The SDK's own types are not made for exactOptionalPropertyTypes.
  await client.connect(
    new StreamableHTTPClientTransport(new URL(`${app.url}${path}`), { requestInit }) as never,
  );
  t.after(() => client.close());
  return client;
}

async function connectNew(t: TestContext, app: McpTestApp, path: string): Promise<NewClient> {
  const client = new NewClient(
    { name: 'test', version: '1' },
    { versionNegotiation: { mode: { pin: '2026-07-28' } } },
  );
  const requestInit = { headers: { 'x-api-key': adminKey } };
  await client.connect(new NewTransport(new URL(`${app.url}${path}`), { requestInit }));
  t.after(() => client.close());
  return client;
}

const any = { type: 'object' };
const listed = [
  { name: 'numbers', inputSchema: any, outputSchema: { type: 'array', items: { type: 'number' } } },
  { name: 'nothing', inputSchema: any, outputSchema: { type: 'null' } },
  { name: 'text', inputSchema: any, outputSchema: { type: 'string' } },
  { name: 'anything', inputSchema: any, outputSchema: {} },
  { name: 'object', inputSchema: any, outputSchema: { type: 'object', properties: { a: true, b: false } } },
];
const structured: Record<string, unknown> = {
  numbers: [1, 2],
  nothing: null,
  text: 'x',
  anything: { deep: [1] },
  object: { a: 1 },
};

async function startModern(t: TestContext, tools: readonly object[], info: object) {
  return startRaw(t, ({ body }, reply) => {
    const { id, method, params } = body;
    const _meta = { 'io.modelcontextprotocol/serverInfo': info };
    const results: Record<string, object> = {
      'server/discover': { supportedVersions: ['2026-07-28'], capabilities: { tools: {} }, _meta },
      'tools/list': { tools, ttlMs: 0, cacheScope: 'private', _meta },
      'tools/call': { content: [], structuredContent: structured[String(params?.name)], _meta },
    };
    const result = results[method ?? ''];
    if (result === undefined)
      return sendJson(reply, 404, {
        jsonrpc: '2.0',
        id,
        error: { code: -32601, message: 'Method not found' },
      });
    return sendJson(reply, 200, { jsonrpc: '2.0', id, result: { resultType: 'complete', ...result } });
  });
}

test('14: what is no object is wrapped for older clients, the schema alike; newer ones get it as it is', async (t) => {
  const app = await bootMcp(t);
  const { url } = await startModern(t, listed, { name: 'Context7', version: '4.1.1' });
  await app.add('it', url);
  const client = await connect(t, app, '/mcp/servers/it');
  const { tools } = await client.listTools();
  assert.deepEqual(tools[0]?.outputSchema, {
    type: 'object',
    properties: { result: { type: 'array', items: { type: 'number' } } },
    required: ['result'],
  });
  const wanted: Record<string, unknown> = {
    numbers: { result: [1, 2] },
    nothing: { result: null },
    text: { result: 'x' },
    anything: { deep: [1] },
    object: { a: 1 },
  };
  for (const name of Object.keys(wanted)) {
    if (name === 'anything') continue;
    const { structuredContent } = await client.callTool({ name });
    assert.deepEqual(structuredContent, wanted[name], name);
  }
  const newer = await connectNew(t, app, '/mcp/servers/it');
  const direct = await newer.listTools();
  assert.deepEqual(direct.tools[0]?.outputSchema, listed[0]?.outputSchema);
  assert.deepEqual((await newer.callTool({ name: 'numbers' })).structuredContent, [1, 2]);
  // At /mcp, by its own name and by call_tool, the same holds.
  const all = await connect(t, app, '/mcp');
  const called = await all.callTool({ name: 'call_tool', arguments: { server_id: 'it', name: 'numbers' } });
  assert.deepEqual(called.structuredContent, { result: [1, 2] });
});

test('14: a 2026-07-28 server keeps its own name and version through us, in both ages and wherever it says them', async (t) => {
  const app = await bootMcp(t);
  const infos: [Record<string, string>, object][] = [
    [
      { name: 'Context7', version: '4.1.1', title: 'Documents' },
      { name: 'Context7', version: '4.1.1', title: 'Documents' },
    ],
    [{ name: 'mongodb' }, { name: 'mongodb', version: '0.2.0' }],
  ];
  for (const [i, [info, shown]] of infos.entries()) {
    const { url } = await startModern(t, [], info);
    await app.add(`it${i}`, url);
    assert.deepEqual((await connect(t, app, `/mcp/servers/it${i}`)).getServerVersion(), shown);
    assert.deepEqual((await connectNew(t, app, `/mcp/servers/it${i}`)).getServerVersion(), shown);
  }
});

const awkward = [
  {
    name: 'bare',
    inputSchema: { type: 'object', properties: { anything: true, never: false, text: { type: 'string' } } },
  },
  {
    name: 'deep',
    inputSchema: {
      type: 'object',
      additionalProperties: false,
      properties: {
        list: { type: 'array', items: true },
        one: { anyOf: [true, { properties: { x: false } }] },
        some: { default: true, enum: [true, false], const: true },
      },
      $defs: { any: true },
    },
  },
  { name: 'untyped', inputSchema: { properties: { a: { type: 'string' } } } },
  {
    name: 'null',
    title: null,
    description: null,
    inputSchema: null,
    outputSchema: null,
    annotations: null,
    _meta: null,
  },
  { name: 'none' },
];

test('15: one tool with bare booleans, no type or null members costs an older client no list, at either door', async (t) => {
  const app = await bootMcp(t);
  const { url } = await startRaw(t, ({ body, headers, method }, reply) => {
    if (method !== 'POST' || headers['mcp-method'] !== undefined) return void reply.writeHead(405).end();
    if (body.id === undefined) return void reply.writeHead(202).end();
    const about = {
      protocolVersion: '2025-11-25',
      capabilities: { tools: {} },
      serverInfo: { name: 'it', version: '1' },
    };
    const result = body.method === 'initialize' ? about : { tools: awkward, nextCursor: null, _meta: null };
    return sendJson(reply, 200, { jsonrpc: '2.0', id: body.id, result });
  });
  await app.add('it', url);
  await app.call('POST', '/v1/admin/servers/it/probe');
  const shown: Record<string, object> = {
    bare: { type: 'object', properties: { anything: {}, never: { not: {} }, text: { type: 'string' } } },
    deep: {
      type: 'object',
      additionalProperties: false,
      properties: {
        list: { type: 'array', items: {} },
        one: { anyOf: [{}, { properties: { x: { not: {} } } }] },
        some: { default: true, enum: [true, false], const: true },
      },
      $defs: { any: {} },
    },
    untyped: { type: 'object', properties: { a: { type: 'string' } } },
    null: { type: 'object' },
    none: { type: 'object' },
  };
  for (const path of ['/mcp/servers/it', '/mcp']) {
    const { tools } = await (await connect(t, app, path)).listTools();
    assert.deepEqual(
      Object.fromEntries(tools.map(({ name, inputSchema }) => [name.replace(/^it__/, ''), inputSchema])),
      shown,
      path,
    );
  }
});

test('few tools are at /mcp as their server lists them: title, annotations, output schema, to clients of both ages', {
  skip: fullRunOnly,
}, async (t) => {
  const folder = temporaryFolder(t);
  const filesystem = { command: process.execPath, args: [referenceServer('filesystem'), folder] };
  const app = await bootMcp(t, {
    localServers: parseMcpConfig(JSON.stringify({ mcpServers: { filesystem } })),
  });
  for (let tries = 0; !app.lines.some((line) => line.includes('mcp.local_server.ready')); tries++) {
    assert.ok(tries < 200, 'it is listed');
    await delay(50);
  }
  const direct = new Client({ name: 'test', version: '1' });
  await direct.connect(new StdioClientTransport({ ...filesystem, stderr: 'ignore' }));
  t.after(() => direct.close());
  const { tools } = await direct.listTools();
  assert.ok(tools.some(({ annotations, outputSchema, title }) => annotations && outputSchema && title));
  const byName = (list: readonly { name: string }[]) =>
    list
      .map((tool) => ({ ...tool, name: tool.name.replace(/^filesystem__/, '') }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  const client = await connect(t, app, '/mcp');
  assert.deepEqual(byName((await client.listTools()).tools), byName(tools));
  // Its revision knows no `execution`: the SDK drops it.
  const known = tools.map(({ execution: _, ...tool }) => tool);
  const newer = await connectNew(t, app, '/mcp');
  assert.deepEqual(byName((await newer.listTools()).tools), byName(known));
  const called = await client.callTool({ name: 'filesystem__list_allowed_directories' });
  assert.deepEqual(called, await direct.callTool({ name: 'list_allowed_directories' }));
});
