import type { RequestContext } from './request-context.ts';

/** One step of a request's life; a promise only where it has to wait. Throws what `onError` answers. */
export type LifecycleStep = (context: RequestContext) => void | Promise<void>;

/**
 * A request's life: the steps in their order, each once, until one throws. The list stands in `http.ts`; what each may
 * answer in place of going on stands in docs/architecture.md.
 */
export async function runLifecycle(
  context: RequestContext,
  steps: readonly LifecycleStep[],
  onError: (error: unknown, context: RequestContext) => void,
): Promise<void> {
  try {
    for (const step of steps) {
      const waiting = step(context);
      if (waiting !== undefined) await waiting;
    }
  } catch (error) {
    onError(error, context);
  }
}
