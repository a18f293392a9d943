/**
 * Reads the log as it grows, each outcome once.
 *
 * Rows become visible a little out of the order of their times (several writers), and a search perhaps after the
 * outcome that names it. So the last seconds are counted at each reading, by time, which the rows of one commit share;
 * a time that has more rows than were taken, or one that waits for its search, is read again.
 */
import { byTime } from './ledger.ts';
import type { Outcome } from './model.ts';
import type { OutcomeStore, Place } from './outcome-store.ts';

/** Few enough to be dead before the collector would move them to where it seldom looks. */
const rowsPerPage = 250;
/** No row becomes visible later than this after one with a later time. */
const overlapMs = 5_000;
const forever = Number.MAX_SAFE_INTEGER;

/** One reading: pages of what is new, and perhaps some of it again. A page that its taker fails on comes again. */
export function createReader(store: OutcomeStore): () => AsyncIterable<readonly Outcome[]> {
  let place: Place = { at: 0, id: '' };
  /** How many rows of each of the last times were taken; NaN, which equals no count, where a search is missing. */
  const taken = new Map<number, number>();

  async function* take(from: Place, through: number): AsyncIterable<readonly Outcome[]> {
    for await (const page of pagesOf(store, from, through)) {
      yield page;
      for (const { at, awaitsQuery = false } of page)
        taken.set(at, awaitsQuery ? Number.NaN : (taken.get(at) ?? 0) + 1);
      const last = page.at(-1) ?? place;
      if (byTime(last, place) > 0) place = last;
      for (const at of taken.keys()) if (at < place.at - overlapMs) taken.delete(at);
    }
  }

  return async function* read() {
    for (const { at, rows } of await store.counts(place.at - overlapMs, place.at)) {
      if (rows === taken.get(at)) continue;
      taken.delete(at);
      yield* take({ at, id: '' }, at);
    }
    yield* take(place, forever);
  };
}

/** The log from a place through a time, oldest first. */
export async function* pagesOf(
  store: Pick<OutcomeStore, 'after'>,
  from: Place = { at: 0, id: '' },
  through = forever,
): AsyncIterable<readonly Outcome[]> {
  for (let next: Place | undefined = from; next !== undefined; ) {
    const page: readonly Outcome[] = await store.after(next, through, rowsPerPage);
    if (page.length > 0) yield page;
    next = page.length < rowsPerPage ? undefined : page.at(-1);
  }
}
