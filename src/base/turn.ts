/** What is still to be done in this turn of the event loop. */
export type Turn = {
  /** Does it after everything that came in this turn was taken in. Acts come in their order, and throw nothing. */
  atEnd(act: () => void): void;
};

/**
 * Writes that wait for the end of the turn go out one right after the other, and wake whoever reads them once instead of
 * each time; to wake a process costs more than to write to it. Good where many are under way: alone, a write that waits
 * is only late.
 */
export function createTurn(): Turn {
  let acts: (() => void)[] = [];
  const end = () => {
    const all = acts;
    acts = [];
    for (const act of all) act();
  };
  return {
    atEnd(act) {
      if (acts.push(act) === 1) setImmediate(end);
    },
  };
}

/** With more under way than this it is worth waiting (measured: no difference up to here, a third more calls with 64). */
export const fewUnderWay = 3;
