/**
 * Background work that must happen once, whichever process does it.
 *
 * Promises: of all processes on one store at most one runs a job at a time (a lease with a heartbeat in the
 * `jobs` table); a job whose process died is taken over when the lease runs out; a failing job is logged and
 * tried again later, never silently dropped; `stop` waits for what is running.
 */
import { newId } from '../base/id.ts';
import { Problem } from '../base/problem.ts';

export type Job = {
  readonly name: string;
  /** Between the end of one run and the start of the next. */
  readonly everyMs: number;
  /** May answer with another time until the next run (a job that backs off). */
  readonly run: (signal: AbortSignal) => Promise<{ readonly nextInMs: number } | undefined>;
};

/** What keeps a job to one process at a time; times in milliseconds. The store offers one. */
export type Leases = {
  take(name: string, holder: string, forMs: number): Promise<boolean>;
  renew(name: string, holder: string, forMs: number): Promise<boolean>;
  release(name: string, holder: string, nextInMs: number): Promise<void>;
};

export type Jobs = {
  schedule(job: Job): void;
  stop(): Promise<void>;
};

const leaseMs = 30_000;
const heartbeatMs = 10_000;
/** How often a process checks whether a job is due. */
const lookMs = 1_000;
/** After a failure, unless the job said otherwise. */
const retryMs = 60_000;

export function createJobs(deps: { leases: Leases; onError: (job: string, error: unknown) => void }): Jobs {
  const { leases, onError } = deps;
  const holder = newId('own');
  const stopping = new AbortController();
  const timers = new Set<NodeJS.Timeout>();
  const running = new Set<Promise<void>>();

  const attempt = async (job: Job): Promise<void> => {
    if (!(await leases.take(job.name, holder, leaseMs))) return;
    const lost = new AbortController();
    const heartbeat = setInterval(() => {
      leases.renew(job.name, holder, leaseMs).then(
        (held) => held || lost.abort(),
        (error) => onError(job.name, error),
      );
    }, heartbeatMs);
    let nextInMs = Math.min(job.everyMs, retryMs);
    try {
      const outcome = await job.run(AbortSignal.any([stopping.signal, lost.signal]));
      nextInMs = outcome?.nextInMs ?? job.everyMs;
    } catch (error) {
      if (!stopping.signal.aborted) onError(job.name, error);
      if (error instanceof Problem) nextInMs = error.retryAfterMs ?? nextInMs;
    } finally {
      clearInterval(heartbeat);
      // A stopped run was cut short: whoever is next may start at once.
      await leases.release(job.name, holder, stopping.signal.aborted ? 0 : nextInMs);
    }
  };

  const runIfDue = (job: Job) => {
    const run = attempt(job)
      .catch((error: unknown) => onError(job.name, error))
      .finally(() => {
        running.delete(run);
        if (stopping.signal.aborted) return;
        const timer = setTimeout(() => {
          timers.delete(timer);
          runIfDue(job);
        }, lookMs);
        timers.add(timer.unref());
      });
    running.add(run);
  };

  return {
    schedule: runIfDue,
    async stop() {
      stopping.abort();
      for (const timer of timers) clearTimeout(timer);
      await Promise.all(running);
    },
  };
}
