import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { sha256Hex } from '../base/id.ts';
import { createLimiter } from './limiter.ts';
import { createVerifier } from './verifier.ts';

test('a row that was read before its revocation was heard is not kept', async () => {
  const key = `sk_mcp_rank_${'ab'.repeat(16)}`;
  const row = {
    id: 'key_1',
    developer_id: 'dev_1',
    developer: 'd',
    name: 'n',
    digest: sha256Hex(key),
    tier: 'free',
    scopes: 'search',
    created_at: 0,
    expires_at: null,
    addresses: null,
    revoked_at: null as number | null,
    last_used_at: null,
  };
  let release = () => {};
  let reads = 0;
  const verifier = createVerifier({
    find: async () => {
      const seen = { ...row };
      if (++reads === 1)
        await new Promise<void>((resolve) => {
          release = resolve;
        });
      return seen;
    },
    ownerOf: ({ id }) => id,
    limiter: createLimiter(systemClock),
    clock: systemClock,
  });
  const early = verifier.verify(key, '127.0.0.1');
  row.revoked_at = 1;
  verifier.forget(row.id);
  release();
  assert.equal(await early, 'key_1');
  await assert.rejects(async () => verifier.verify(key, '127.0.0.1'), {
    message: 'Missing or invalid API key',
  });
});
