import assert from 'node:assert/strict';
import { test } from 'node:test';
import { handClock } from '../../test/support/app.ts';
import { Problem } from '../base/problem.ts';
import { createTelemetry } from '../telemetry/telemetry.ts';
import { createFailureReport } from './failure-report.ts';

test('a job that fails every second for the same reason is told of once a minute; another reason, and a fault of ours, at once', () => {
  const lines: string[] = [];
  const clock = handClock();
  const report = createFailureReport(
    createTelemetry({ level: 'debug', write: (line) => void lines.push(line) }),
    clock,
  );
  const away = new Problem('unavailable', 'The database is unreachable');
  for (let second = 0; second < 120; second++) {
    report('webhooks', away);
    clock.advance(1_000);
  }
  assert.equal(lines.length, 2);
  report('identity', away);
  report('webhooks', new Problem('unavailable', 'The disk is full'));
  report('webhooks', new TypeError('x is undefined'));
  report('webhooks', new TypeError('x is undefined'));
  assert.deepEqual(
    lines.slice(2).map((line) => (JSON.parse(line) as { level: string }).level),
    ['warn', 'warn', 'error', 'error'],
  );
});
