import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { ByteSink } from '../../outbound/outbound.ts';
import { EventRelay } from './event-relay.ts';

/** A server's stream by hand, and what its client reads of it. */
function openRelay(t: TestContext, { takesJson = true } = {}) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let server: ByteSink | undefined;
  let isSettled = false;
  const done: string[] = [];
  const source = {
    flow: (sink: ByteSink) => {
      server = sink;
    },
    resume: () => void done.push('resume'),
    cancel: () => void done.push('cancel'),
    finish: () => void done.push('finish'),
  };
  const filter = {
    pass(message: { readonly result: unknown }) {
      isSettled ||= message.result !== undefined;
      return true;
    },
    isSettled: () => isSettled,
    eventId: (id: string) => `sealed ${id}`,
    end: () => (isSettled ? null : Buffer.from('{"broken":true}')),
  };
  const relay = new EventRelay(source, filter, { maxEventBytes: 1_000_000, takesJson });
  const read = () => {
    const said: string[] = [];
    relay.flow({ data: (chunk) => said.push(chunk.toString()) > 0, end: () => void said.push('end') });
    return said;
  };
  const say = (text: string) => server?.data(Buffer.from(text));
  return { relay, done, read, say, end: () => server?.end(null) };
}

const answer = '{"jsonrpc":"2.0","id":1,"result":{"n":9007199254740993}}';
const progress = '{"jsonrpc":"2.0","method":"notifications/progress"}';

test('an answer that comes first is given as it came, and the rest of the reply is read past', async (t) => {
  const { relay, done, say } = openRelay(t);
  say(`id: 7\ndata: ${answer}\n\n`);
  assert.equal(String(await relay.answer), answer);
  say(`data: ${progress}\n\n`);
  assert.deepEqual(done, ['finish']);
});

test('whatever comes before the answer begins a stream, and so does silence; nothing of it is lost', async (t) => {
  const { relay, read, say, end } = openRelay(t);
  say(`data: ${progress}\n\n`);
  say(`id: 7\ndata: ${answer}\n\n`);
  assert.equal(await relay.answer, null);
  end();
  assert.deepEqual(read(), [`data: ${progress}\n\nid: sealed 7\ndata: ${answer}\n\n`, 'end']);

  t.mock.timers.reset();
  const silent = openRelay(t);
  t.mock.timers.tick(15_000);
  assert.equal(await silent.relay.answer, null);
  const said = silent.read();
  silent.say(`data: ${answer}\n\n`);
  assert.deepEqual(said, [`data: ${answer}\n\n`]);
});

test('a stream that ends without an answer says why, as JSON where nothing was said before', async (t) => {
  const { relay, end } = openRelay(t);
  end();
  assert.equal(String(await relay.answer), '{"broken":true}');
  t.mock.timers.reset();
  const streamed = openRelay(t, { takesJson: false });
  assert.equal(await streamed.relay.answer, null);
  streamed.end();
  assert.deepEqual(streamed.read(), ['data: {"broken":true}\n\n', 'end']);
});

test('before anybody reads, the server is not read on and on', async (t) => {
  const { relay, done, read, say } = openRelay(t, { takesJson: false });
  await relay.answer;
  assert.equal(say(`data: ${progress}\n\n`), true);
  assert.equal(say(`data: {"jsonrpc":"2.0","method":"${'x'.repeat(70_000)}"}\n\n`), false);
  read();
  assert.deepEqual(done, ['resume']);
});
