/**
 * Files that one process made and any other of the same store may use: what takes long to make and can be made again. They go in
 * parts, so that nobody holds a large one in memory, and under a generation of their own, so that nobody reads half of one.
 */
import { open, rename, rm } from 'node:fs/promises';
import type { Kysely } from 'kysely';
import { newId } from '../../base/id.ts';
import type { SharedNow } from './shared-now.ts';

export type SharedFiles = {
  /** Puts the file there for all; not where one of that version was put there less than an hour ago. */
  publish(name: string, version: string, path: string): Promise<void>;
  /** Writes what is there to `path`: whole, or not at all. False where there is nothing of that version. */
  retrieve(name: string, version: string, path: string): Promise<boolean>;
};

export type SharedFileTables = {
  shared_files: { name: string; version: string; generation: string; parts: number; at: number };
  shared_file_parts: { generation: string; part: number; name: string; bytes: Buffer };
};

/** A file of 28,000 servers has a hundred megabytes, and an older one is of use as long as most of it is true. */
const everyMs = 3_600_000;
const partBytes = 1_048_576;

export function createSharedFiles(db: Kysely<SharedFileTables>, sharedNow: SharedNow): SharedFiles {
  const current = (name: string, version: string) =>
    db.selectFrom('shared_files').selectAll().where('name', '=', name).where('version', '=', version);

  return {
    async publish(name, version, path) {
      const recent = await current(name, version).where('at', '>', sharedNow(-everyMs)).executeTakeFirst();
      if (recent !== undefined) return;
      const generation = newId('own');
      const parts = await eachPart(path, async (part, bytes) => {
        await db.insertInto('shared_file_parts').values({ generation, part, name, bytes }).execute();
      });
      const head = { version, generation, parts, at: sharedNow() };
      await db
        .transaction()
        .execute((trx) => show(trx, name, head))
        .catch(async (error: unknown) => {
          await db.deleteFrom('shared_file_parts').where('generation', '=', generation).execute();
          if (!(error instanceof Overtaken)) throw error;
        });
    },
    async retrieve(name, version, path) {
      const head = await current(name, version).executeTakeFirst();
      if (head === undefined) return false;
      const temporary = `${path}.${process.pid}.tmp`;
      const file = await open(temporary, 'w', 0o600);
      try {
        for (let part = 0; part < Number(head.parts); part++) {
          const found = await db
            .selectFrom('shared_file_parts')
            .select('bytes')
            .where('generation', '=', head.generation)
            .where('part', '=', part)
            .executeTakeFirst();
          if (found === undefined) return false;
          await file.writeFile(found.bytes);
        }
        await file.close();
        await rename(temporary, path);
        return true;
      } finally {
        await file.close().catch(() => undefined);
        await rm(temporary, { force: true });
      }
    },
  };
}

/** Another process put its own there meanwhile, which is as good. */
class Overtaken extends Error {}

/** Of those who write at once the first is shown: it takes away what the others have written, and they find too few parts. */
async function show(
  trx: Kysely<SharedFileTables>,
  name: string,
  head: Omit<SharedFileTables['shared_files'], 'name' | 'at'> & { readonly at: ReturnType<SharedNow> },
): Promise<void> {
  const { generation, parts } = head;
  await trx
    .insertInto('shared_files')
    .values({ name, ...head })
    .onConflict((clash) => clash.column('name').doUpdateSet(head))
    .execute();
  const own = await trx
    .selectFrom('shared_file_parts')
    .select((e) => e.fn.countAll().as('count'))
    .where('generation', '=', generation)
    .executeTakeFirstOrThrow();
  if (Number(own.count) !== parts) throw new Overtaken();
  await trx
    .deleteFrom('shared_file_parts')
    .where('name', '=', name)
    .where('generation', '!=', generation)
    .execute();
}

/** Answers how many there were. */
async function eachPart(path: string, act: (part: number, bytes: Buffer) => Promise<void>): Promise<number> {
  const file = await open(path);
  try {
    for (let part = 0; ; part++) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(partBytes), 0, partBytes);
      if (bytesRead === 0) return part;
      await act(part, buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}
