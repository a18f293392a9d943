import type { Storage } from '../../storage/storage.ts';

type Row = { day: number; who: string; server_id: string; tool: string; calls: number; bytes: number };
type Tables = { tool_use: Row };
export type UseKey = Pick<Row, 'day' | 'who' | 'server_id' | 'tool'>;
export type UseLimits = { readonly calls: number; readonly bytes: number };

/** What each user took of each tool today. A crash of the process loses nothing of it, a power failure perhaps the last of it. */
export function createToolUseStore(storage: Storage) {
  const db = storage.tables<Tables>();
  return {
    /** Counts one call more, unless a limit is reached: then it answers false. One statement, so that no two processes take the last one. */
    async take(key: UseKey, { calls, bytes }: UseLimits): Promise<boolean> {
      let isTaken = false;
      await storage.writeBehind<Tables>(async (trx) => {
        const counted = await trx
          .insertInto('tool_use')
          .values({ ...key, calls: 1, bytes: 0 })
          .onConflict((clash) =>
            clash
              .columns(['day', 'who', 'server_id', 'tool'])
              .doUpdateSet((is) => ({ calls: is('tool_use.calls', '+', 1) }))
              .where('tool_use.calls', '<', calls)
              .where('tool_use.bytes', '<', bytes),
          )
          .executeTakeFirst();
        isTaken = (counted.numInsertedOrUpdatedRows ?? 0n) > 0n;
      });
      return isTaken;
    },
    addBytes: ({ day, who, server_id, tool }: UseKey, bytes: number): Promise<void> =>
      storage.writeBehind<Tables>(async (trx) => {
        await trx
          .updateTable('tool_use')
          .set((is) => ({ bytes: is('bytes', '+', bytes) }))
          .where('day', '=', day)
          .where('who', '=', who)
          .where('server_id', '=', server_id)
          .where('tool', '=', tool)
          .execute();
      }),
    async prune(before: number): Promise<void> {
      await db.deleteFrom('tool_use').where('day', '<', before).execute();
    },
  };
}
