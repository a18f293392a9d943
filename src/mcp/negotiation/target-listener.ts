import { Problem } from '../../base/problem.ts';
import type { Target } from '../mcp-model.ts';

/** What says nothing of whether there is a target: the store or the provider is away. */
const passing: ReadonlySet<string> = new Set(['unavailable', 'upstream_error']);
const firstPauseMs = 2_000;
const maxPauseMs = 60_000;

/** Listens, and goes on with whatever the target is, when it is another one; not where there is none any more. */
export async function listenToTarget(
  find: () => Promise<Target>,
  start: (target: Target, onOver: () => void) => () => void,
  onAgain: () => void,
): Promise<() => void> {
  let isEnded = false;
  const goOn = async (pauseMs = firstPauseMs) => {
    if (isEnded) return;
    try {
      const target = await find();
      if (isEnded) return;
      end = start(target, onOver);
      onAgain();
    } catch (error) {
      if (!(error instanceof Problem && passing.has(error.kind))) return;
      setTimeout(() => void goOn(Math.min(2 * pauseMs, maxPauseMs)), pauseMs).unref();
    }
  };
  // Whoever else hears of the change has to be through with it.
  const onOver = () => void setImmediate(() => void goOn());
  let end = start(await find(), onOver);
  return () => {
    isEnded = true;
    end();
  };
}
