import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { createAdapters } from '../../src/sign-in/server/record-adapter.ts';
import { SignInStore } from '../../src/sign-in/sign-in-store.ts';
import { engines, openTestStore, testVault } from '../support/stores.ts';

for (const engine of engines)
  test(`threats P6: of those who use one code at the same moment, one is first (${engine.name})`, {
    skip: engine.skip,
  }, async (t) => {
    const store = new SignInStore(await openTestStore(t, engine), systemClock);
    const tickets = testVault.sealedTokens;
    const adapter = createAdapters({ store, clock: systemClock, tickets, registrant: () => '' })(
      'AuthorizationCode',
    );
    await adapter.upsert('a-code', { accountId: 'acc_1', grantId: 'g' }, 60);
    const uses = await Promise.allSettled(Array.from({ length: 8 }, () => adapter.consume('a-code')));
    assert.equal(uses.filter(({ status }) => status === 'fulfilled').length, 1);
    assert.ok((await adapter.find('a-code'))?.consumed);
    await adapter.revokeByGrantId('g');
    assert.equal(await adapter.find('a-code'), undefined);
  });

for (const engine of engines)
  test(`threats P16: of those who show one assertion of a client at the same moment, one is first (${engine.name})`, {
    skip: engine.skip,
  }, async (t) => {
    const store = new SignInStore(await openTestStore(t, engine), systemClock);
    const tickets = testVault.sealedTokens;
    const adapter = createAdapters({ store, clock: systemClock, tickets, registrant: () => '' })(
      'ReplayDetection',
    );
    const uses = await Promise.allSettled(
      Array.from({ length: 8 }, () => adapter.upsert('a-jti', { iss: 'mach_1' }, 60)),
    );
    assert.equal(uses.filter(({ status }) => status === 'fulfilled').length, 1);
    for (const use of uses)
      if (use.status === 'rejected') assert.equal((use.reason as Error).message, 'invalid_client');
  });

for (const engine of engines)
  test(`of those who would ask the company's provider about one account at the same moment, one does (${engine.name})`, {
    skip: engine.skip,
  }, async (t) => {
    const store = new SignInStore(await openTestStore(t, engine), systemClock);
    const of = {
      developer_id: 'dev_1',
      user_id: 'ann',
      key_id: null,
      issuer: 'i',
      subject: 'ann',
      sid: null,
    };
    await store.putAccount({ id: 'acc_1', ...of, name: null, groups: '[]', sealed: null });
    const account = await store.account('acc_1');
    assert.ok(account !== undefined);
    const claims = await Promise.all(Array.from({ length: 5 }, () => store.claimCheck(account, 5)));
    assert.equal(claims.filter(Boolean).length, 1);
    await store.putAccount({ ...of, id: 'acc_1', name: null, groups: '[]', sealed: 'newer' });
    assert.equal(await store.endCheck('acc_1', 5, { sealed: 'older' }), false, 'signed in anew meanwhile');
    assert.equal((await store.account('acc_1'))?.sealed, 'newer');
  });
