import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, createReadStream, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { adminKey, temporaryFolder } from '../support/app.ts';
import { root } from '../support/paths.ts';
import { until } from '../support/programs.ts';

type Stderr = { readonly fd: number | 'pipe'; readonly stream: () => Readable | null };

/** A pipe as a shell makes it; `pipe` of Node's own is a socket. */
function namedPipe(t: TestContext): Stderr {
  const path = join(temporaryFolder(t), 'stderr');
  execFileSync('mkfifo', [path]);
  // Both ends: neither opening waits for the other.
  const fd = openSync(path, constants.O_RDWR);
  t.after(() => closeSync(fd));
  return { fd, stream: () => createReadStream(path) };
}

async function serve(t: TestContext, stderr: Stderr['fd']) {
  const child = spawn(process.execPath, [join(root, 'bin/mcprank.js'), 'serve'], {
    env: {
      PATH: process.env.PATH ?? '',
      MCPRANK_DATA_DIR: temporaryFolder(t),
      MCPRANK_SYNC: 'off',
      MCPRANK_STARTER: 'off',
      MCPRANK_PORT: '0',
      MCPRANK_ADMIN_KEY: adminKey,
      MCPRANK_LOG: 'debug',
    },
    stdio: ['ignore', 'pipe', stderr],
  });
  t.after(() => child.kill('SIGKILL'));
  let out = '';
  for await (const text of (child.stdout as Readable).setEncoding('utf8')) {
    out += text;
    const url = /listening on (http:\S+)/.exec(out)?.[1];
    if (url !== undefined) return { child, url };
  }
  throw new Error(`it did not listen: ${out}`);
}

const droppedOf = async (url: string) => {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^mcprank_log_lines_dropped (\d+)$/m.exec(text)?.[1]);
};

for (const kind of ['a pipe', 'a socket'])
  test(`${kind} of standard error that nobody reads stops nothing; its lines are counted, and told of when the reader is back`, async (t) => {
    const pipe = kind === 'a pipe' ? namedPipe(t) : undefined;
    const { child, url } = await serve(t, pipe?.fd ?? 'pipe');
    await until('lines are dropped', async () => {
      const replies = await Promise.all(
        Array.from({ length: 200 }, () => fetch(`${url}/v1/servers`, { headers: { 'x-api-key': adminKey } })),
      );
      // A slow machine turns some of so many away at once.
      for (const { status } of replies) assert.ok(status === 200 || status === 503, String(status));
      assert.ok(replies.some(({ status }) => status === 200));
      return (await droppedOf(url)) > 0;
    });
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
    let text = '';
    const reader = pipe?.stream() ?? child.stderr;
    reader?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    t.after(() => reader?.destroy());
    await until('told', () => text.includes('"telemetry.log.dropped"'));
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { msg: string; lines?: number });
    const told = lines.find(({ msg }) => msg === 'telemetry.log.dropped');
    assert.ok((told?.lines ?? 0) > 0);
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    await gone;
    await until('the last words', () => text.includes('"service.stopped"'));
  });

test('a stop does not wait for a reader that never comes', async (t) => {
  const { child, url } = await serve(t, 'pipe');
  await until('lines are dropped', async () => {
    await Promise.all(Array.from({ length: 200 }, () => fetch(`${url}/healthz`)));
    return (await droppedOf(url)) > 0;
  });
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  assert.deepEqual(await gone, [0, null]);
});
