import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { replyAfter } from './reply-after.ts';

test('no piece of a reply goes to its socket before it was prepared for', async (t) => {
  const order: string[] = [];
  const server = createServer(
    { ServerResponse: replyAfter(() => void order.push('prepared')) },
    (_request, reply) => {
      const { socket } = reply;
      assert.ok(socket !== null);
      const write = socket.write.bind(socket);
      socket.write = ((...args: Parameters<typeof write>) => {
        order.push('sent');
        return write(...args);
      }) as typeof socket.write;
      reply.write('one');
      setImmediate(() => reply.end('two'));
    },
  );
  t.after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  assert.equal(await (await fetch(`http://127.0.0.1:${port}`)).text(), 'onetwo');
  const pieces = order.join(' ').split(/(?=prepared)/);
  assert.equal(pieces.length, 2);
  for (const piece of pieces) assert.match(piece, /^prepared( sent)+ ?$/);
});
