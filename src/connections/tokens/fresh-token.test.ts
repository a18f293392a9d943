import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { GrantRow } from '../connection-rows.ts';
import { FreshTokens } from './fresh-token.ts';
import type { GrantStore } from './grant-store.ts';
import type { TokenRefresher } from './token-refresh.ts';

/** Tokens of any number of users, and which of them were renewed. */
function stage() {
  const versions = new Map<string, number>();
  const renewed: string[] = [];
  const clock = { now: () => 1_000_000, monotonic: () => 1_000_000 };
  const rowOf = (userId: string) =>
    ({
      id: `con_${userId}`,
      version: versions.get(userId) ?? 1,
      status: 'active',
      scopes: '',
      refresh_sealed: 'sealed',
      issued_at: clock.now(),
      life_ms: 3_600_000,
      refresh_at: Number.POSITIVE_INFINITY,
      resource: null,
    }) as GrantRow;
  const tokens = new FreshTokens({
    store: {
      find: async ({ userId }: { userId: string }) => rowOf(userId),
      markUsed: async () => undefined,
    } as unknown as GrantStore,
    encryption: {
      open: async () => 'token',
      openDPoPKey: async () => null,
    } as never,
    refresher: {
      renew: async (id: string) => {
        const userId = id.slice('con_'.length);
        renewed.push(userId);
        versions.set(userId, (versions.get(userId) ?? 1) + 1);
        return rowOf(userId);
      },
    } as unknown as TokenRefresher,
    clock,
    log: {} as never,
  });
  /** A call that the provider answered 401 to, with the newest token. */
  const refuse = (userId: string) =>
    tokens.get({
      owner: { developerId: 'dev', userId },
      provider: 'idp',
      refused: versions.get(userId) ?? 1,
    });
  return { refuse, renewed };
}

test('J9 a flood of refused tokens of others does not lift the limit on renewals of one that is refused all the time', async () => {
  const { refuse, renewed } = stage();
  for (let i = 0; i < 12_000; i++) {
    await refuse(`flood-${i}`);
    if (i % 1_000 === 0) await refuse('steady');
    if (i % 4_000 === 0) await nextTurn();
  }
  assert.equal(renewed.filter((userId) => userId === 'steady').length, 1);
});
