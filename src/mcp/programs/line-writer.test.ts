import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { UpstreamFailure } from '../mcp-model.ts';
import { LineWriter } from './line-writer.ts';

const message = Buffer.alloc(900_000, 'x');

/** A program's input, taken when the test says so. */
function startStream() {
  const waiting: (() => void)[] = [];
  let receivedBytes = 0;
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      receivedBytes += chunk.length;
      waiting.push(done);
    },
  });
  const ended: UpstreamFailure[] = [];
  const writer = new LineWriter(stream, (failure) => void ended.push(failure));
  const takeAll = () => {
    for (let done = waiting.shift(); done !== undefined; done = waiting.shift()) done();
  };
  /** How many of so many messages it takes, each on a tick of its own. */
  const write = async (count: number) => {
    let taken = 0;
    for (let i = 0; i < count; i++) {
      try {
        writer.write(message);
        taken++;
      } catch (error) {
        assert.ok(error instanceof UpstreamFailure && error.reason === 'refused');
      }
      await delay(0);
    }
    return taken;
  };
  return { stream, ended, takeAll, write, received: () => receivedBytes };
}

test('of what a program does not read, eight megabytes wait and no more', async () => {
  const { ended, write, stream } = startStream();
  assert.equal(await write(500), 8);
  assert.ok(stream.writableLength < 8_000_000);
  assert.equal(ended.length, 0);
});

test('a burst that is read is no fault, and one message alone may be larger', async () => {
  const { ended, takeAll, write, stream } = startStream();
  assert.equal(await write(20), 8);
  takeAll();
  await delay(0);
  takeAll();
  assert.equal(await write(8), 8);
  takeAll();
  await delay(0);
  takeAll();
  await delay(0);
  const alone = new LineWriter(stream, () => undefined);
  alone.write(Buffer.alloc(8_400_000, 'x'));
  assert.throws(() => alone.write(message), /does not read/);
  assert.equal(ended.length, 0);
});
