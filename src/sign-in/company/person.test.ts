import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CompanyConfig, describePerson, groupsOf, PersonGone } from './person.ts';

test('groups are read as providers write them: a list, one text, a path, with a slash; what is no text is none', () => {
  const groupsIn = (claims: Record<string, unknown>, groupsClaim: string) =>
    groupsOf({ groupsClaim }, claims);
  const groups = (value: unknown) => groupsIn({ groups: value }, 'groups');
  assert.deepEqual(groups(['b', 'a', 'a', '/c']), ['a', 'b', 'c']);
  assert.deepEqual(groups('engineering'), ['engineering']);
  assert.deepEqual(groups([]), [], 'said to be in none');
  for (const value of [undefined, null]) assert.equal(groups(value), null, 'nothing said');
  assert.deepEqual(groups([7, null, { id: 'x' }, '', 'a']), ['a']);
  for (const value of [7, true, { name: 'a' }, '']) assert.deepEqual(groups(value), []);
  assert.equal(groups(Array.from({ length: 2_000 }, (_, n) => `g${n}`))?.length, 2_000);
  assert.deepEqual(groupsIn({ realm_access: { roles: ['/staff'] } }, 'realm_access.roles'), ['staff']);
  assert.deepEqual(groupsIn({ 'https://example.com/groups': ['a'] }, 'https://example.com/groups'), ['a']);
  assert.equal(groupsIn({ realm_access: 'x' }, 'realm_access.roles'), null);
});

test('groups of which some are not said are none to go by: what denies may be among them', () => {
  const many = Array.from({ length: 5_001 }, (_, n) => `g${n}`);
  for (const claims of [
    { groups: many },
    // As Microsoft Entra says it of more than 200.
    { _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint: 'https://graph.example/' } } },
  ])
    assert.throws(() => groupsOf({ groupsClaim: 'groups' }, claims), /too many groups/);
  const other = { _claim_names: { address: 'src1' } };
  assert.equal(groupsOf({ groupsClaim: 'groups' }, other), null);
});

test('of the allowed domains is who has a verified address there, and nobody that looks like it', () => {
  const config = { domains: ['example.com'], groupsClaim: 'groups' } as unknown as CompanyConfig;
  const isIn = (claims: Record<string, unknown>) => {
    try {
      return describePerson(config, { sub: 'ann', ...claims }).subject === 'ann';
    } catch (error) {
      assert.ok(error instanceof PersonGone);
      return false;
    }
  };
  for (const claims of [{ email: 'ann@example.com' }, { email: 'Ann@EXAMPLE.com', email_verified: true }])
    assert.ok(isIn(claims), JSON.stringify(claims));
  for (const claims of [
    {},
    { email: 7 },
    { email: ['ann@example.com'] },
    { email: '@example.com' },
    { email: 'ann@sub.example.com' },
    { email: 'ann@example.com.evil.example' },
    { email: 'ann@example.com@evil.example' },
    { email: 'ann@example.com', email_verified: false },
    { email: 'ann@example.com', email_verified: 'false' },
    { preferred_username: 'ann@example.com' },
  ])
    assert.ok(!isIn(claims), JSON.stringify(claims));
});
