import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { itemsOf, type JsonView, scanJson } from '../../src/base/json-scanner.ts';
import { parseMcpConfig } from '../../src/mcp/mcp.ts';
import { adminKey } from '../support/app.ts';
import { fullRunOnly, isFullRun } from '../support/full-run.ts';
import { jsonObject } from '../support/json-text.ts';
import { bootMcp, type McpTestApp } from '../support/mcp-app.ts';
import { root } from '../support/paths.ts';
import { startHttpEcho, startSseEcho } from '../support/raw-echo.ts';

/** `BYTES_RUNS=1000 node --test test/mcp-server/bytes.test.ts` for the long run. */
const numRuns = Number(process.env.BYTES_RUNS ?? (isFullRun ? 15 : 3));

const program = (age: string) => ({
  command: process.execPath,
  args: [join(root, 'test/support/echo-program.ts'), age],
});

/** Every transport and age behind us; ids say which. */
async function bootEchoes(t: TestContext): Promise<{ app: McpTestApp; ids: readonly string[] }> {
  const mcpServers = { 'stdio modern': program('modern'), 'stdio session': program('session') };
  const app = await bootMcp(t, { localServers: parseMcpConfig(JSON.stringify({ mcpServers })) });
  for (const age of ['modern', 'session'] as const)
    for (const streams of [false, true])
      await app.add(`${streams ? 'sse' : 'json'} ${age}`, await startHttpEcho(t, age, streams));
  await app.add('http+sse session', await startSseEcho(t), { transport: 'sse' });
  return {
    app,
    ids: [
      'json modern',
      'json session',
      'sse modern',
      'sse session',
      'http+sse session',
      'stdio modern',
      'stdio session',
    ],
  };
}

const meta = JSON.stringify({
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
});
const modernHeaders = (name: string) => ({
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': 'tools/call',
  'mcp-name': name,
});
const rpc = (params: string) =>
  `{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/call","params":${params}}`;

type Door = {
  readonly name: string;
  readonly path: (id: string) => string;
  readonly body: (id: string, args: string) => string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly result: (reply: JsonView) => JsonView | undefined;
};
const inEnvelope = (reply: JsonView) => reply.get('result');
const one = (id: string) => `/mcp/servers/${encodeURIComponent(id)}`;
const doors: readonly Door[] = [
  {
    name: 'REST tools/call',
    path: () => '/v1/mcp/tools/call',
    body: (id, args) => `{"server_id":"${id}","name":"echo","arguments":${args}}`,
    result: (reply) => reply,
  },
  {
    name: 'REST call',
    path: () => '/v1/mcp/call',
    body: (id, args) =>
      `{"server_id":"${id}","method":"tools/call","id":9007199254740993,"params":{"name":"echo","arguments":${args}}}`,
    result: inEnvelope,
  },
  {
    name: '/mcp/servers, 2025',
    path: one,
    body: (_id, args) => rpc(`{"name":"echo","arguments":${args}}`),
    result: inEnvelope,
  },
  {
    name: '/mcp/servers, 2026',
    path: one,
    body: (_id, args) => rpc(`{"name":"echo","arguments":${args},"_meta":${meta}}`),
    headers: modernHeaders('echo'),
    result: inEnvelope,
  },
  {
    name: '/mcp call_tool, 2025',
    path: () => '/mcp',
    body: (id, args) =>
      rpc(`{"name":"call_tool","arguments":{"server_id":"${id}","name":"echo","arguments":${args}}}`),
    result: inEnvelope,
  },
  {
    name: '/mcp call_tool, 2026',
    path: () => '/mcp',
    body: (id, args) =>
      rpc(
        `{"name":"call_tool","arguments":{"server_id":"${id}","name":"echo","arguments":${args}},"_meta":${meta}}`,
      ),
    headers: modernHeaders('call_tool'),
    result: inEnvelope,
  },
];

