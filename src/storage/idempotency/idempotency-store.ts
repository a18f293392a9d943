import type { Kysely, Transaction } from 'kysely';
import type { Clock } from '../../base/clock.ts';
import { newId } from '../../base/id.ts';
import { Problem } from '../../base/problem.ts';
import type { SharedNow } from '../coordination/shared-now.ts';

type Row = {
  id: string;
  developer_id: string;
  user_id: string | null;
  digest: string;
  /** Who runs it; null: it is over. */
  holder: string | null;
  lease_until: number;
  outcome_sealed: string | null;
  size_bytes: number;
  expires_at: number;
};
type Tables = { idempotency: Row };

export type KeyedCall = {
  readonly developerId: string;
  readonly userId?: string | undefined;
  readonly key: string;
  /** What must be the same for a call to be the same call. */
  readonly body: unknown;
};

export type Outcome = { readonly answer: string } | { readonly error: string };

export type IdempotencyLimits = {
  /** Of one developer. */
  readonly keys: number;
  readonly bytes: number;
  readonly leaseMs: number;
};

const defaultLimits: IdempotencyLimits = { keys: 100_000, bytes: 256_000_000, leaseMs: 15_000 };
const promisedMs = 3_600_000;
/** Once more that time: a clock that is put forward by an hour must not make a key forgotten whose call is being repeated. */
const keptMs = 2 * promisedMs;
/** What a developer's keys take is read again after so long; a process may go beyond the bound by what it adds meanwhile. */
const usageAgeMs = 1_000;
const prunedAtOnce = 1_000;
const renewedAtOnce = 1_000;

export type IdempotencyDeps = {
  readonly storage: {
    tables<T>(): Kysely<T>;
    write<T, R>(act: (trx: Transaction<T>) => Promise<R>): Promise<R>;
    readonly sharedNow: SharedNow;
  };
  /** What was answered is a user's own: it rests sealed. */
  readonly seal: (text: string, binding: string, lifeMs: number) => string;
  readonly open: (sealed: string, binding: string) => string | null;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
  readonly limits?: Partial<IdempotencyLimits>;
};

/** The table, and what this process runs of it. */
export class IdempotencyStore {
  readonly #deps: IdempotencyDeps;
  readonly #limits: IdempotencyLimits;
  readonly #db: Kysely<Tables>;
  readonly #holder = newId('own');
  readonly #running = new Set<string>();
  readonly #heartbeat: NodeJS.Timeout;
  readonly #usage = new Map<string, { readonly readAt: number; keys: number; bytes: number }>();

  constructor(deps: IdempotencyDeps) {
    this.#deps = deps;
    this.#limits = { ...defaultLimits, ...deps.limits };
    this.#db = deps.storage.tables<Tables>();
    this.#heartbeat = setInterval(() => this.#renew(), this.#limits.leaseMs / 3).unref();
  }

  async find(id: string) {
    const { storage, clock } = this.#deps;
    const row = await this.#db
      .selectFrom('idempotency')
      .select(['digest', 'holder', 'outcome_sealed'])
      .select((is) => is('lease_until', '<=', storage.sharedNow()).as('is_lapsed'))
      .where('id', '=', id)
      .where('expires_at', '>', clock.now())
      .executeTakeFirst();
    if (row === undefined) return undefined;
    const { digest, holder, outcome_sealed, is_lapsed } = row;
    const outcome = outcome_sealed === null ? null : this.#open(id, outcome_sealed);
    return { digest, outcome, isLapsed: holder === null || Boolean(is_lapsed) };
  }

  /** False: somebody else was first. Throws `unavailable` when the developer's part of the table is full. */
  async take(id: string, digest: string, { developerId, userId }: KeyedCall): Promise<boolean> {
    const { storage, clock } = this.#deps;
    const usage = await this.#usageOf(developerId);
    const { keys, bytes, leaseMs } = this.#limits;
    if (usage.keys >= keys || usage.bytes >= bytes)
      throw new Problem(
        'unavailable',
        'idempotency-key: too many are kept already; known ones are still answered',
        {
          retryAfterMs: 60_000,
        },
      );
    const now = clock.now();
    const taken = await storage.write<Tables, boolean>(async (trx) => {
      await trx.deleteFrom('idempotency').where('id', '=', id).where('expires_at', '<=', now).execute();
      const added = await trx
        .insertInto('idempotency')
        .values({
          id,
          developer_id: developerId,
          user_id: userId ?? null,
          digest,
          holder: this.#holder,
          lease_until: storage.sharedNow(leaseMs),
          outcome_sealed: null,
          size_bytes: 0,
          expires_at: now + keptMs,
        })
        .onConflict((c) => c.column('id').doNothing())
        .executeTakeFirst();
      return (added.numInsertedOrUpdatedRows ?? 0n) > 0n;
    });
    if (taken) {
      usage.keys++;
      this.#running.add(id);
    }
    return taken;
  }

