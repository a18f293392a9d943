import assert from 'node:assert/strict';
import { test } from 'node:test';
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
  const heard = new HeardServers(
    mcp as never,
    async () => ['one', 'two'],
    (_caller, serverId, { method }) => (method === 'kept' ? { method: serverId, params: undefined } : null),
    wanted,
  );
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
