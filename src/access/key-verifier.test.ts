import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fullRunOnly } from '../../test/support/full-run.ts';
import { systemClock } from '../base/clock.ts';
import { sha256Hex } from '../base/id.ts';
import { createKeyVerifier } from './key-verifier.ts';
import { createLimiter } from './limiter.ts';

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
  const verifier = createKeyVerifier({
    isKnown: () => false,
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
  verifier.invalidate(row.id);
  release();
  assert.equal(await early, 'key_1');
  await assert.rejects(async () => verifier.verify(key, '127.0.0.1'), {
    message: 'Missing or invalid API key',
  });
});

test('L1 a key that is known and one that is not take the same time to be refused (Welch, t < 4.5, or within 2 %)', {
  skip: fullRunOnly,
}, async () => {
  const base = {
    developer_id: 'dev_1',
    developer: 'd',
    name: 'n',
    tier: 'free',
    scopes: 'search',
    created_at: 0,
  };
  const ended = { expires_at: null, addresses: null, revoked_at: 1, last_used_at: null };
  // Which keys are known is in the digest itself, so that the stand-in for the store does the same for both.
  const isKnown = (digest: string) => digest.charCodeAt(0) % 2 === 0;
  const verifier = createKeyVerifier({
    isKnown: () => false,
    find: async (digest) => {
      const row = { id: 'key_1', digest, ...base, ...ended };
      return isKnown(digest) ? row : undefined;
    },
    ownerOf: ({ id }) => id,
    limiter: createLimiter(systemClock),
    clock: systemClock,
  });
  const keyOf = (i: number) => `sk_mcp_rank_${i.toString(16).padStart(32, '0')}`;
  const samples = 20_000;
  const kinds = Array.from({ length: samples }, (_, i) => (isKnown(sha256Hex(keyOf(i))) ? 0 : 1));
  const measure = async () => {
    const times: [number[], number[]] = [[], []];
    for (let i = 0; i < samples; i++) {
      const key = keyOf(i);
      const address = `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
      const since = performance.now();
      await Promise.resolve(verifier.verify(key, address)).catch(() => undefined);
      times[kinds[i] ?? 0]?.push(performance.now() - since);
    }
    return welch(...times);
  };
  await measure();
  // A busy machine can blur any one measurement; a difference in the code would show in each. Of so many samples a few
  // nanoseconds are one already, which the compiler makes where it will, and which nobody hears through a network.
  const found: Compared[] = [];
  const isSame = ({ t, share }: Compared) => t < 4.5 || share < 0.02;
  while (found.length < 8 && !found.some(isSame)) found.push(await measure());
  const told = found.map(({ t, share }) => `${t.toFixed(1)} (${(100 * share).toFixed(1)} %)`);
  assert.ok(found.some(isSame), `t = ${told.join(', ')}`);
});

type Compared = { readonly t: number; readonly share: number };

/** Welch's t of the two, and how far they are apart, without the slowest tenth of each: those are the machine's. */
function welch(a: number[], b: number[]): Compared {
  const [x, y] = [a, b].map((times) => {
    const kept = times.sort((p, q) => p - q).slice(0, Math.floor(times.length * 0.9));
    const mean = kept.reduce((sum, t) => sum + t, 0) / kept.length;
    const variance = kept.reduce((sum, t) => sum + (t - mean) ** 2, 0) / (kept.length - 1);
    return { mean, error: variance / kept.length };
  }) as [{ mean: number; error: number }, { mean: number; error: number }];
  const apart = Math.abs(x.mean - y.mean);
  return { t: apart / Math.sqrt(x.error + y.error), share: apart / Math.min(x.mean, y.mean) };
}
