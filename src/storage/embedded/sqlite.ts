import { accessSync, chmodSync, constants, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import {
  type DatabaseIntrospector,
  type Dialect,
  type Driver,
  type Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import { Problem } from '../../base/problem.ts';
import { FileIdentity, type FileState } from './file-identity.ts';
import { ReportDriver, ReportThread } from './report-thread.ts';
import { SqliteConnections, SqliteFileDriver } from './sqlite-driver.ts';

export type { FileState } from './file-identity.ts';

/** For the checkpoint of a clean stop, which another process's reader may hold up. */
const checkpointWaitMs = 1_000;
/** 64 MB: until then it is left to a thread, since whoever's commit does it waits for the disk three times (10 to 40 ms). */
const checkpointPages = 16_384;

/** The store's file, open: one connection that writes and one that reads. */
export type SqliteFile = {
  readonly connections: SqliteConnections;
  readonly identity: FileIdentity;
  readonly reports: ReportThread;
  /** A consistent copy while the store is in use (https://www.sqlite.org/backup.html). */
  backup(target: string): Promise<void>;
  /** Afterwards the file alone is the whole store, unless another process has it open and reads. */
  close(): void;
};

/**
 * Opens the store's file with what durability needs: WAL so that readers never wait for a writer, and
 * synchronous=FULL so that a commit that returned has reached the disk (https://www.sqlite.org/pragma.html).
 */
export function openSqlite(
  file: string,
  onFileChange: (state: FileState) => void = () => undefined,
): SqliteFile {
  const writer = openWriter(file);
  const reader = new DatabaseSync(file, { readOnly: true });
  const identity = new FileIdentity(file, onFileChange);
  const verifyFile = () => identity.verify();
  const reports = new ReportThread(file, verifyFile);
  // Where the thread fails, `wal_autocheckpoint` of the writing connection stands in for it.
  const checkpoint = () => void reports.checkpoint().catch(() => undefined);
  return {
    connections: new SqliteConnections(writer, reader, { verifyFile, checkpoint }),
    identity,
    reports,
    async backup(target) {
      await backup(reader, target);
      chmodSync(target, 0o600);
    },
    close() {
      if (!writer.isOpen) return;
      reader.close();
      // A file that is not the store's any more is left as it is.
      if (identity.check() === 'whole')
        writer.exec(`PRAGMA busy_timeout = ${checkpointWaitMs}; PRAGMA wal_checkpoint(TRUNCATE)`);
      identity.stop();
      writer.close();
    },
  };
}

function openWriter(file: string): DatabaseSync {
  const folder = dirname(file);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.W_OK | constants.R_OK);
  } catch (cause) {
    throw new Problem(
      'setup',
      `The data folder ${folder} cannot be written to: choose another with MCPRANK_DATA_DIR or mend its permissions`,
      { cause },
    );
  }
  const db = new DatabaseSync(file, { timeout: 5_000 });
  db.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;
     PRAGMA wal_autocheckpoint = ${checkpointPages}`,
  );
  // From here on the driver waits between tries: SQLite's own waiting would stop everything this process does.
  db.exec('PRAGMA busy_timeout = 0');
  // The file holds digests and query texts: nobody but its owner has business in it.
  chmodSync(file, 0o600);
  return db;
}

/** Kysely over node:sqlite. */
export class NodeSqliteDialect implements Dialect {
  readonly #createDriver: () => Driver;

  private constructor(createDriver: () => Driver) {
    this.#createDriver = createDriver;
  }

  /** Everything; it closes the file. */
  static of(file: SqliteFile): NodeSqliteDialect {
    return new NodeSqliteDialect(() => new SqliteFileDriver(file.connections, true, file.close));
  }

  /** The same, but for transactions whose commit does not wait for the disk. */
  static behind(file: SqliteFile): NodeSqliteDialect {
    return new NodeSqliteDialect(() => new SqliteFileDriver(file.connections, false, () => undefined));
  }

  /** Questions over many rows, in a thread of their own. */
  static reports({ reports }: SqliteFile, asker: string): NodeSqliteDialect {
    return new NodeSqliteDialect(() => new ReportDriver(reports, asker));
  }

  createDriver(): Driver {
    return this.#createDriver();
  }

  createAdapter(): FileAdapter {
    return new FileAdapter();
  }

  createQueryCompiler(): SqliteQueryCompiler {
    return new SqliteQueryCompiler();
  }

  createIntrospector(db: Kysely<unknown>): DatabaseIntrospector {
    return new SqliteIntrospector(db);
  }
}

class FileAdapter extends SqliteAdapter {
  /** The driver itself sees to it that one writes at a time. */
  override get supportsMultipleConnections(): boolean {
    return true;
  }

  /** SQLite changes its schema inside a transaction, so processes that start together migrate one after the other, each wholly or not at all. */
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}
