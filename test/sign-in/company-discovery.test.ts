import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOAuthFetch } from '../../src/connections/connections.ts';
import { createIdentityProvider } from '../../src/sign-in/company/identity-provider.ts';
import { handClock } from '../support/app.ts';

const config = {
  issuer: 'https://login.example.com',
  clientId: 'us',
  clientSecret: null,
  groupsClaim: 'groups',
  domains: [],
  developer: 'company',
  takesAssertions: false,
  roles: new Map(),
};

test('what the company’s provider says of itself is read again, and what it said last holds while it is away', async () => {
  const clock = handClock();
  const world = { isUp: true, jwks: 'https://login.example.com/jwks', reads: 0 };
  const outbound = {
    async request() {
      world.reads++;
      if (!world.isUp) throw new Error('away');
      const body = Buffer.from(JSON.stringify({ issuer: config.issuer, jwks_uri: world.jwks }));
      return { status: 200, headers: { 'content-type': 'application/json' }, body };
    },
  };
  const fetchFor = createOAuthFetch({ outbound: outbound as never, clock });
  const provider = createIdentityProvider(config, fetchFor, () => ({}) as never, clock);
  assert.equal(await provider.jwksUri(), world.jwks);
  assert.equal(await provider.jwksUri(), world.jwks);
  assert.equal(world.reads, 1);
  world.jwks = 'https://login.example.com/new-jwks';
  clock.advance(600_001);
  assert.equal(await provider.jwksUri(), world.jwks, 'it moved');
  world.isUp = false;
  clock.advance(600_001);
  assert.equal(await provider.jwksUri(), world.jwks, 'it is away');
  const reads = world.reads;
  assert.equal(await provider.jwksUri(), world.jwks);
  assert.equal(world.reads, reads, 'and is not asked with every sign-in');
  const fresh = createIdentityProvider(config, fetchFor, () => ({}) as never, clock);
  await assert.rejects(fresh.jwksUri(), { kind: 'upstream_error' });
  world.isUp = true;
  assert.equal(await fresh.jwksUri(), world.jwks);
});
