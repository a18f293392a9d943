import { execFile, spawn } from 'node:child_process';
import { chownSync, globSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const runFile = promisify(execFile);

export type Postgres = { readonly url: string; readonly folder: string; stop(): Promise<void> };

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
  const settings = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${folder} -c fsync=off -c max_connections=100`;
  // pg_ctl's child keeps our pipes open: let it write to the log file only.
  const [first = '', ...rest] = [
    ...as,
    join(bin, 'pg_ctl'),
    '-D',
    data,
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
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    folder,
    async stop() {
      await command('pg_ctl', '-D', data, '-m', 'immediate', 'stop');
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

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
