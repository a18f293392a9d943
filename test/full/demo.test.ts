import assert from 'node:assert/strict';
import { test } from 'node:test';
import { temporaryFolder } from '../support/app.ts';
import { done, serving } from '../support/command.ts';

type Row = Record<string, unknown>;

test('demo fills a new store so that every page has something to show, and leaves any other store alone', async (t) => {
  const folder = temporaryFolder(t);
  const env = { MCPRANK_ADMIN_KEY: '', MCPRANK_PROBE: 'off' };
  const before = Date.now();
  const played = await done(folder, ['demo', '--json'], env);
  assert.equal(played.code, 0, played.err);
  const { admin_key: key, searches, calls } = JSON.parse(played.out) as Record<string, string & number>;
  assert.ok(searches! > 500 && calls! > 300, played.out);
  const again = await done(folder, ['demo'], env);
  assert.deepEqual([again.code, /is not empty/.test(again.err)], [2, true]);

  const { url } = await serving(t, folder, { MCPRANK_PROBE: 'off' });
  const read = async (path: string) => {
    const reply = await fetch(url + path, { headers: { 'x-api-key': key! } });
    assert.equal(reply.status, 200, path);
    return (await reply.json()) as Record<string, Row[]>;
  };
  const activity = await read('/v1/admin/activity?window=24h');
  for (const part of ['servers', 'success', 'recent']) assert.ok(activity[part]!.length > 2, part);
  assert.deepEqual(
    new Set((await read('/v1/admin/approvals?limit=50')).approvals!.map(({ state }) => state)),
    new Set(['pending', 'done', 'denied', 'expired']),
  );
  assert.equal((await read('/v1/admin/toolsets')).toolsets!.length, 1);
  assert.ok((await read('/v1/admin/keys')).keys!.length >= 4);
  const recorded = (await read('/v1/admin/calls?limit=200')).calls!;
  assert.equal(recorded.length, 200);
  const times = recorded.map(({ at }) => Date.parse(String(at)));
  assert.ok(Math.max(...times) <= Date.now() && Math.min(...times) > before - 8 * 86_400_000);
  assert.match(String(recorded[0]!.id), /^call_[0-9a-f]+$/);
  const looks: Row[][] = [];
  for (const { server_id: id } of activity.servers!)
    looks.push((await read(`/v1/servers/${encodeURIComponent(String(id))}/health`)).looks!);
  assert.ok(looks[0]!.length > 10, 'it was looked at all week');
  assert.equal(looks.filter((each) => each.some(({ state }) => state === 'down')).length, 1, 'the outage');
});
