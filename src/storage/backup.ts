import { closeSync, copyFileSync, existsSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kysely } from 'kysely';
import { Problem } from '../base/problem.ts';
import { NodeSqliteDialect, openSqlite } from './embedded/sqlite.ts';
import { withProblems } from './faults.ts';
import { isOurs, migrate } from './schema/migrate.ts';
import { copyStore } from './transfer.ts';

/** Takes a name that nothing stands at, and leaves nothing there when the copy fails. */
export async function backupTo(file: string, copy: (file: string) => Promise<void>): Promise<void> {
  try {
    closeSync(openSync(file, 'wx', 0o600));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST')
      throw new Problem('conflict', `${file} exists already: choose another name`, { cause });
    throw new Problem('invalid_request', `${file} cannot be written (${code})`, { cause });
  }
  try {
    await copy(file);
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  }
}

/** The rows of a database server as a file of the embedded kind; `mcprank restore` reads it into either. */
export async function copyToFile(db: Kysely<unknown>, file: string): Promise<void> {
  const copy = new Kysely<unknown>({ dialect: NodeSqliteDialect.of(openSqlite(file)) });
  try {
    await migrate(copy);
    await copyStore({ db, dialect: 'postgres' }, copy);
  } finally {
    await copy.destroy();
  }
}

export async function restoreFrom(
  file: string,
  db: Kysely<unknown>,
): Promise<Readonly<Record<string, number>>> {
  if (!existsSync(file)) throw new Problem('invalid_request', `${file}: no such file`);
  // Opening brings a copy of an earlier release up to date: that is done to a copy of the copy.
  const folder = mkdtempSync(join(tmpdir(), 'mcprank-restore-'));
  try {
    const own = join(folder, 'store.db');
    copyFileSync(file, own);
    const source = openCopy(own, file);
    try {
      // SQLite opens an empty file, too, as a database without tables.
      if (!(await isOurs(source))) throw notACopy(file);
      await migrate(source);
      return await copyStore({ db: source, dialect: 'sqlite' }, db);
    } finally {
      await source.destroy();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function openCopy(file: string, name: string): Kysely<unknown> {
  try {
    return new Kysely<unknown>({ dialect: withProblems(NodeSqliteDialect.of(openSqlite(file))) });
  } catch (cause) {
    throw notACopy(name, cause);
  }
}

function notACopy(name: string, cause?: unknown): Problem {
  return new Problem('invalid_request', `${name}: not a copy that mcprank backup made`, { cause });
}
