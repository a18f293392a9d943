/**
 * Reads the log as it grows, each outcome once.
 *
 * Rows become visible a little out of the order of their times (several writers), and a search perhaps after the
 * outcome that names it. So the last seconds are counted at each reading, by time, which the rows of one commit share;
 * a time that has more rows than were taken, or one that waits for its search, is read again.
 */
import { byTime } from './feedback-store.ts';
import type { Outcome } from './learning-model.ts';
import type { LogPosition, OutcomeStore } from './outcome-store.ts';

/** Few enough to be dead before the collector would move them to where it seldom looks. */
const rowsPerPage = 250;
/** No row becomes visible later than this after one with a later time. */
const overlapMs = 5_000;
const start: LogPosition = { at: 0, id: '' };
const forever = Number.MAX_SAFE_INTEGER;

/** One reading: pages of what is new, and perhaps some of it again. A page that its taker fails on comes again. */
export function createOutcomeReader(store: OutcomeStore): () => AsyncIterable<readonly Outcome[]> {
  let position = start;
  /** How many rows of each of the last times were taken; NaN, which equals no count, where a search is missing. */
  const taken = new Map<number, number>();

  function markTaken(page: readonly Outcome[]): void {
    for (const { at, awaitsQuery = false } of page)
      taken.set(at, awaitsQuery ? Number.NaN : (taken.get(at) ?? 0) + 1);
    const last = page.at(-1) ?? position;
    if (byTime(last, position) > 0) position = last;
    for (const at of taken.keys()) if (at < position.at - overlapMs) taken.delete(at);
  }

  async function* take(from: LogPosition, through: number): AsyncIterable<readonly Outcome[]> {
    for await (const page of readPages(store, from, through)) {
      yield page;
      markTaken(page);
    }
  }

  return async function* read() {
    for (const { at, rows } of await store.counts(position.at - overlapMs, position.at)) {
      if (rows === taken.get(at)) continue;
      taken.delete(at);
      yield* take({ at, id: '' }, at);
    }
    yield* take(position, forever);
  };
}

/** The log from a position through a time, oldest first. */
export async function* readPages(
  store: Pick<OutcomeStore, 'after'>,
  from: LogPosition = start,
  through = forever,
): AsyncIterable<readonly Outcome[]> {
  for (let next: LogPosition | undefined = from; next !== undefined; ) {
    const page: readonly Outcome[] = await store.after(next, through, rowsPerPage);
    if (page.length > 0) yield page;
    next = page.length < rowsPerPage ? undefined : page.at(-1);
  }
}
