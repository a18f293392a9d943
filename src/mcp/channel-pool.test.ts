import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Problem } from '../base/problem.ts';
import { createChannelPool, defaultPoolLimits, keyOf } from './channel-pool.ts';
import { type Channel, fixedCredential, type Program, type Target } from './mcp-model.ts';

const program: Program = { command: 'x', args: [], env: {} };
/** Short texts with what a careless key would be joined with. */
const part = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '1', '\n', '|'), maxLength: 4 });
const targets: fc.Arbitrary<Target> = fc
  .record({
    serverId: part,
    principal: part,
    hint: fc.constant('streamable-http' as const),
    url: part,
    program: fc.constant(null),
    developerId: part,
    revision: fc.constant(null),
    credential: fc.constant(fixedCredential({})),
    credentialVersion: part,
  })
  .map((target) => ({ ...target, key: keyOf(target) }));
const identity = ({ serverId, principal, url, credentialVersion }: Target) =>
  JSON.stringify([serverId, principal, url, credentialVersion]);

type Recorded = Channel & { readonly of: string; closed: boolean };

function recordingPool(limits: Partial<typeof defaultPoolLimits> = {}) {
  let now = 0;
  const made: Recorded[] = [];
  const pool = createChannelPool({
    make: (target) => {
      const channel: Recorded = {
        of: identity(target),
        closed: false,
        send: () => Promise.reject(new Error('unused')),
        listen: () => () => undefined,
        close() {
          channel.closed = true;
        },
      };
      made.push(channel);
      return channel;
    },
    limits: { ...defaultPoolLimits, ...limits },
    now: () => now,
  });
  return { pool, made, advance: (ms: number) => (now += ms) };
}

test('whatever is acquired, released and swept in whatever order: a channel serves one identity, and is open', () => {
  const step = fc.tuple(targets, fc.boolean(), fc.nat(400_000));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { pool, advance } = recordingPool({ count: 8 });
      const held: (() => void)[] = [];
      for (const [target, keep, ms] of steps) {
        if (held.length >= 6) held.shift()?.();
        const lease = pool.acquire(target);
        const channel = lease.channel as Recorded;
        assert.equal(channel.of, identity(target));
        assert.equal(channel.closed, false);
        if (keep) held.push(lease.release);
        else lease.release();
        advance(ms);
        pool.sweep();
        assert.ok(pool.size() <= 8);
      }
    }),
  );
});

test('the pool is bounded: the longest unused goes, and what is in use stays', () => {
  const { pool, made, advance } = recordingPool({ count: 2, programs: 1 });
  const target = (serverId: string, isProgram = false): Target => ({
    key: serverId,
    serverId,
    principal: 'p',
    hint: 'stdio',
    url: null,
    program: isProgram ? program : null,
    developerId: 'd',
    revision: null,
    credential: fixedCredential({}),
    credentialVersion: '',
  });
  const first = pool.acquire(target('first', true));
  advance(1);
  pool.acquire(target('second')).release();
  const full = () => pool.acquire(target('another', true));
  assert.throws(full, (error) => error instanceof Problem && error.kind === 'unavailable');
  pool.acquire(target('third')).release();
  assert.deepEqual(
    made.map(({ closed }) => closed),
    [false, true, false],
  );
  first.release();
  advance(defaultPoolLimits.idleMs + 1);
  pool.sweep();
  assert.equal(pool.size(), 0);
  assert.ok(made.every(({ closed }) => closed));
});

/** A program's target as one developer's user has it. */
function programTarget(developerId: string, user: string, fields: Partial<Program> = {}): Target {
  const keyFor = (principal: string) =>
    keyOf({ serverId: 's', url: null, principal, credentialVersion: 'v' });
  const principal = `${developerId}/${user}`;
  return {
    key: keyFor(principal),
    spareKey: keyFor('operator/'),
    serverId: 's',
    principal,
    developerId,
    revision: null,
    hint: 'stdio',
    url: null,
    program: { ...program, ...fields },
    credential: fixedCredential({}),
    credentialVersion: 'v',
  };
}
const operator = (fields: Partial<Program> = {}) => programTarget('operator', '', fields);

test('one developer’s users have some of the places of programs, and the others are there for everybody else', () => {
  const { pool, made } = recordingPool({ programs: 4, programsEach: 2 });
  const leases = ['ann', 'bob'].map((user) => pool.acquire(programTarget('a', user)));
  const full = (error: unknown) => error instanceof Problem && error.kind === 'unavailable';
  assert.throws(() => pool.acquire(programTarget('a', 'cy')), full);
  pool.acquire(programTarget('b', 'ann'));
  pool.acquire(programTarget('c', 'ann'));
  assert.throws(() => pool.acquire(programTarget('d', 'ann')), full);
  leases[0]?.release();
  // Its own idle one makes room, and is somebody else's room no longer.
  pool.acquire(programTarget('a', 'cy'));
  assert.throws(() => pool.acquire(programTarget('d', 'ann')), full);
  assert.deepEqual(
    made.map(({ closed }) => closed),
    [true, false, false, false, false],
  );
});

test('the child that listed a program’s tools is its first caller’s, and the operator looks through whichever there is', () => {
  const { pool, made } = recordingPool();
  const listing = pool.acquire(operator());
  const first = pool.acquire(programTarget('a', 'ann'));
  assert.equal(first.channel, listing.channel);
  listing.release();
  assert.notEqual(pool.acquire(programTarget('a', 'bob')).channel, first.channel);
  pool.acquire(operator()).release();
  assert.equal(made.length, 2);
});

test('the child of a program that has its caller’s name in it is nobody else’s, and ends when it has listed', () => {
  const { pool, made } = recordingPool();
  const personal = { isOfCaller: true };
  const listing = pool.acquire(operator(personal));
  const first = pool.acquire(programTarget('a', 'ann', personal));
  assert.notEqual(first.channel, listing.channel);
  listing.release();
  assert.deepEqual(
    made.map(({ closed }) => closed),
    [true, false],
  );
});

test('a server that is another one now: what is idle ends at once, what is in use when it is given back', () => {
  const { pool, made } = recordingPool();
  pool.acquire(programTarget('a', 'ann')).release();
  const busy = pool.acquire(programTarget('a', 'bob'));
  pool.retire('s');
  assert.deepEqual(
    made.map(({ closed }) => closed),
    [true, false],
  );
  assert.notEqual(pool.acquire(programTarget('a', 'bob')).channel, busy.channel);
  busy.release();
  assert.equal(made[1]?.closed, true);
  assert.equal(pool.size(), 1);
});
