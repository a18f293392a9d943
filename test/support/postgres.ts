import { execFile, spawn } from 'node:child_process';
import { chownSync, globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';

const runFile = promisify(execFile);

export type Postgres = {
  readonly url: string;
  readonly port: number;
  readonly folder: string;
  /** Stops and starts it where it is. */
  halt(): Promise<void>;
  resume(): Promise<void>;
  /** Stops it for good and starts a copy of its data elsewhere; answers with that port. */
  failOver(): Promise<number>;
  stop(): Promise<void>;
};

/**
 * A throw-away PostgreSQL on the loopback interface, or undefined where it is not installed. Nothing of it outlives
 * `stop`: trust, no fsync, a folder of its own.
 */
export async function startPostgres(): Promise<Postgres | undefined> {
  const bin = globSync('/usr/lib/postgresql/*/bin').sort().at(-1);
  if (bin === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-pg-'));
  const as = await unprivileged(folder);
  const data = join(folder, 'data');
  const port = await freePort();
  const command = (program: string, ...args: string[]) => {
    const [first = '', ...rest] = [...as, join(bin, program), ...args];
    return runFile(first, rest, { cwd: folder });
  };
  await command(
    'initdb',
    '-D',
    data,
    '-U',
    'postgres',
    '-A',
    'trust',
    '--no-sync',
    '-E',
    'UTF8',
    '--locale=C',
  );
  const start = async (where: string, at: number) => {
    const settings = `-p ${at} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${folder} -c fsync=off -c max_connections=100`;
    // pg_ctl's child keeps our pipes open: let it write to the log file only.
    const [first = '', ...rest] = [
      ...as,
      join(bin, 'pg_ctl'),
      '-D',
      where,
      '-w',
      '-l',
      join(folder, 'pg.log'),
      '-o',
      settings,
      'start',
    ];
    await new Promise<void>((resolve, reject) => {
      spawn(first, rest, { cwd: folder, stdio: 'ignore' }).on('close', (code) =>
        code === 0 ? resolve() : reject(new Error(`pg_ctl start: ${code}`)),
      );
    });
  };
  await start(data, port);
  const standby = join(folder, 'standby');
  const stopAt = (where: string, mode: string) => command('pg_ctl', '-D', where, '-w', '-m', mode, 'stop');
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    port,
    folder,
    halt: async () => void (await stopAt(data, 'fast')),
    resume: () => start(data, port),
    async failOver() {
      await stopAt(data, 'fast');
      await runFile('cp', ['-a', data, standby]);
      const other = await freePort();
      await start(standby, other);
      return other;
    },
    async stop() {
      for (const where of [data, standby]) await stopAt(where, 'immediate').catch(() => undefined);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** PostgreSQL refuses to run as root; its package brings a user for it. */
async function unprivileged(folder: string): Promise<string[]> {
  if (process.getuid?.() !== 0) return [];
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map(async (flag) => Number((await runFile('id', [flag, 'postgres'])).stdout)),
  );
  chownSync(folder, uid ?? 0, gid ?? 0);
  return ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
}
