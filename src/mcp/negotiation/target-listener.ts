import { Problem } from '../../base/problem.ts';
import type { Target } from '../mcp-model.ts';

export type TargetListening = {
  /** Throws where there is nothing to listen to. */
  readonly find: () => Promise<Target>;
  /** `onOver` is called where what the target stands for is another one now, or gone. */
  readonly start: (target: Target, onOver: () => void) => () => void;
  /** It listens to another target now. */
  readonly onAgain?: (() => void) | undefined;
  /** Calls `look` whenever the target may be another one, or there may be one again. */
  readonly watch: (look: () => void) => () => void;
};

/** What says nothing of whether there is a target: the store or the provider is away. */
const passing: ReadonlySet<string> = new Set(['unavailable', 'upstream_error']);
const firstPauseMs = 2_000;
const maxPauseMs = 60_000;

/** Listens, and goes on with whatever the target is, when it is another one; where there is none any more, when there is one again. */
export async function listenToTarget({ find, start, onAgain, watch }: TargetListening): Promise<() => void> {
  let isEnded = false;
  let heard: { readonly key: string; readonly end: () => void } | undefined;
  /** Of several looks under way the last one counts. */
  let looks = 0;
  const hear = (target: Target) => {
    heard?.end();
    heard = { key: target.key, end: start(target, onOver) };
  };
  const look = async (pauseMs = firstPauseMs) => {
    const mine = ++looks;
    const isLast = () => !isEnded && mine === looks;
    try {
      const target = await find();
      if (!isLast() || target.key === heard?.key) return;
      hear(target);
      onAgain?.();
    } catch (error) {
      if (!isLast() || !(error instanceof Problem && passing.has(error.kind))) return;
      setTimeout(() => isLast() && void look(Math.min(2 * pauseMs, maxPauseMs)), pauseMs).unref();
    }
  };
  const onOver = () => {
    heard = undefined;
    // Whoever else hears of the change has to be through with it.
    setImmediate(() => !isEnded && void look());
  };
  const unwatch = watch(() => !isEnded && void look());
  try {
    const target = await find();
    // What changed meanwhile is looked at already.
    if (looks === 0) hear(target);
  } catch (error) {
    unwatch();
    throw error;
  }
  return () => {
    isEnded = true;
    unwatch();
    heard?.end();
  };
}
