import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type Seen, sendJson, startRaw } from './mcp-servers.ts';

/** One way of being a bad server, and the reasons that are honest about it. */
export type Misbehaviour = {
  readonly name: string;
  readonly reasons: readonly string[];
  readonly start: (t: TestContext) => Promise<string>;
};

type Answer = (seen: Seen, reply: ServerResponse, socket: Socket) => void;

/** Shakes hands like any old server, and then does this with a call. */
function afterHandshake(answer: Answer) {
  return async (t: TestContext): Promise<string> => {
    const { url } = await startRaw(t, (seen, reply, socket) => {
      const { id, method } = seen.body;
      if (method === 'server/discover') return reply.writeHead(400).end();
      if (method === 'initialize')
        return sendJson(reply, 200, { jsonrpc: '2.0', id, result: { protocolVersion: '2025-11-25' } });
      if (id === undefined) return reply.writeHead(202).end();
      return answer(seen, reply, socket);
    });
    return url;
  };
}

/** Does this on the bare socket, whatever is asked. */
function onSocket(act: (socket: Socket) => void) {
  return async (t: TestContext): Promise<string> => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      act(socket);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  };
}

const onRequest = (act: (socket: Socket) => void) =>
  onSocket((socket) => socket.once('data', () => act(socket)));
const html = '<!doctype html><title>Welcome</title>';
const okText = (id: unknown) => JSON.stringify({ jsonrpc: '2.0', id, result: { content: [] } });

function stream(reply: ServerResponse): ServerResponse {
  return reply.writeHead(200, { 'content-type': 'text/event-stream' });
}

/** Writes until the other side has had enough. */
function pour(reply: ServerResponse, piece: string | Buffer): void {
  const more = () => {
    while (!reply.destroyed) if (!reply.write(piece)) break;
  };
  reply.on('drain', more);
  more();
}