const members = {
  id: true,
  content: true,
  structuredContent: { echo: true },
  _meta: { own: true },
  result: { content: true, structuredContent: { echo: true }, _meta: { own: true } },
} as const;

/** What came back of the arguments, in each place where a server may put it. */
async function send(app: McpTestApp, door: Door, id: string, args: string) {
  const reply = await fetch(`${app.url}${door.path(id)}`, {
    method: 'POST',
    headers: {
      'x-api-key': adminKey,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...door.headers,
    },
    body: door.body(id, args),
  });
  const bytes = Buffer.from(await reply.arrayBuffer());
  assert.equal(reply.status, 200, `${door.name}, ${id}: ${bytes.subarray(0, 300)}`);
  assert.match(reply.headers.get('content-type') ?? '', /json/, 'a single answer is JSON');
  const view = scanJson(bytes, members);
  const result = door.result(view);
  const [block] = itemsOf(result?.get('content') as JsonView, { _meta: true });
  return {
    id: view.get('id')?.text(),
    structured: result?.get('structuredContent')?.get('echo')?.text(),
    meta: result?.get('_meta')?.get('own')?.text(),
    block: block?.get('_meta')?.text(),
  };
}

/** Line breaks between tokens may go: stdio and SSE have no place for them. */
const flat = (text: string) => text.replace(/[\r\n]/g, '');

test('what is sent is what arrives, and what is answered comes back: every door, transport and age, byte for byte', async (t) => {
  const { app, ids } = await bootEchoes(t);
  for (const door of doors)
    for (const id of ids)
      await fc.assert(
        fc.asyncProperty(jsonObject, async (args) => {
          const found = await send(app, door, id, args);
          for (const text of [found.structured, found.meta, found.block])
            assert.equal(flat(text ?? ''), flat(args), `${door.name}, ${id}`);
          if (found.id !== undefined) assert.equal(found.id, '9007199254740993');
        }),
        { numRuns },
      );
});

test('sixty levels, four hundred digits and eight megabytes pass like anything else', {
  skip: fullRunOnly,
}, async (t) => {
  const { app, ids } = await bootEchoes(t);
  const nested = `{"deep":${'['.repeat(55)}1.0${']'.repeat(55)},"long":${'9'.repeat(400)}.0e-400}`;
  const large = `{"data":"${'x'.repeat(2_600_000)}","n":-0.0}`;
  for (const door of doors)
    for (const id of ids)
      for (const args of [nested, large]) {
        const found = await send(app, door, id, args);
        assert.ok(
          found.structured === args && found.meta === args && found.block === args,
          `${door.name}, ${id}`,
        );
      }
});

test('a member that we read and that stands twice is refused at every door, also written with escapes', async (t) => {
  const app = await bootMcp(t);
  const refused = async (path: string, body: string) => (await app.call('POST', path, { body })).status;
  assert.equal(await refused('/v1/mcp/tools/call', '{"server_id":"a","server_id":"b","name":"x"}'), 400);
  assert.equal(await refused('/v1/mcp/tools/call', '{"server_id":"a","name":"x","n\\u0061me":"y"}'), 400);
  assert.equal(
    await refused('/v1/mcp/call', '{"server_id":"a","method":"tools/call","params":{"name":"x","name":"y"}}'),
    400,
  );
  const twice =
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":{},"arguments":{}}}';
  for (const path of ['/mcp', '/mcp/servers/a']) {
    const { status, body } = await app.call('POST', path, { body: twice });
    assert.deepEqual([status, (body.error as { code: number }).code], [400, -32600]);
  }
});

test('what is no id is not said again: a refusal names null (JSON-RPC 2.0 section 5)', async (t) => {
  const app = await bootMcp(t);
  for (const id of [{}, [], true]) {
    const body = { jsonrpc: '1.0', id, method: 'ping' };
    for (const path of ['/mcp', '/mcp/servers/a']) {
      const refused = await app.call('POST', path, { body });
      assert.deepEqual([refused.status, refused.body.id], [400, null], JSON.stringify(id));
    }
  }
});
