import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { scanJson } from '../../base/json-scanner.ts';
import { joinJson } from '../../base/json-splice.ts';
import { type Answer, answerWith, resultMessage } from './answer.ts';

const id = scanJson(Buffer.from('7'));
const answer: Answer = { status: 200, message: resultMessage(id, ['{"content":[]}']) };
const both = 'application/json, text/event-stream';

function ask(t: TestContext, accept: string) {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  const answered = Promise.withResolvers<Answer>();
  const reply = answerWith(accept, id, () => answered.promise);
  return { reply, ...answered };
}

test('an answer that takes long comes on a stream that is begun before proxies cut it off', async (t) => {
  const { reply, resolve } = ask(t, both);
  t.mock.timers.tick(15_000);
  const { contentType, body } = await reply;
  assert.equal(contentType, 'text/event-stream');
  assert.ok(body instanceof Readable);
  assert.equal(String(body.read()), ': \n\n');
  resolve(answer);
  assert.deepEqual(await body.toArray(), [Buffer.from(`data: ${joinJson(answer.message)}\n\n`)]);
});

test('one that comes sooner is JSON, and so is any that a client without streams waits for', async (t) => {
  const soon = ask(t, both);
  t.mock.timers.tick(14_999);
  soon.resolve(answer);
  assert.deepEqual(await soon.reply, { status: 200, body: answer.message });
  t.mock.timers.reset();
  const late = ask(t, 'application/json');
  t.mock.timers.tick(60_000);
  late.resolve(answer);
  assert.deepEqual(await late.reply, { status: 200, body: answer.message });
});

test('what goes wrong in us is told on a stream that has begun, and thrown before it', async (t) => {
  const soon = ask(t, both);
  soon.reject(new Error('secret'));
  await assert.rejects(soon.reply, /secret/);
  t.mock.timers.reset();
  const late = ask(t, both);
  t.mock.timers.tick(15_000);
  const { body } = await late.reply;
  assert.ok(body instanceof Readable);
  late.reject(new Error('secret'));
  const told = Buffer.concat(await body.toArray()).toString();
  assert.match(told, /"id":7,"error":\{"code":-32603,"message":"Internal error"/);
});