export const misbehaviours: readonly Misbehaviour[] = [
  {
    name: 'dead',
    reasons: ['refused'],
    start: async () => {
      const probe = createServer().listen(0, '127.0.0.1');
      await once(probe, 'listening');
      const { port } = probe.address() as AddressInfo;
      probe.close();
      return `http://127.0.0.1:${port}/mcp`;
    },
  },
  { name: 'never answers', reasons: ['timeout'], start: onSocket(() => undefined) },
  {
    name: 'answers a byte at a time',
    reasons: ['timeout'],
    start: onRequest((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nx: ');
      const drip = setInterval(() => (socket.destroyed ? clearInterval(drip) : socket.write('y')), 50);
    }),
  },
  {
    name: 'answers another request',
    reasons: ['protocol'],
    start: afterHandshake((_seen, reply) => sendJson(reply, 200, { jsonrpc: '2.0', id: 4711, result: {} })),
  },
  {
    name: 'half a JSON body',
    reasons: ['broken'],
    start: afterHandshake(({ body }, reply, socket) => {
      reply.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      reply.write(okText(body.id).slice(0, 20));
      setTimeout(() => socket.destroy(), 20);
    }),
  },
  {
    name: 'half an event',
    reasons: ['broken'],
    start: afterHandshake(({ body }, reply) => stream(reply).end(`data: ${okText(body.id)}`)),
  },
  {
    name: 'a gigabyte of JSON',
    reasons: ['too_large', 'timeout'],
    start: afterHandshake((_seen, reply) =>
      pour(reply.writeHead(200, { 'content-type': 'application/json' }), Buffer.alloc(65_536, ' ')),
    ),
  },
  {
    name: 'one endless event',
    reasons: ['too_large', 'timeout'],
    start: afterHandshake((_seen, reply) =>
      pour(stream(reply).write('data: ') ? reply : reply, Buffer.alloc(65_536, 'x')),
    ),
  },
  {
    name: 'notifications without end',
    reasons: ['too_large', 'timeout'],
    start: afterHandshake((_seen, reply) =>
      pour(
        stream(reply),
        'data: {"jsonrpc":"2.0","method":"notifications/progress","params":{}}\n\n'.repeat(50),
      ),
    ),
  },
  {
    name: 'a silent stream',
    reasons: ['timeout'],
    start: afterHandshake((_seen, reply) => void stream(reply).write(': hello\n\n')),
  },
  {
    name: 'a web page',
    reasons: ['protocol'],
    start: async (t) =>
      (await startRaw(t, (_seen, reply) => reply.writeHead(200, { 'content-type': 'text/html' }).end(html)))
        .url,
  },
  {
    name: 'a missing web page',
    reasons: ['protocol'],
    start: async (t) =>
      (await startRaw(t, (_seen, reply) => reply.writeHead(404, { 'content-type': 'text/html' }).end(html)))
        .url,
  },
  {
    name: 'a compression bomb',
    reasons: ['protocol'],
    start: afterHandshake((_seen, reply) =>
      reply
        .writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
        .end(gzipSync(Buffer.alloc(20_000_000, ' '))),
    ),
  },
  {
    name: 'JSON that is not JSON-RPC',
    reasons: ['protocol'],
    start: async (t) => (await startRaw(t, (_seen, reply) => sendJson(reply, 200, { hello: 1 }))).url,
  },
  {
    name: 'broken JSON',
    reasons: ['protocol'],
    start: afterHandshake((_seen, reply) =>
      reply.writeHead(200, { 'content-type': 'application/json' }).end('{"jsonrpc":'),
    ),
  },
  {
    name: 'result and error at once',
    reasons: ['protocol'],
    start: afterHandshake(({ body }, reply) =>
      sendJson(reply, 200, { jsonrpc: '2.0', id: body.id, result: {}, error: { code: 1, message: '' } }),
    ),
  },
  {
    name: 'nested a hundred thousand deep',
    reasons: ['protocol'],
    start: afterHandshake(({ body }, reply) =>
      reply
        .writeHead(200, { 'content-type': 'application/json' })
        .end(
          `{"jsonrpc":"2.0","id":${body.id},"result":{"content":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`,
        ),
    ),
  },
  {
    name: 'a redirect to itself',
    reasons: ['protocol'],
    start: async (t) =>
      (await startRaw(t, (_seen, reply) => reply.writeHead(307, { location: '/mcp' }).end())).url,
  },
  {
    name: 'resets the connection after the request',
    reasons: ['broken'],
    start: onRequest((socket) => socket.resetAndDestroy()),
  },
  {
    name: 'resets the connection at once',
    reasons: ['broken', 'refused'],
    start: onSocket((socket) => socket.resetAndDestroy()),
  },
  {
    name: 'a megabyte of headers',
    reasons: ['broken'],
    start: onRequest((socket) => socket.write(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(1_000_000)}\r\n\r\n`)),
  },
  {
    name: 'another protocol',
    reasons: ['broken'],
    start: onSocket((socket) => socket.write('SSH-2.0-OpenSSH_9.9\r\n')),
  },
  {
    name: 'a length that is none',
    reasons: ['broken'],
    start: onRequest((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n{}')),
  },
  {
    name: 'accepts and forgets',
    reasons: ['protocol'],
    start: afterHandshake((_seen, reply) => reply.writeHead(202).end()),
  },
  {
    name: 'an endpoint elsewhere',
    reasons: ['protocol'],
    start: async (t) =>
      (
        await startRaw(t, ({ method }, reply) => {
          if (method !== 'GET') return reply.writeHead(405).end();
          return stream(reply).write('event: endpoint\ndata: http://127.0.0.2:1/steal\n\n');
        })
      ).url,
  },
  {
    name: 'fails always',
    reasons: ['broken', 'protocol'],
    start: async (t) => (await startRaw(t, (_seen, reply) => reply.writeHead(500).end('oops'))).url,
  },
];

/** Twice the same answer: the first counts. */
export const answersTwice = afterHandshake(({ body }, reply) => {
  const text = (value: string) =>
    JSON.stringify({ jsonrpc: '2.0', id: body.id, result: { content: [{ type: 'text', text: value }] } });
  stream(reply).end(`data: ${text('first')}\n\ndata: ${text('second')}\n\n`);
});
