const waiting: (() => void)[] = [];
let isDue = false;
/** Work that took less is no longer than reading a few pieces. */
const longMs = 1;
/** The thread is everybody's for so many times as long as a large reply had it. */
const restFactor = 2;
let restUntil = 0;

/**
 * Large replies are read in turns: of all of them one piece in each turn of the event loop, first come, first served. Else
 * every turn would be as long as it takes to read whatever has come on any of their sockets, 2 MB of each, and everybody
 * else waits for so long. When nobody else has anything to do, a turn is over at once.
 */
export function waitForTurn(proceed: () => void): void {
  waiting.push(proceed);
  schedule();
}

/** What is done with a large reply, at once: when it took long, the next pieces come after a rest (load shedding by pacing). */
export function workInTurn<T>(work: () => T): T {
  const began = performance.now();
  try {
    return work();
  } finally {
    const ended = performance.now();
    if (ended - began >= longMs) restUntil = ended + restFactor * (ended - began);
  }
}

function schedule(): void {
  if (isDue || waiting.length === 0) return;
  isDue = true;
  const restMs = restUntil - performance.now();
  if (restMs > 0) setTimeout(next, restMs);
  else setImmediate(next);
}

function next(): void {
  isDue = false;
  const proceed = waiting.shift();
  schedule();
  // It may be back in the queue by the end of this.
  proceed?.();
}
