import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createVault } from './vault.ts';

test('what is sealed opens under its own binding, in its time, unchanged, and not otherwise', () => {
  let now = 1_000;
  const vault = createVault({ now: () => now, monotonic: () => now });
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), fc.nat(), (text, binding, other, at) => {
      const sealed = vault.seal(text, binding, 10);
      assert.equal(vault.open(sealed, binding), text);
      if (other !== binding) assert.equal(vault.open(sealed, other), null);
      const place = 3 + (at % (sealed.length - 3));
      const changed = sealed.slice(0, place) + (sealed[place] === 'A' ? 'B' : 'A') + sealed.slice(place + 1);
      assert.equal(vault.open(changed, binding), null);
      assert.equal(vault.open(sealed.slice(0, -1), binding), null);
      assert.equal(vault.open(other, binding), null);
    }),
  );
  const sealed = vault.seal('text', 'b', 10);
  const elsewhere = createVault({ now: () => now, monotonic: () => now });
  assert.equal(elsewhere.open(sealed, 'b'), null);
  now += 10;
  assert.equal(vault.open(sealed, 'b'), 'text');
  now += 1;
  assert.equal(vault.open(sealed, 'b'), null);
});

test('K1: a truncated tag does not open, and two seals of one text differ', () => {
  const vault = createVault({ now: () => 0, monotonic: () => 0 });
  const sealed = vault.seal('', 'b', 10);
  const bytes = Buffer.from(sealed.slice(3), 'base64url');
  for (const length of [4, 8, 12])
    assert.equal(vault.open(`v1.${bytes.subarray(0, 18 + length).toString('base64url')}`, 'b'), null);
  assert.notEqual(sealed, vault.seal('', 'b', 10));
});
