import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '../../base/problem.ts';
import type { Notification } from '../../mcp/mcp.ts';
import type { McpCaller } from '../doors/backend.ts';
import { WantedResources } from '../streams/wanted-resources.ts';
import { HeardServers } from './heard-servers.ts';

test('a subscription keeps the principal’s session while a stream of the principal is open, whichever came first, and no other’s', async () => {
  const held: string[] = [];
  const overheard = new Map<string, (told: Notification) => void>();
  const calls: string[] = [];
  const again = new Map<string, () => void>();
  const mcp = {
    async call(_caller: object, { serverId, params }: { serverId: string; params?: { uri?: string } }) {
      calls.push(`${serverId} ${params?.uri}`);
      return {} as never;
    },
    async listen(
      { developerId }: { developerId: string },
      serverId: string,
      _on: unknown,
      onAgain: () => void = () => undefined,
    ) {
      held.push(`${developerId} ${serverId}`);
      again.set(`${developerId} ${serverId}`, onAgain);
      return () => void held.splice(held.indexOf(`${developerId} ${serverId}`), 1);
    },
    async overhear(
      { developerId }: { developerId: string },
      serverId: string,
      on: (told: Notification) => void,
    ) {
      overheard.set(`${developerId} ${serverId}`, on);
      return () => void overheard.delete(`${developerId} ${serverId}`);
    },
  };
  const wanted = new WantedResources();
  const heard = new HeardServers({
    mcp: mcp as never,
    askedBy: async () => ['one', 'two'],
    onConnectionsChange: () => () => undefined,
    translate: (_caller, serverId, { method }) =>
      method === 'kept' ? { method: serverId, params: undefined } : null,
    wanted,
  });
  const drop = (by: McpCaller, place: { serverId: string; own: string }) => {
    wanted.remove(by, place);
    heard.settle(by, place.serverId);
  };
  const caller = (developerId: string): McpCaller => ({ developerId, keyId: 'key', maySearch: true });
  const at = (serverId: string, own = 'file:///a') => ({ serverId, own });
  await heard.hold(caller('acme'), at('one'));
  assert.deepEqual(held, [], 'nobody listens yet');
  const told: string[] = [];
  const end = await heard.listen(caller('acme'))(({ method }) => told.push(method));
  const endOther = await heard.listen(caller('other'))(() => undefined);
  await heard.hold(caller('acme'), at('two'));
  await heard.hold(caller('acme'), at('two', 'file:///b'));
  assert.deepEqual(held, ['acme one', 'acme two']);
  overheard.get('acme two')?.({ method: 'kept', params: undefined });
  overheard.get('acme two')?.({ method: 'dropped', params: undefined });
  assert.deepEqual(told, ['two']);
  const work = { ...caller('acme'), userId: 'ada', account: 'work' };
  const endWork = await heard.listen(work)(() => undefined);
  await heard.hold({ ...work, account: 'home' }, at('one'));
  assert.deepEqual(held, ['acme one', 'acme two'], 'another account is another session');
  // In a new session of theirs nothing is subscribed to yet.
  again.get('acme two')?.();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(calls, ['two file:///a', 'two file:///b']);
  // With the last that is unsubscribed from the session is let go.
  drop(caller('acme'), at('two', 'file:///b'));
  await Promise.resolve();
  assert.deepEqual(held, ['acme one', 'acme two']);
  drop(caller('acme'), at('two'));
  drop(caller('acme'), at('two'));
  await Promise.resolve();
  assert.deepEqual(held, ['acme one']);
  endWork();
  end();
  await Promise.resolve();
  assert.deepEqual([held, [...overheard.keys()]], [[], ['other one', 'other two']]);
  endOther();
});

test('what a user connects while a stream is open is heard from then on, what was disconnected no more; lists are told to be others', async () => {
  const asked = ['one'];
  const overheard = new Set<string>();
  let unhearable = '';
  let change: (() => void) | null = null;
  const heard = new HeardServers({
    mcp: {
      async overhear(_caller: object, serverId: string) {
        if (serverId === unhearable) throw new Problem('not_found', 'not now');
        overheard.add(serverId);
        return () => void overheard.delete(serverId);
      },
    } as never,
    askedBy: async () => [...asked],
    onConnectionsChange(_caller, listener) {
      change = listener;
      return () => {
        change = null;
      };
    },
    translate: () => null,
    wanted: new WantedResources(),
  });
  const told: string[] = [];
  const caller = { developerId: 'acme', keyId: 'key', maySearch: true, userId: 'ada' };
  const end = await heard.listen(caller)(({ method }) => told.push(method));
  const changed = async (...now: string[]) => {
    asked.splice(0, asked.length, ...now);
    change?.();
    change?.();
    for (let i = 0; i < 5; i++) await new Promise(setImmediate);
    return [...overheard].sort();
  };
  assert.deepEqual([await changed('one'), told.length > 0], [['one'], true]);
  assert.deepEqual(
    [...new Set(told)],
    ['notifications/prompts/list_changed', 'notifications/resources/list_changed'],
  );
  unhearable = 'two';
  assert.deepEqual(await changed('one', 'two'), ['one']);
  unhearable = '';
  assert.deepEqual(await changed('one', 'two'), ['one', 'two'], 'tried again with the next change');
  assert.deepEqual(await changed('two'), ['two']);
  end();
  assert.deepEqual([[...overheard], change], [[], null]);
});
