/**
 * The same key, principal and body get the same outcome, without a second execution, for an hour: whichever process is
 * asked, and after a restart. The same key with another body is a `conflict`.
 *
 * A key under way is never dropped: who asks meanwhile waits for it, and when its process died the answer is that nobody
 * knows whether it ran (`conflict`), never a second execution. What a developer's keys take is bounded; when that is full,
 * new keys are `unavailable` and the known ones go on being answered.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { sha256Hex } from '../../base/id.ts';
import { Problem } from '../../base/problem.ts';
import { type IdempotencyDeps, IdempotencyStore, type KeyedCall, type Outcome } from './idempotency-store.ts';

/** How outcomes of one kind of call rest in the store. */
export type OutcomeCodec<T> = {
  /** Keys of two kinds are never the same key. */
  readonly name: string;
  encode(answer: T): string;
  decode(text: string): T;
  /** null: it surely ran nothing, so that the key is free again. */
  encodeError(error: unknown): string | null;
  decodeError(text: string): unknown;
  /** Answers that mean that nothing was done free the key likewise. */
  isOutcome?(answer: T): boolean;
};

export type RunOnce<T> = (call: KeyedCall, run: () => Promise<T>) => Promise<T>;

export type Idempotency = {
  of<T>(codec: OutcomeCodec<T>): RunOnce<T>;
  /** Forgets what is over; a job calls it. */
  prune(): Promise<void>;
  forgetUser(owner: { readonly developerId: string; readonly userId: string }): Promise<void>;
  close(): void;
};

const polls = { firstMs: 50, maxMs: 500 };

export function createIdempotency(deps: IdempotencyDeps): Idempotency {
  const keys = new IdempotencyStore(deps);
  return {
    of(codec) {
      const flights = new Map<string, { readonly digest: string; readonly answer: Promise<never> }>();
      return (call, run) => {
        const { developerId, userId, key, body } = call;
        const id = sha256Hex(JSON.stringify([codec.name, developerId, userId ?? null, key]));
        const digest = sha256Hex(JSON.stringify(body));
        // Calls of this process that come together wait for one answer; a flight of another body is told apart by its row.
        const flight = flights.get(id);
        if (flight?.digest === digest) return flight.answer;
        const answer = runKeyed(keys, codec, { id, digest, call, run }) as Promise<never>;
        if (flight !== undefined) return answer;
        flights.set(id, { digest, answer });
        const over = () => void flights.delete(id);
        answer.then(over, over);
        return answer;
      };
    },
    prune: () => keys.prune(),
    forgetUser: (owner) => keys.forgetUser(owner),
    close: () => keys.close(),
  };
}

type Keyed<T> = {
  readonly id: string;
  readonly digest: string;
  readonly call: KeyedCall;
  readonly run: () => Promise<T>;
};

async function runKeyed<T>(
  keys: IdempotencyStore,
  codec: OutcomeCodec<T>,
  { id, digest, call, run }: Keyed<T>,
): Promise<T> {
  for (let waitMs = polls.firstMs; ; waitMs = Math.min(waitMs * 2, polls.maxMs)) {
    const row = await keys.find(id);
    if (row === undefined) {
      if (!(await keys.take(id, digest, call))) continue;
      return execute(keys, codec, id, run);
    }
    if (row.digest !== digest)
      throw new Problem('conflict', 'idempotency-key: was used before with a different body');
    if (row.outcome !== null) return settle(codec, row.outcome);
    if (row.isLapsed)
      throw new Problem(
        'conflict',
        'idempotency-key: the call under it was cut off, and nobody knows whether it ran: look before you use a new key',
      );
    await delay(waitMs);
  }
}

async function execute<T>(
  keys: IdempotencyStore,
  codec: OutcomeCodec<T>,
  id: string,
  run: () => Promise<T>,
): Promise<T> {
  let answer: T;
  try {
    answer = await run();
  } catch (error) {
    const text = codec.encodeError(error);
    await (text === null ? keys.free(id) : keys.finish(id, { error: text }));
    throw error;
  }
  await (codec.isOutcome?.(answer) === false
    ? keys.free(id)
    : keys.finish(id, { answer: codec.encode(answer) }));
  return answer;
}

function settle<T>(codec: OutcomeCodec<T>, outcome: Outcome): T {
  if ('error' in outcome) throw codec.decodeError(outcome.error);
  return codec.decode(outcome.answer);
}
