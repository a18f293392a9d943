import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Notification } from '../../mcp/mcp.ts';
import type { McpCaller } from '../doors/backend.ts';
import { HeardServers } from './heard-servers.ts';

test('a subscription keeps the principal’s session while a stream of the principal is open, whichever came first, and no other’s', async () => {
  const held: string[] = [];
  const overheard = new Map<string, (told: Notification) => void>();
  const mcp = {
    async listen({ developerId }: { developerId: string }, serverId: string) {
      held.push(`${developerId} ${serverId}`);
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
  const heard = new HeardServers(
    mcp,
    async () => ['one', 'two'],
    (_caller, serverId, { method }) => (method === 'kept' ? { method: serverId, params: undefined } : null),
  );
  const caller = (developerId: string): McpCaller => ({ developerId, keyId: 'key', maySearch: true });
  await heard.hold(caller('acme'), 'one');
  assert.deepEqual(held, [], 'nobody listens yet');
  const told: string[] = [];
  const end = await heard.listen(caller('acme'))(({ method }) => told.push(method));
  const endOther = await heard.listen(caller('other'))(() => undefined);
  await heard.hold(caller('acme'), 'two');
  await heard.hold(caller('acme'), 'two');
  assert.deepEqual(held, ['acme one', 'acme two']);
  overheard.get('acme two')?.({ method: 'kept', params: undefined });
  overheard.get('acme two')?.({ method: 'dropped', params: undefined });
  assert.deepEqual(told, ['two']);
  const work = { ...caller('acme'), userId: 'ada', account: 'work' };
  const endWork = await heard.listen(work)(() => undefined);
  await heard.hold({ ...work, account: 'home' }, 'one');
  assert.deepEqual(held, ['acme one', 'acme two'], 'another account is another session');
  endWork();
  end();
  await Promise.resolve();
  assert.deepEqual([held, [...overheard.keys()]], [[], ['other one', 'other two']]);
  endOther();
});
