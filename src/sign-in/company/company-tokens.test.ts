import assert from 'node:assert/strict';
import { test } from 'node:test';
import { subjectTokens, tokensIn } from './company-tokens.ts';

test('an ID token is kept over renewals that bring none, until it is over; without the setting none is', () => {
  const former = { refresh: 'r1', access: 'a1', identity: { token: 'i1', endsAt: 1_000 } };
  const reply = { access_token: 'a2', token_type: 'bearer' } as const;
  const kept = tokensIn(reply, { former, keepsIdentity: true, now: 999 });
  assert.deepEqual(kept, { refresh: 'r1', access: 'a2', identity: former.identity });
  const types = (now: number) => subjectTokens(kept, now).map(({ type }) => type);
  assert.deepEqual([types(999), types(1_000)], [['id_token', 'refresh_token'], ['refresh_token']]);
  const later = tokensIn(reply, { former: kept, keepsIdentity: true, now: 1_000 });
  assert.deepEqual(later, { refresh: 'r1', access: 'a2', identity: null });
  const off = tokensIn(reply, { former, keepsIdentity: false, now: 0 });
  assert.deepEqual(off, { refresh: 'r1', access: 'a2' });
});
