import assert from 'node:assert/strict';
import { test } from 'node:test';
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
