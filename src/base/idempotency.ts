import { sha256Hex } from './id.ts';
import { Problem } from './problem.ts';

const keptMs = 3_600_000;
const maxKept = 5_000;
const maxKeptBytes = 64_000_000;

type Kept<T> = {
  readonly digest: string;
  readonly answer: Promise<T>;
  readonly at: number;
  sizeBytes: number;
};

/**
 * The same key, principal and body get the same answer, without a second execution; the same key with another body is a
 * `conflict`. Kept in memory for an hour, the oldest going first when there are too many: a promise about retries, not
 * about history.
 */
export function createIdempotency<T>(deps: {
  readonly now: () => number;
  /** Failures that surely ran nothing are forgotten, so that a retry may succeed. */
  readonly mayRetry: (error: unknown) => boolean;
  /** Answers that mean that nothing was done are forgotten likewise. */
  readonly isOutcome?: (answer: T) => boolean;
  readonly sizeOf?: (answer: T) => number;
}) {
  const kept = new Map<string, Kept<T>>();
  let totalBytes = 0;

  const forget = (id: string) => {
    totalBytes -= kept.get(id)?.sizeBytes ?? 0;
    kept.delete(id);
  };
  const prune = () => {
    for (const [id, { at }] of kept) {
      const fits = kept.size <= maxKept && totalBytes <= maxKeptBytes;
      if (fits && at + keptMs > deps.now()) return;
      forget(id);
    }
  };

  return (principal: string, key: string, body: unknown, run: () => Promise<T>): Promise<T> => {
    const id = JSON.stringify([principal, key]);
    const digest = sha256Hex(JSON.stringify(body));
    prune();
    const first = kept.get(id);
    if (first !== undefined) {
      if (first.digest === digest) return first.answer;
      throw new Problem('conflict', 'idempotency-key: was used before with a different body');
    }
    const entry: Kept<T> = { digest, answer: run(), at: deps.now(), sizeBytes: 0 };
    kept.set(id, entry);
    entry.answer.then(
      (answer) => {
        if (kept.get(id) !== entry) return;
        if (deps.isOutcome?.(answer) === false) return forget(id);
        entry.sizeBytes = (deps.sizeOf ?? jsonSize)(answer);
        totalBytes += entry.sizeBytes;
      },
      (error: unknown) => {
        if (kept.get(id) === entry && deps.mayRetry(error)) forget(id);
      },
    );
    return entry.answer;
  };
}

function jsonSize(value: unknown): number {
  try {
    return JSON.stringify(value).length;
  } catch {
    // Nested too deeply to be written: too large to be kept for long.
    return maxKeptBytes;
  }
}

/** The `Idempotency-Key` header, or null when there is none. */
export function idempotencyKey(value: unknown): string | null {
  if (value === undefined) return null;
  if (typeof value === 'string' && /^[\x21-\x7e]{1,200}$/.test(value)) return value;
  throw new Problem('invalid_request', 'idempotency-key: expected 1 to 200 visible characters');
}
