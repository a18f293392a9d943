import type { Kysely } from 'kysely';
import type { Clock } from '../../base/clock.ts';
import { newId } from '../../base/id.ts';
import { Problem } from '../../base/problem.ts';

export const workNames = ['registry sync', 'import', 'embedding', 'vault rotation'] as const;
export type WorkName = (typeof workNames)[number];
/** `total` is null where nobody knows. */
export type WorkDone = { readonly done: number; readonly total: number | null; readonly unit: string };
/** `broken_off`: whoever did it has not been heard of for a while. Times in milliseconds since 1970. */
export type Work = WorkDone & {
  readonly name: WorkName;
  readonly state: 'running' | 'done' | 'failed' | 'broken_off';
  /** Why it failed; null in every other state. */
  readonly reason: string | null;
  readonly startedAt: number;
  readonly toldAt: number;
};
type WorkRow = {
  name: WorkName;
  run: string;
  state: 'running' | 'done' | 'failed';
  done: number;
  total: number | null;
  unit: string;
  reason: string | null;
  started_at: number;
  told_at: number;
};
export type WorkTables = { long_work: WorkRow };

/** Somebody who looks wants no more. */
const tellEveryMs = 1_000;
/** A step of the slowest work (a page of the registry, a batch of a model) takes less. */
const brokenOffMs = 180_000;
const maxReason = 500;

export type LongWork = {
  /** Tells in the store how far `act` is, and how it ended; that it cannot be told stops no work. */
  track<T>(name: WorkName, act: (tell: (done: WorkDone) => void) => Promise<T>): Promise<T>;
  list(): Promise<Work[]>;
};

export function createLongWork(db: Kysely<WorkTables>, clock: Clock): LongWork {
  /** Nothing is done with what a run says that another one has followed. */
  const update = (name: WorkName, run: string, values: Partial<WorkRow>) =>
    db
      .updateTable('long_work')
      .set({ ...values, told_at: clock.now() })
      .where('name', '=', name)
      .where('run', '=', run)
      .execute();

  const begin = async (name: WorkName, run: string) => {
    const now = clock.now();
    const row = {
      run,
      state: 'running',
      done: 0,
      total: null,
      unit: '',
      reason: null,
      started_at: now,
      told_at: now,
    } as const;
    await db
      .insertInto('long_work')
      .values({ name, ...row })
      .onConflict((clash) => clash.column('name').doUpdateSet(row))
      .execute();
  };

  return {
    async track(name, act) {
      const run = newId('own');
      let said = begin(name, run).catch(() => undefined);
      let last: WorkDone | undefined;
      let toldAt = Number.NEGATIVE_INFINITY;
      const say = (values: Partial<WorkRow>) => {
        said = said
          .then(() => update(name, run, values))
          .then(
            () => undefined,
            () => undefined,
          );
      };
      try {
        const result = await act((done) => {
          last = done;
          if (clock.monotonic() - toldAt < tellEveryMs) return;
          toldAt = clock.monotonic();
          say(done);
        });
        say({ ...last, state: 'done' });
        return result;
      } catch (error) {
        say({ ...last, state: 'failed', reason: reasonOf(error) });
        throw error;
      } finally {
        await said;
      }
    },

    async list() {
      const rows = await db.selectFrom('long_work').selectAll().orderBy('started_at', 'desc').execute();
      return rows.map((row) => {
        const toldAt = Number(row.told_at);
        const isLost = row.state === 'running' && clock.now() - toldAt > brokenOffMs;
        return {
          name: row.name,
          state: isLost ? 'broken_off' : row.state,
          done: Number(row.done),
          total: row.total === null ? null : Number(row.total),
          unit: row.unit,
          reason: row.reason,
          startedAt: Number(row.started_at),
          toldAt,
        };
      });
    },
  };
}

/** A problem's text is public by definition; what nobody foresaw may quote a row or a secret, and is told to the log alone. */
function reasonOf(error: unknown): string {
  return error instanceof Problem
    ? error.detail.slice(0, maxReason)
    : 'An unforeseen fault; the log says more';
}
