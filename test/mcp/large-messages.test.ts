import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test } from 'node:test';
import { scanJson } from '../../src/base/json-scanner.ts';
import { adminKey } from '../support/app.ts';
import type { McpTestApp } from '../support/mcp-app.ts';
import { bootPrograms } from '../support/programs.ts';
import { startHttp } from '../support/raw-upstream.ts';

/** 3 MB of the shortest tokens there are: what costs most to check. */
const pairs = 1_500_000;
const bulk = Buffer.from(`[${'0,'.repeat(pairs)}1.0e-400]`);
const introduction =
  '{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"x","version":"1"}}';

const results: Readonly<Record<string, string>> = {
  initialize: introduction,
  'tools/list': '{"tools":[{"name":"go","inputSchema":{"type":"object"}}]}',
  'tools/call': '{"content":[],"structuredContent":{"x":BULK}}',
};

/** Answers with the bulk where it is called without arguments. It parses nothing: it has the same event loop. */
function answer(isStream: boolean) {
  return (request: IncomingMessage, reply: ServerResponse): void => {
    let start = '';
    request.on('data', (chunk: Buffer) => {
      if (start.length < 1_000) start += chunk.toString('latin1', 0, 1_000);
    });
    request.on('end', () => answerTo(start, isStream, reply));
  };
}

/** `start`: the request's first bytes, none of a GET. */
function answerTo(start: string, isStream: boolean, reply: ServerResponse): void {
  const id = /"id":(\d+)/.exec(start)?.[1];
  const result = results[/"method":"([^"]+)"/.exec(start)?.[1] ?? ''];
  if (id === undefined || result === undefined)
    return void reply.writeHead(id === undefined ? 202 : 400).end();
  const [before = '', after] = `{"jsonrpc":"2.0","id":${id},"result":${result}}`.split('BULK');
  const stream = isStream && after !== undefined;
  reply.writeHead(200, { 'content-type': stream ? 'text/event-stream' : 'application/json' });
  reply.write(stream ? `: hello\n\ndata: ${before}` : before);
  if (after !== undefined) reply.write(start.includes('"bulk"') ? '0' : bulk);
  reply.end((after ?? '') + (stream ? '\n\n' : ''));
}

/** The same as a program. */
const program = `
  let line = '';
  process.stdin.on('data', (chunk) => {
    line += chunk.toString('latin1', 0, 1000);
    if (chunk.at(-1) !== 10) return;
    const id = /"id":(\\d+)/.exec(line)?.[1];
    const method = /"method":"([^"]+)"/.exec(line)?.[1];
    const isBulk = line.includes('"bulk"');
    line = '';
    if (id === undefined) return;
    const say = (member) => process.stdout.write('{"jsonrpc":"2.0","id":' + id + ',' + member + '}\\n');
    if (method === 'initialize') say('"result":${introduction}');
    else if (method !== 'tools/call') say('"error":{"code":-32601,"message":"no"}');
    else say('"result":{"content":[],"structuredContent":{"x":' + (isBulk ? '0' : '[' + '0,'.repeat(${pairs}) + '1.0e-400]') + '}}');
  });
`;

const doors: Readonly<Record<string, (id: string, args: string) => readonly [path: string, body: string]>> = {
  rest: (id, args) => ['/v1/mcp/tools/call', `{"server_id":"${id}","name":"go","arguments":${args}}`],
  envelope: (id, args) => [
    '/v1/mcp/call',
    `{"server_id":"${id}","method":"tools/call","params":{"name":"go","arguments":${args}}}`,
  ],
  mcp: (id, args) => ['/mcp', message(`{"name":"${id}__go","arguments":${args}}`)],
  call_tool: (id, args) => [
    '/mcp',
    message(`{"name":"call_tool","arguments":{"server_id":"${id}","name":"go","arguments":${args}}}`),
  ],
  single: (id, args) => [`/mcp/servers/${id}`, message(`{"name":"go","arguments":${args}}`)],
};
const message = (params: string) => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`;

async function post(app: McpTestApp, [path, body]: readonly [string, string]): Promise<Buffer> {
  const reply = await fetch(app.url + path, {
    method: 'POST',
    headers: {
      'x-api-key': adminKey,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body,
  });
  return Buffer.from(await reply.arrayBuffer());
}

/** Milliseconds that the processor was at work for this thread: what else the machine does takes no part in it. */
function workedMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

/** Of one turn of the event loop while it is done, the longest. */
async function longestTurn<T>(act: () => Promise<T>): Promise<readonly [longestMs: number, found: T]> {
  let longest = 0;
  let last = workedMs();
  let isOver = false;
  const count = () => {
    const now = workedMs();
    longest = Math.max(longest, now - last);
    last = now;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const found = await act();
  isOver = true;
  return [longest, found];
}

test('3 MB of small tokens, answered or sent, at every door: passed on byte for byte, and others have their turns meanwhile', async (t) => {
  const app = await bootPrograms(t, { program: { command: process.execPath, args: ['-e', program] } });
  for (const [id, isStream] of [
    ['json', false],
    ['stream', true],
  ] as const)
    await app.add(id, (await startHttp(t, answer(isStream))).url, {
      tools: [{ name: 'go', description: 'Goes' }],
    });
  scanJson(bulk);
  const began = workedMs();
  scanJson(bulk);
  const wholeMs = workedMs() - began;
  const empty = '{}';
  const full = `{"bulk":${bulk}}`;
  const cases = Object.entries(doors).flatMap(([door, of]) =>
    (door === 'rest' ? ['json', 'stream', 'program'] : ['json']).flatMap((id) => [
      { name: `${door}, ${id}, answered`, request: of(id, empty), expected: bulk },
      { name: `${door}, ${id}, sent`, request: of(id, full), expected: '"x":0}' },
    ]),
  );
  for (const { name, request, expected } of cases) {
    let longest = Number.POSITIVE_INFINITY;
    // A collection of garbage can make one of them long.
    for (let tries = 0; tries < 3 && longest > wholeMs / 2; tries++) {
      const [longestMs, reply] = await longestTurn(() => post(app, request));
      longest = Math.min(longest, longestMs);
      assert.ok(reply.includes(expected), `${name}: ${reply.toString('utf8', 0, 300)}`);
    }
    assert.ok(longest <= wholeMs / 2, `${name}: a turn of ${longest} ms; to check it takes ${wholeMs}`);
  }
});
