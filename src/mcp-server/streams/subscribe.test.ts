import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scanJson } from '../../base/json-scanner.ts';
import { OpenSubscriptions } from './notification-streams.ts';
import { subscribe } from './subscribe.ts';

test('who has no room for a stream is subscribed to nothing, and charged nothing', async () => {
  const open = new OpenSubscriptions();
  for (let i = 0; i < 250; i++) open.add(() => undefined, 'hostile');
  const asked: string[] = [];
  const backend = {
    introduce: async () => ({
      capabilities: '{"resources":{"subscribe":true}}',
      serverInfo: '{}',
      canNotify: true,
    }),
    request: async (_caller: object, { params }: { params: { uri?: string } }) => {
      asked.push(String(params.uri));
      return { kind: 'result' };
    },
    listen: () => async () => () => undefined,
  };
  const listen = (developerId: string) => {
    const caller = { developerId, charge: (requests: number) => void asked.push(`charge ${requests}`) };
    const params = scanJson(Buffer.from('{"notifications":{"resourceSubscriptions":["note://one"]}}'), {
      notifications: true,
    });
    return subscribe({ backend, caller } as never, { id: scanJson(Buffer.from('1')), params } as never, open);
  };
  assert.match(String((await listen('hostile')).body), /Too many streams are open/);
  assert.deepEqual(asked, []);
  await listen('other');
  assert.deepEqual(asked, ['charge 1', 'note://one']);
  open.close();
});
