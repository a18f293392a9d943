import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { LogSink } from './log-sink.ts';

/** A real pipe whose reader reads when it is told to. */
function openPipe(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-pipe-'));
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  let isOpen = true;
  const close = () => {
    if (isOpen) closeSync(reader);
    isOpen = false;
  };
  t.after(() => {
    close();
    closeSync(writer);
    rmSync(folder, { recursive: true });
  });
  const read = () => {
    const buffer = Buffer.alloc(1_048_576);
    let text = '';
    try {
      for (let size = 1; size > 0; text += buffer.toString('latin1', 0, size))
        size = readSync(reader, buffer);
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'EAGAIN');
    }
    return text;
  };
  return { writer, read, close };
}

const line = (i: number) => `${String(i).padStart(6, '0')} ${'x'.repeat(992)}\n`;

test('a reader that stops costs lines and nothing else: they are counted, and the rest is whole and in order', async (t) => {
  const { writer, read } = openPipe(t);
  const told: number[] = [];
  const sink = new LogSink(writer, (lines) => told.push(lines), { maxWaitingBytes: 100_000, flushMs: 0 });
  for (let i = 0; i < 1_000; i++) sink.write(line(i));
  assert.ok(sink.dropped > 0);
  let text = '';
  for (let tries = 0; told.length === 0; tries++) {
    assert.ok(tries < 1_000, 'what was dropped is told');
    text += read();
    await delay(5);
  }
  text += read();
  const kept = 1_000 - sink.dropped;
  assert.equal(text, Array.from({ length: kept }, (_, i) => line(i)).join(''));
  assert.deepEqual(told, [sink.dropped]);
  sink.write('again\n');
  assert.equal(read(), 'again\n');
});

test('a reader that is gone is no reason to fail', (t) => {
  const { writer, close } = openPipe(t);
  const sink = new LogSink(writer, () => undefined);
  close();
  sink.write('one\n');
  sink.write('two\n');
  assert.equal(sink.dropped, 2);
  sink.flush();
});

test('at the end what waits is waited for, but not for ever', (t) => {
  const { writer, read } = openPipe(t);
  const sink = new LogSink(writer, () => undefined, { maxWaitingBytes: 1_000_000, flushMs: 20 });
  for (let i = 0; i < 100; i++) sink.write(line(i));
  sink.flush();
  assert.match(read(), /^000000 /);
  sink.flush();
  assert.match(read(), /000099 x+\n$/);
});
