import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../support/paths.ts';

/**
 * The protocol's own referee, on what it requires of clients of each revision. What it runs without scoring and cannot
 * apply: client-credentials-*, enterprise-managed-authorization and wif-jwt-bearer are grants without a user, and every
 * credential here is either the operator's fixed header or a user's own consent.
 */
const notOurs = [
  'auth/client-credentials-jwt',
  'auth/client-credentials-basic',
  'auth/enterprise-managed-authorization',
  'auth/wif-jwt-bearer',
];
const runner = join(root, 'node_modules/@modelcontextprotocol/conformance/dist/index.js');
const client = 'test/full/conformance/client.ts';

async function referee(revision: string): Promise<{ code: number; text: string }> {
  const child = spawn(
    process.execPath,
    [
      runner,
      'client',
      '--command',
      `${process.execPath} ${client}`,
      '--requirements',
      revision,
      '--timeout',
      '150000',
    ],
    { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      text += chunk;
    });
  const code = await new Promise<number>((resolve) => child.on('exit', (status) => resolve(status ?? 1)));
  return { code, text: text.slice(text.indexOf('=== SUITE SUMMARY ===')) };
}

for (const revision of ['2025-11-25', '2026-07-28']) {
  test(`conformance: all that the referee scores for ${revision} passes, and DPoP with and without nonces`, async () => {
    const { code, text } = await referee(revision);
    assert.equal(code, 0, text);
    for (const scenario of ['auth/dpop', 'auth/dpop-nonce']) assert.ok(text.includes(`✓ ${scenario}:`), text);
    const failed = [...text.matchAll(/^✗ (\S+):/gm)].map((match) => match[1] ?? '');
    assert.deepEqual(
      failed.filter((name) => !notOurs.includes(name)),
      [],
      text,
    );
  });
}
