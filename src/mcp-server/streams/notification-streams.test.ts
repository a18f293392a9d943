import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NotificationStreams } from './notification-streams.ts';

test('one developer has 250 streams, and the next developer still has one; a place is free when its stream has ended', async () => {
  const streams = new NotificationStreams();
  const open = (developerId: string, sessionId: string) =>
    streams.open({ developerId, sessionId }, undefined, async () => () => undefined);
  for (let i = 0; i < 250; i++) assert.notEqual(await open('hostile', `session ${i}`), null);
  assert.equal(await open('hostile', 'one more'), null);
  assert.notEqual(await open('hostile', 'session 7'), null, 'the same stream again');
  assert.notEqual(await open('other', 'its own'), null);
  streams.close();
  assert.notEqual(await open('hostile', 'one more'), null);
  streams.close();
});
