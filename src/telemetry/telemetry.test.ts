import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Histogram, Registry } from 'prom-client';
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

test('a histogram reads as prom-client would have written it', async () => {
  const { histogram, metrics } = createTelemetry({ level: 'silent' });
  const ours = histogram('seconds', 'Time', ['route', 'status']);
  const registers = [new Registry()];
  const buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
  const [name, help] = ['mcprank_seconds', 'Time'];
  const theirs = new Histogram({ name, help, labelNames: ['route', 'status'], buckets, registers });
  for (const [i, seconds] of [0, 0.0005, 0.00051, 0.003, 0.25, 9.99, 10, 11, 400].entries()) {
    const labels = { route: i % 2 === 0 ? '/v1/x' : 'a "quoted"\\\n path', status: 200 + (i % 3) };
    ours.observe(labels, seconds);
    theirs.observe(labels, seconds);
  }
  const { text } = await metrics();
  const expected = (await registers[0]?.metrics()) ?? '';
  assert.deepEqual(linesAbout(text, name), linesAbout(expected, name));
  assert.equal(linesAbout(text, `${name}_bucket`).length, 6 * 15);
});

/** In any order: theirs depends on how labels hash. */
function linesAbout(text: string, name: string): string[] {
  return text
    .split('\n')
    .filter(
      (line) =>
        line.startsWith(name) || line.startsWith(`# HELP ${name}`) || line.startsWith(`# TYPE ${name}`),
    )
    .sort();
}