  /** Before its caller is answered. When the store is away the caller is answered all the same, and the key says later that nobody knows. */
  async finish(id: string, outcome: Outcome): Promise<void> {
    const { seal, clock, onError } = this.#deps;
    try {
      const outcome_sealed = seal(JSON.stringify(outcome), binding(id), 2 * keptMs);
      await this.#db
        .updateTable('idempotency')
        .set({
          outcome_sealed,
          holder: null,
          size_bytes: outcome_sealed.length,
          expires_at: clock.now() + keptMs,
        })
        .where('id', '=', id)
        .execute();
    } catch (error) {
      onError(error);
    } finally {
      this.#running.delete(id);
    }
  }

  async free(id: string): Promise<void> {
    this.#running.delete(id);
    await this.#db
      .deleteFrom('idempotency')
      .where('id', '=', id)
      .execute()
      .catch((error: unknown) => this.#deps.onError(error));
  }

  async prune(): Promise<void> {
    for (;;) {
      const rows = await this.#db
        .selectFrom('idempotency')
        .select('id')
        .where('expires_at', '<=', this.#deps.clock.now())
        .limit(prunedAtOnce)
        .execute();
      const over = rows.map(({ id }) => id).filter((id) => !this.#running.has(id));
      if (over.length > 0) await this.#db.deleteFrom('idempotency').where('id', 'in', over).execute();
      if (rows.length < prunedAtOnce || over.length === 0) return;
    }
  }

  async forgetUser({
    developerId,
    userId,
  }: {
    readonly developerId: string;
    readonly userId: string;
  }): Promise<void> {
    await this.#db
      .deleteFrom('idempotency')
      .where('developer_id', '=', developerId)
      .where('user_id', '=', userId)
      .where('holder', 'is', null)
      .execute();
  }

  close(): void {
    clearInterval(this.#heartbeat);
  }

  async #usageOf(developerId: string) {
    const now = this.#deps.clock.monotonic();
    const known = this.#usage.get(developerId);
    if (known !== undefined && now - known.readAt < usageAgeMs) return known;
    const { keys, bytes } = await this.#db
      .selectFrom('idempotency')
      .select((is) => [is.fn.countAll().as('keys'), is.fn.sum('size_bytes').as('bytes')])
      .where('developer_id', '=', developerId)
      .executeTakeFirstOrThrow();
    const usage = { readAt: now, keys: Number(keys), bytes: Number(bytes ?? 0) };
    // Small, and read again when it is gone.
    if (this.#usage.size >= 10_000) this.#usage.clear();
    this.#usage.set(developerId, usage);
    return usage;
  }

  #open(id: string, sealed: string): Outcome {
    const text = this.#deps.open(sealed, binding(id));
    // Its vault key is gone: the outcome is not known any more, which is what its caller is told.
    if (text === null)
      throw new Problem('conflict', 'idempotency-key: what was answered cannot be read any more');
    return JSON.parse(text) as Outcome;
  }

  /**
   * Of what is under way here, so that nobody takes it for cut off; and of nothing else: a row whose outcome the store did
   * not take, or that it kept although it said no, must lapse, or who asks again waits for it for ever.
   */
  #renew(): void {
    const { storage, onError } = this.#deps;
    const ids = [...this.#running];
    for (let at = 0; at < ids.length; at += renewedAtOnce)
      this.#db
        .updateTable('idempotency')
        .set({ lease_until: storage.sharedNow(this.#limits.leaseMs) })
        .where('id', 'in', ids.slice(at, at + renewedAtOnce))
        .where('holder', '=', this.#holder)
        .execute()
        .catch(onError);
  }
}

function binding(id: string): string {
  return `idempotency ${id}`;
}
