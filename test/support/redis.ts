import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from '@redis/client';
import { freePort } from './free-port.ts';

const program = ['redis-server', 'valkey-server']
  .flatMap((name) => [`/usr/bin/${name}`, `/usr/local/bin/${name}`])
  .find((path) => existsSync(path));

export const noRedis = program === undefined ? 'needs redis-server or valkey-server' : false;

export type TestRedis = {
  readonly url: string;
  stop(): Promise<void>;
  start(): Promise<void>;
  pid(): number;
};

/** A throw-away Redis (or Valkey) on the loopback interface that keeps nothing on disk. */
export async function startRedis(
  t: { after(act: () => Promise<void>): void },
  settings: readonly string[] = [],
): Promise<TestRedis> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-redis-'));
  let child: ReturnType<typeof spawn> | undefined;
  const url = `redis://127.0.0.1:${port}`;
  const start = async () => {
    child = spawn(
      program ?? '',
      ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', ...settings],
      // A replica leaves a dump where it runs.
      { stdio: 'ignore', cwd: folder },
    );
    for (let tries = 0; tries < 100; tries++) {
      const client = createClient({ url, socket: { reconnectStrategy: false } });
      client.on('error', () => undefined);
      const answers = await client.connect().then(
        () => true,
        () => false,
      );
      if (answers) return client.destroy();
      await delay(50);
    }
    throw new Error('Redis does not start');
  };
  const stop = async () => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child?.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  };
  t.after(async () => {
    await stop();
    rmSync(folder, { recursive: true, force: true });
  });
  await start();
  return { url, start, stop, pid: () => child?.pid ?? 0 };
}
