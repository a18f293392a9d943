import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { adminKey, temporaryFolder } from '../support/app.ts';
import { root } from '../support/paths.ts';
import { odd, until } from '../support/programs.ts';

/** Programs of the operator's file under the running service: what a signal does to them, and to it. */

async function serve(t: TestContext, folder: string, mcpServers: object) {
  const file = join(folder, 'mcp.json');
  writeFileSync(file, JSON.stringify({ mcpServers }));
  const child = spawn(process.execPath, [join(root, 'bin/mcprank.js'), 'serve', '--mcp-config', file], {
    env: {
      PATH: process.env.PATH ?? '',
      MCPRANK_DATA_DIR: folder,
      MCPRANK_SYNC: 'off',
      MCPRANK_STARTER: 'off',
      MCPRANK_PORT: '0',
      MCPRANK_ADMIN_KEY: adminKey,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  const log: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (text: string) => log.push(text));
  let out = '';
  for await (const text of child.stdout.setEncoding('utf8')) {
    out += text;
    const url = /listening on (http:\S+)/.exec(out)?.[1];
    if (url !== undefined) return { child, url, file, log };
  }
  throw new Error(`it did not listen: ${out} ${log.join('')}`);
}

/** A call on a connection of its own. */
function call(url: string, id: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const asked = request(`${url}/v1/mcp/tools/call`, {
    method: 'POST',
    agent: false,
    headers: { 'x-api-key': adminKey, 'content-type': 'application/json' },
  });
  asked.on('response', (reply) => {
    let text = `${reply.statusCode} `;
    reply.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    reply.on('end', () => resolve(text));
  });
  asked.on('error', (error) => resolve(String(error)));
  asked.end(JSON.stringify({ server_id: id, name: 'pid', arguments: {} }));
  return promise;
}

const pidIn = (path: string) => (existsSync(path) ? Number(readFileSync(path, 'utf8')) : 0);
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** How long the service takes to end, in milliseconds. */
async function stop(child: ChildProcess): Promise<number> {
  const began = performance.now();
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
  return performance.now() - began;
}

test('SIGTERM ends the service while a program has not answered its first message, and the program with it', async (t) => {
  const folder = temporaryFolder(t);
  const note = join(folder, 'pid');
  const { child, url } = await serve(t, folder, { it: odd('never,stubborn,noted', note) });
  await until('the program runs', () => pidIn(note) > 0);
  const waiting = call(url, 'it');
  await delay(500);
  const tookMs = await stop(child);
  assert.ok(tookMs < 10_000, `it took ${tookMs} ms`);
  assert.match(await waiting, /^502 .*The program was stopped/);
  await until('its child is gone', () => !isAlive(pidIn(note)));
});

test('children that ignore their end of input live on after kill -9, and are ended at the next start', {
  skip: process.platform === 'linux' ? false : 'a process is told from a later one of its number by /proc',
}, async (t) => {
  const folder = temporaryFolder(t);
  const [note, parentNote] = [join(folder, 'pid'), join(folder, 'grandchild')];
  // A launcher that goes, as npx does, and leaves the program in its group.
  const launcher = {
    command: '/bin/sh',
    args: [
      '-c',
      `"$0" "$@" <&0 & exec sleep 1000`,
      ...Object.values(odd('session,stubborn,noted', parentNote)).flat(),
    ],
  };
  const servers = { it: odd('session,stubborn,noted', note), launched: launcher };
  const first = await serve(t, folder, servers);
  await until('both run', () => pidIn(note) > 0 && pidIn(parentNote) > 0);
  await call(first.url, 'it');
  first.child.kill('SIGKILL');
  await once(first.child, 'exit');
  const left = [pidIn(note), pidIn(parentNote)];
  await delay(500);
  assert.deepEqual(left.map(isAlive), [true, true], 'they ignore what happened');
  const second = await serve(t, folder, {});
  await until('they are ended', () => !left.some(isAlive));
  assert.match(second.log.join(''), /mcp\.programs\.orphans_ended/);
  assert.ok((await stop(second.child)) < 10_000);
  assert.ok(!existsSync(join(folder, `children-${first.child.pid}.json`)));
});

test('SIGHUP reads the file anew and ends nothing', async (t) => {
  const folder = temporaryFolder(t);
  const { child, url, file, log } = await serve(t, folder, { one: odd('session') });
  await until('it answers', async () => (await call(url, 'one')).startsWith('200'));
  writeFileSync(file, JSON.stringify({ mcpServers: { two: odd('session') } }));
  child.kill('SIGHUP');
  await until('the new one answers', async () => (await call(url, 'two')).startsWith('200'));
  await until('the old one is gone', async () => (await call(url, 'one')).startsWith('410'));
  assert.match(log.join(''), /mcp\.configuration\.reloaded/);
  child.kill('SIGHUP');
  await delay(200);
  assert.equal(child.exitCode, null);
  assert.ok((await stop(child)) < 10_000);
});
