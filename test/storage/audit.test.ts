import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootApp, handClock, type TestApp } from '../support/app.ts';
import { fixtureServers } from '../support/fixtures.ts';
import { engines } from '../support/stores.ts';

type Entry = {
  id: string;
  at: string;
  developer_id: string;
  actor: string;
  action: string;
  user_id: string | null;
  subject: string | null;
  facts: Record<string, unknown>;
};
const quiet = { MCPRANK_STARTER: 'off' };

async function trailOf(app: TestApp, query = ''): Promise<Entry[]> {
  const reply = await app.call('GET', `/v1/admin/audit${query}`);
  assert.equal(reply.status, 200, reply.text);
  return reply.body.entries as Entry[];
}

for (const engine of engines) {
  test(`${engine.name}: O2 every change by an admin and every issue of a token is in the trail, with who did it`, {
    skip: engine.skip,
  }, async (t) => {
    // Every call in a millisecond of its own, so that the trail has one order.
    const clock = handClock();
    const app = await bootApp(t, { ...quiet, ...(await engine.environment(t)) }, { clock });
    const act: TestApp['call'] = (...call) => {
      clock.advance(1);
      return app.call(...call);
    };
    const made = await act('POST', '/v1/admin/keys', {
      body: { developer: 'acme', name: 'ci', tier: 'pro', scopes: ['identity'] },
    });
    const key = String(made.body.key);
    await act('POST', '/v1/identity/token', { key, body: { user_id: 'ann' } });
    await act('POST', '/v1/identity/token', { key, body: { user_id: 'bob' } });
    await act('POST', '/v1/identity/revoke', { key, body: { user_id: 'ann' } });
    await act('POST', '/v1/admin/servers', { body: fixtureServers[3] });
    await act('DELETE', '/v1/admin/servers/bare');
    await act('DELETE', `/v1/admin/keys/${made.body.key_id}`);
    const trail = await trailOf(app);
    const admin = trail.find(({ action }) => action === 'server.remove')?.actor ?? '';
    assert.match(admin, /^key:key_[0-9a-f]{32}$/);
    const [acme, ci] = [String(made.body.developer_id), String(made.body.key_id)];
    const told = trail.map(({ action, actor, developer_id, user_id, subject }) => [
      action,
      actor,
      developer_id === acme ? 'acme' : 'other',
      user_id,
      subject?.startsWith('fam_') ? 'fam' : subject,
    ]);
    assert.deepEqual(told.slice(0, 7), [
      ['key.revoke', admin, 'acme', null, ci],
      ['server.remove', admin, 'other', null, 'bare'],
      ['server.put', admin, 'other', null, 'bare'],
      ['user.revoke', `key:${ci}`, 'acme', 'ann', null],
      ['token.issue', `key:${ci}`, 'acme', 'bob', 'fam'],
      ['token.issue', `key:${ci}`, 'acme', 'ann', 'fam'],
      ['key.create', admin, 'acme', null, ci],
    ]);
    assert.deepEqual(
      (await trailOf(app, `?developer=${acme}&user=ann`)).map(({ action }) => action),
      ['user.revoke', 'token.issue'],
    );
    assert.equal(JSON.stringify(trail).includes(key), false);

    // Page by page it is the same trail.
    const pages: Entry[] = [];
    for (let before = ''; ; ) {
      const { body } = await app.call('GET', `/v1/admin/audit?limit=3${before}`);
      pages.push(...(body.entries as Entry[]));
      const next = (body.metadata as { next_before?: string }).next_before;
      if (next === undefined) break;
      before = `&before=${next}`;
    }
    assert.deepEqual(pages, trail);
    const lines = await app.call('GET', '/v1/admin/audit', { headers: { accept: 'application/x-ndjson' } });
    assert.match(lines.headers.get('content-type') ?? '', /^application\/x-ndjson/);
    assert.deepEqual(
      lines.text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
      trail,
    );
  });

  test(`${engine.name}: O2 what cannot be written to the trail does not happen`, {
    skip: engine.skip,
  }, async (t) => {
    const app = await bootApp(t, { ...quiet, ...(await engine.environment(t)) });
    const key = await app.newKey();
    const keysBefore = (await app.call('GET', '/v1/admin/keys')).body.keys as unknown[];
    const [{ key_id } = { key_id: '' }] = (keysBefore as { key_id: string; developer: string }[]).filter(
      ({ developer }) => developer !== 'admin',
    );
    const db = app.services.storage.tables<Record<string, never>>();
    await db.schema.alterTable('audit').renameTo('audit_away').execute();
    const attempts = [
      ['POST', '/v1/admin/keys', { developer: 'x', name: 'x', tier: 'free' }],
      ['DELETE', `/v1/admin/keys/${key_id}`, undefined],
      ['POST', '/v1/admin/servers', fixtureServers],
      ['POST', '/v1/identity/token', { user_id: 'ann' }],
      ['POST', '/v1/identity/revoke', { user_id: 'ann' }],
    ] as const;
    for (const [method, path, body] of attempts)
      assert.equal((await app.call(method, path, { body })).status, 500, `${method} ${path}`);
    assert.deepEqual((await app.call('GET', '/v1/servers')).body.servers, []);
    const keysAfter = (await app.call('GET', '/v1/admin/keys')).body.keys as { revoked_at: unknown }[];
    assert.equal(keysAfter.length, keysBefore.length);
    assert.ok(keysAfter.every(({ revoked_at }) => revoked_at === null));
    await db.schema.alterTable('audit_away').renameTo('audit').execute();
    const reply = await app.call('POST', '/v1/identity/token', { key, body: { user_id: 'ann' } });
    assert.equal(reply.status, 200);
  });
}
