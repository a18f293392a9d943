import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { root } from '../support/paths.ts';

/** The protocol's own referee, on what it requires of clients of each revision, and what it runs beside that without scoring it. */
const extensions = [
  'auth/dpop',
  'auth/dpop-nonce',
  'auth/client-credentials-jwt',
  'auth/client-credentials-basic',
  'auth/enterprise-managed-authorization',
  'auth/wif-jwt-bearer',
];
const runner = join(root, 'node_modules/@modelcontextprotocol/conformance/dist/index.js');
const client = 'test/full/conformance/turn.ts';
/** For a scenario, its wait for a turn included. */
const scenarioTimeoutMs = 600_000;

/** Lets as many in at once as there are cores; who hangs up makes room. */
async function startTurnstile(t: TestContext): Promise<number> {
  const waiting: Socket[] = [];
  let inside = 0;
  const admit = () => {
    while (inside < availableParallelism() && waiting.length > 0) {
      inside++;
      waiting.shift()?.write('now');
    }
  };
  const turnstile = createServer((socket) => {
    waiting.push(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      const at = waiting.indexOf(socket);
      if (at < 0) inside--;
      else waiting.splice(at, 1);
      admit();
    });
    admit();
  }).listen(0, '127.0.0.1');
  await once(turnstile, 'listening');
  t.after(() => turnstile.close());
  return (turnstile.address() as AddressInfo).port;
}

async function referee(t: TestContext, revision: string): Promise<{ code: number; text: string }> {
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
      String(scenarioTimeoutMs),
    ],
    {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, CONFORMANCE_TURNS: String(await startTurnstile(t)) },
    },
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
  test(`conformance: all that the referee scores for ${revision} passes, and every extension of sign-in that it knows`, async (t) => {
    const { code, text } = await referee(t, revision);
    assert.equal(code, 0, text);
    for (const scenario of extensions) assert.ok(text.includes(`✓ ${scenario}:`), text);
    assert.deepEqual(text.match(/^✗ .*/gm) ?? [], [], text);
  });
}
