/**
 * `node odd-program.ts <way> [what]`: a program that speaks MCP on its standard streams in a way that public ones do, and
 * that a careless client cannot use.
 */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

type Message = {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: {
    readonly name?: string;
    readonly arguments?: Record<string, unknown>;
    readonly _meta?: Record<string, unknown>;
  };
};

const [way = '', what = ''] = process.argv.slice(2);
const has = (name: string) => way.split(',').includes(name);
const modern = '2026-07-28';
/** Sloppy: what is absent is null, ids are texts, content is a bare text, and lines end as on Windows, with a mark before. */
const sloppily = (message: { id?: unknown; result?: object; error?: object }) => {
  const { id, result = null, error = null } = message;
  const bare =
    result !== null && 'content' in result ? { ...result, content: 'sloppy', _meta: null } : result;
  return `\ufeff${JSON.stringify({ jsonrpc: '2.0', method: null, ...message, id: String(id), result: bare, error })}\r\n`;
};
const send = (message: object) =>
  process.stdout.write(
    has('sloppy') ? sloppily(message) : `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`,
  );
const info = { capabilities: { tools: {}, logging: {} }, serverInfo: { name: 'odd', version: '1' } };
const noise = [
  '[INFO] starting',
  '[2026-10-01T12:00:00Z] ready',
  '{ port: 3000 }',
  "{'a': 1}",
  '[1, 2]',
  '{"level":30,"msg":"ready"}',
  '{"level":"info","id":1,"method":null}',
  'null',
  '"text"',
  '17',
  'Server running',
  '[{"a":1}]',
  '\u001b[32mok\u001b[0m',
];
const makeNoise = () => {
  process.stdout.write(`${noise.join('\n')}\n\n\r\n`);
  process.stdout.write(Buffer.from('gr\xfc\xdfe\n', 'latin1'));
};

let age: 'modern' | 'session' | undefined;
let isSpoilt = false;
let asked = 0;
const answers = new Map<unknown, (message: Message & { result?: { content?: { name?: string } } }) => void>();

function refuse(id: unknown, code: number, message: string, data?: object): boolean {
  return send({ id, error: { code, message, ...(data && { data }) } });
}

/** As Python's SDK 2 has it: the first request pins the age of the whole process. */
function pin(message: Message): boolean {
  const isModern =
    message.method === 'server/discover' ||
    message.params?._meta?.['io.modelcontextprotocol/protocolVersion'] !== undefined;
  age ??= isModern ? 'modern' : 'session';
  if ((age === 'modern') === isModern) return true;
  const supported = age === 'modern' ? [modern] : ['2025-11-25'];
  refuse(message.id, -32022, 'Unsupported protocol version', { supported });
  return false;
}

function open(message: Message): unknown {
  const { id, method } = message;
  if (method === 'server/discover') {
    if (has('dies')) process.exit(1);
    if (has('spoilt')) isSpoilt = true;
    if (has('silent-to-discover')) return;
    if (has('modern') || has('dual'))
      return send({ id, result: { resultType: 'complete', supportedVersions: [modern], ...info } });
    return refuse(id, -32601, 'Method not found');
  }
  if (isSpoilt) return refuse(id, -32600, 'expected initialize as the first message');
  if (has('modern')) return refuse(id, has('terse') ? -32601 : -32022, 'no', { supported: [modern] });
  if (has('refuses')) return refuse(id, -32000, what);
  return send({ id, result: { protocolVersion: '2025-11-25', ...info } });
}

async function call(message: Message): Promise<void> {
  const { id, params } = message;
  const args = params?.arguments ?? {};
  const answer = (text: string) => {
    const type = age === 'modern' ? { resultType: 'complete' } : {};
    send({ id, result: { ...type, content: [{ type: 'text', text }] } });
  };
  switch (params?.name) {
    case 'pid':
      return answer(String(process.pid));
    case 'age':
      return answer(String(age));
    case 'noise':
      makeNoise();
      setTimeout(() => {
        answer('quiet');
        makeNoise();
      }, 20);
      return;
    case 'env':
      return answer(JSON.stringify([process.argv.slice(2), process.env, process.cwd()]));
    case 'die':
      for (let i = 1; i <= 9; i++) process.stderr.write(`line ${i}\n`);
      process.exitCode = 3;
      return void process.stdin.destroy();
    case 'deafen':
      answer('deaf');
      setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0), 20);
      return;
    case 'ask':
      if (age === 'modern') {
        refuse(id, -32603, 'elicitation is unavailable on 2026-07-28 connections');
        return;
      }
      answers.set(++asked, (reply) => answer(`Hello ${reply.result?.content?.name}`));
      send({
        id: asked,
        method: 'elicitation/create',
        params: {
          message: 'Who?',
          requestedSchema: { type: 'object', properties: { name: { type: 'string' } } },
        },
      });
      return;
    case 'log': {
      const level = params._meta?.['io.modelcontextprotocol/logLevel'] ?? 'none';
      for (const data of ['one', 'two'])
        send({ method: 'notifications/message', params: { level: 'debug', data: `${data} at ${level}` } });
      return answer('logged');
    }
    case 'steps':
      for (let progress = 1; progress <= 4; progress++) {
        send({
          method: 'notifications/progress',
          params: { progressToken: params._meta?.progressToken, progress },
        });
        await new Promise((resolve) => setTimeout(resolve, Number(args.ms ?? 5)));
      }
      return answer('stepped');
    default:
      return answer(JSON.stringify(args));
  }
}

function take(line: string): unknown {
  const message = JSON.parse(line) as Message;
  const { id, method } = message;
  if (method === undefined) return answers.get(id)?.(message);
  if (has('never')) return;
  if (method === 'server/discover' || method === 'initialize') return greet(message);
  if (id === undefined) return;
  if (method === 'tools/list') return list(id);
  if (method === 'tools/call') return void call(message);
  return refuse(id, -32601, 'Method not found');
}

function greet(message: Message): void {
  if (!(has('modern') || has('dual')) || pin(message)) open(message);
  age = age ?? (message.method === 'initialize' ? 'session' : undefined);
}

function list(id: unknown): unknown {
  if (has('flaky') && existsSync(what) && readFileSync(what, 'utf8').length < 1) {
    appendFileSync(what, 'x');
    return refuse(id, -32603, 'no network yet');
  }
  const tools = [{ name: 'pid', inputSchema: { type: 'object' } }];
  return send({ id, result: { resultType: 'complete', tools } });
}

if (has('noted')) writeFileSync(what, String(process.pid));
if (has('noisy')) makeNoise();
if (has('keyless')) {
  process.stderr.write('reading settings\nAPI_KEY missing\n');
  process.exit(1);
}
if (has('stubborn')) {
  process.on('SIGTERM', () => undefined);
  setInterval(() => undefined, 1_000);
}
if (has('port')) {
  const server = createServer().listen(Number(what), '127.0.0.1');
  server.on('error', () => {
    process.stderr.write('the port is taken\n');
    process.exit(1);
  });
  server.unref();
  await new Promise((resolve) => server.once('listening', resolve));
}
if (has('slow')) await new Promise((resolve) => setTimeout(resolve, Number(what)));
const lines = createInterface(process.stdin);
lines.on('line', take);
