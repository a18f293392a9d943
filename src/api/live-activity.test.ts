import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLiveActivity } from './live-activity.ts';

test('a stop ends the pages that watch, and no other begins', async () => {
  const live = createLiveActivity<string>({ read: async () => ({}), onError: () => undefined });
  const { body } = live.open('key', '1h');
  live.close();
  const ended = Promise.withResolvers<void>();
  (body as NodeJS.ReadableStream).on('end', ended.resolve).resume();
  await ended.promise;
  assert.throws(() => live.open('key', '1h'), { kind: 'unavailable' });
});
