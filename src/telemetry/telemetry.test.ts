import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '../base/problem.ts';
import { createTelemetry } from './telemetry.ts';

test('M2 M3 no secret reaches a line, whatever field or text or library error it stands in', () => {
  const lines: string[] = [];
  const { log } = createTelemetry({ level: 'debug', write: (line) => void lines.push(line) });
  const key = `sk_mcp_rank_${'ab'.repeat(16)}`;
  const jwt = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl';
  log.error('failed', {
    token: 'plain-token',
    nested: { password: 'plain-password' },
    path: `/x?${key}`,
    error: Object.assign(
      new Error(`bad key ${key}`, {
        cause: new Error(`postgres://u:hunter2@db/x Bearer abcdefgh12345678 ${jwt}`),
      }),
      { config: { headers: { a: 'unlisted-field' } } },
    ),
  });
  const text = lines.join('');
  for (const secret of [
    key,
    jwt,
    'plain-token',
    'plain-password',
    'hunter2',
    'abcdefgh12345678',
    'unlisted-field',
  ])
    assert.ok(!text.includes(secret), secret);
  assert.equal((JSON.parse(lines[0] ?? '') as { msg: string }).msg, 'failed');
});

test('lines below the level are not written', () => {
  const lines: string[] = [];
  const { log } = createTelemetry({ level: 'warn', write: (line) => void lines.push(line) });
  log.info('quiet');
  log.warn('loud');
  assert.equal(lines.length, 1);
});

test('what the outside does is a line of words; where a fault of ours came from is told', () => {
  const lines: string[] = [];
  const { log } = createTelemetry({ level: 'debug', write: (line) => void lines.push(line) });
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  log.warn('upstream', { error: refused });
  log.error('store', { error: new Problem('unavailable', 'The database is away', { cause: refused }) });
  for (const line of lines) assert.doesNotMatch(line, /stack|telemetry\.test\.ts/);
  assert.match(lines[1] ?? '', /The database is away.*ECONNREFUSED/);
  lines.length = 0;
  log.error('ours', { error: new Error('broken') });
  log.error('ours', { error: new Problem('internal', 'Internal error', { cause: new Error('broken') }) });
  log.warn('ours', { error: new TypeError('x is not a function') });
  for (const line of lines) assert.match(line, /"stack":".*telemetry\.test\.ts/);
});
