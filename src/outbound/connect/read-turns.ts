const waiting: (() => void)[] = [];
let isDue = false;

/**
 * Large replies are read in turns: of all of them one piece in each turn of the event loop, first come, first served. Else
 * every turn would be as long as it takes to read whatever has come on any of their sockets, 2 MB of each, and everybody
 * else waits for so long. When nobody else has anything to do, a turn is over at once.
 */
export function waitForTurn(proceed: () => void): void {
  waiting.push(proceed);
  if (isDue) return;
  isDue = true;
  setImmediate(next);
}

function next(): void {
  isDue = false;
  const proceed = waiting.shift();
  if (waiting.length > 0) {
    isDue = true;
    setImmediate(next);
  }
  // It may be back in the queue by the end of this.
  proceed?.();
}
