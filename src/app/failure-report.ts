import type { Clock } from '../base/clock.ts';
import { Problem } from '../base/problem.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

const sayAgainMs = 60_000;

/**
 * The outside being away is news, not a fault of ours: one line, without a stack, and not again for a while though the job
 * is tried every second.
 */
export function createFailureReport(
  { log }: Pick<Telemetry, 'log'>,
  clock: Clock,
): (job: string, error: unknown) => void {
  const told = new Map<string, { readonly reason: string; readonly at: number }>();
  return (job, error) => {
    if (!(error instanceof Problem)) {
      log.error('jobs.job.failed', { job, error });
      return;
    }
    const { detail: reason, retryAfterMs } = error;
    const last = told.get(job);
    const at = clock.monotonic();
    if (last?.reason === reason && at - last.at < sayAgainMs) return;
    told.set(job, { reason, at });
    log.warn('jobs.job.retrying', { job, reason, retry_after_ms: retryAfterMs });
  };
}
