/**
 * A write batch: replies that become ready in one tick of the event loop go out together at its end. Their readers are woken
 * once instead of each time, and to wake a process costs more than to write to it: a third more calls at 64 connections
 * (`npm run bench -- mcp`). Alone, a write that waits is only late.
 */
export type WriteBatch = {
  /** Writes at the end of this tick, in order. A write throws nothing. */
  flushAtEndOfTick(write: () => void): void;
};

export function createWriteBatch(): WriteBatch {
  let writes: (() => void)[] = [];
  const flush = () => {
    const all = writes;
    writes = [];
    for (const write of all) write();
  };
  return {
    flushAtEndOfTick(write) {
      if (writes.push(write) === 1) setImmediate(flush);
    },
  };
}

/** With more requests in flight than this it is worth waiting (measured: no difference up to here). */
export const batchAbove = 3;
