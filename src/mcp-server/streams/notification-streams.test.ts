import assert from 'node:assert/strict';
import type { Readable } from 'node:stream';
import { test } from 'node:test';
import { scanJson } from '../../base/json-scanner.ts';
import { NotificationStreams, OpenSubscriptions, openSubscription } from './notification-streams.ts';

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

test('who comes back in other groups hears by those, and nothing that was told by the former ones; what was dropped while it began is let go', async () => {
  const streams = new NotificationStreams();
  const tell: ((method: string) => void)[] = [];
  let ended = 0;
  const open = (groups: readonly string[]) =>
    streams.open({ developerId: 'd', sessionId: 's', groups }, '0', async (onNotification) => {
      tell.push((method) => onNotification({ method, params: undefined }));
      return () => void ended++;
    });
  await open(['a']);
  tell[0]?.('one');
  await open(['a']);
  assert.equal(tell.length, 1, 'the same stream goes on');
  const other = await open([]);
  assert.deepEqual([tell.length, ended], [2, 1]);
  tell[1]?.('two');
  const said = String((other?.body as Readable | undefined)?.read());
  assert.ok(said.includes('two') && !said.includes('one'), said);
  const begun = Promise.withResolvers<() => void>();
  const slow = streams.open({ developerId: 'd', sessionId: 't' }, undefined, () => begun.promise);
  streams.close();
  begun.resolve(() => void ended++);
  await slow;
  assert.equal(ended, 3);
});

test('the same holds for clients of 2026-07-28; a stream that cannot begin takes no place', async () => {
  const open = new OpenSubscriptions();
  let begins = true;
  const listen = async () => {
    if (!begins) throw new Error('away');
    return () => undefined;
  };
  const subscribe = (developerId: string) =>
    openSubscription(
      scanJson(Buffer.from('1')),
      { toolsListChanged: true },
      { listen, serverInfo: '{}', signal: undefined, developerId, open },
    );
  begins = false;
  for (let i = 0; i < 250; i++) await assert.rejects(subscribe('hostile'), /away/);
  await new Promise((resolve) => setImmediate(resolve));
  begins = true;
  for (let i = 0; i < 250; i++) assert.notEqual(await subscribe('hostile'), null);
  assert.equal(await subscribe('hostile'), null);
  assert.notEqual(await subscribe('other'), null);
  open.close();
});
