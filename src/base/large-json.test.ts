import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JsonFault, type JsonView, scanJson } from './json-scanner.ts';
import { isLarge, joinLarge, scanLarge, scanLargeItems } from './large-json.ts';

const shape = { jsonrpc: true, id: true, result: { content: true, _meta: { trace: true } } } as const;
const bulk = `[${'{"a":0,"é":"\\n"},'.repeat(60_000)}1.0e-400]`;
const message = (result: string) => `{"jsonrpc":"2.0", "x" : 7, "result":${result} ,"id":7}`;

function seen(view: JsonView): unknown {
  return {
    ...view,
    bytes: 0,
    other: view.other,
    members: view.noted().map(({ name, start, value }) => [name, start, seen(value)]),
  };
}

test('large JSON is found in the thread as it is here, and its bytes come back as they were', async () => {
  const text = message(`{"content":${bulk},"_meta":{"trace":"t","more":1}}`);
  assert.ok(isLarge(Buffer.from(text)));
  const here = scanJson(Buffer.from(text), shape);
  // Others lie beside it in its memory: they stay where they are.
  const room = Buffer.alloc(Buffer.byteLength(text) + 20_000, '!');
  const part = room.subarray(5, 5 + room.write(text, 5));
  const view = await scanLarge(part, shape);
  assert.deepEqual(seen(view), seen(here));
  assert.equal(view.bytes.toString(), text);
  assert.equal(room.length, Buffer.byteLength(text) + 20_000);
  assert.equal(view.get('result')?.get('_meta')?.get('trace')?.string(), 't');
  assert.equal(view.get('result')?.names('_meta'), true);
});

test('what is wrong with it is said as it is here, and the thread goes on', async () => {
  const faults = [
    `${bulk}]`,
    message(`{"content":${bulk},"content":1}`),
    `${'['.repeat(65)}${bulk}`,
    Buffer.concat([Buffer.from(`["${'x'.repeat(300_000)}`), Buffer.of(0xff), Buffer.from('"]')]),
  ].map((text) => Buffer.from(text));
  for (const bytes of faults) {
    const here = faultOf(() => scanJson(bytes, shape));
    await assert.rejects(scanLarge(Buffer.from(bytes), shape), (error: JsonFault) => {
      assert.ok(error instanceof JsonFault);
      assert.deepEqual([error.reason, error.at, error.member], [here?.reason, here?.at, here?.member]);
      return true;
    });
  }
  assert.equal((await scanLarge(Buffer.from(bulk))).kind, 'array');
});

function faultOf(act: () => unknown): JsonFault | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return error as JsonFault;
  }
}

test('several messages in one array: each of them, and a thousand at most', async () => {
  const one = message(`{"content":${bulk}}`);
  const views = await scanLargeItems(Buffer.from(`[${one},${one}, 7]`), shape);
  assert.deepEqual(
    views.map((view) => view.text()),
    [one, one, '7'],
  );
  assert.equal(views[1]?.get('result')?.get('content')?.text(), bulk);
  await assert.rejects(scanLargeItems(Buffer.from(`[${'{},'.repeat(150_000)}{}]`), shape), JsonFault);
});

test('others have their turns while pieces are joined and checked; a smaller text does not wait for all larger ones', async () => {
  let turns = 0;
  let isOver = false;
  const count = () => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  count();
  const pieces = Array.from({ length: 80 }, () => Buffer.alloc(100_000, ' '));
  const before = turns;
  const joined = await joinLarge([...pieces, Buffer.from('7')], 8_000_001);
  assert.ok(turns - before >= 7, `${turns - before} turns for 8 MB`);
  assert.equal(joined.length, 8_000_001);
  const order: string[] = [];
  const scan = (name: string, bytes: Buffer) => scanLarge(bytes).then(() => void order.push(name));
  const large = () => Buffer.from(`[${'0,'.repeat(2_000_000)}0]`);
  const between = turns;
  await Promise.all([
    scan('first', large()),
    scan('second', large()),
    scan('third', large()),
    scan('small', Buffer.from(`"${'x'.repeat(300_000)}"`)),
  ]);
  isOver = true;
  assert.deepEqual(order, ['first', 'small', 'second', 'third']);
  assert.ok(turns - between > 10, `${turns - between} turns`);
});
