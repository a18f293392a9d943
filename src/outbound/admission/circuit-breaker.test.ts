import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OutboundFailure } from '../outbound-model.ts';
import { type BreakerLimits, createCircuitBreaker } from './circuit-breaker.ts';

function breakerWith(limits: BreakerLimits) {
  let now = 0;
  const clock = { now: () => now, monotonic: () => now };
  return {
    breaker: createCircuitBreaker(clock, limits),
    advance: (ms: number) => {
      now += ms;
    },
  };
}

const refused = (pattern: RegExp) => (error: unknown) =>
  error instanceof OutboundFailure && error.reason === 'refused' && pattern.test(error.detail);

test('the breaker opens after failures in a row, lets one call through on trial, and closes when it answers', () => {
  const { breaker, advance } = breakerWith({ failures: 3, openMs: 1_000, openMaxMs: 3_000 });
  const call = (outcome: 'ok' | 'failed' | 'neutral') => {
    breaker.check('h');
    breaker.report('h', outcome);
  };
  const open = () => assert.throws(() => breaker.check('h'), refused(/h cannot be reached/));
  call('failed');
  call('failed');
  call('ok');
  call('failed');
  call('failed');
  call('neutral');
  call('failed');
  open();
  breaker.check('another');

  advance(1_000);
  breaker.check('h');
  open();
  breaker.report('h', 'failed');
  advance(1_999);
  open();
  advance(1);
  call('failed');
  advance(2_999);
  open();
  advance(1);
  call('ok');
  call('failed');
  breaker.check('h');
});

test('a trial that says nothing about the upstream is followed by another', () => {
  const { breaker, advance } = breakerWith({ failures: 1, openMs: 1_000, openMaxMs: 3_000 });
  breaker.report('h', 'failed');
  advance(1_000);
  breaker.check('h');
  breaker.report('h', 'neutral');
  breaker.check('h');
});
