import type { Clock } from '../base/clock.ts';
import { newLogId, sha256Hex } from '../base/id.ts';
import { Problem } from '../base/problem.ts';
import type { Storage } from '../storage/storage.ts';
import type { Log } from '../telemetry/telemetry.ts';
import type { NewInvocation } from './catalog-model.ts';
import {
  createInvocationStore,
  type InvocationRow,
  type ServerUse,
  type StepUse,
  type UseCount,
} from './invocation-store.ts';

/** Rows of one transaction: large enough that the disk's flush is shared, small enough that nobody waits for it. */
const rowsPerCommit = 1_000;
/** Accepted but not yet written; beyond it callers are told to come back rather than the process running out of memory. */
const queueLimit = 50_000;
const retryMs = 1_000;
/** More than thirteen half-lives of popularity and six of learned queries. */
const keptMs = 400 * 86_400_000;
/** About two gigabytes. */
const keptRows = 5_000_000;
const printable = /^[^\p{C}]{1,200}$/u;

type Waiter = {
  readonly resolve: (value: { invocationId: string }) => void;
  readonly reject: (error: unknown) => void;
};
type Pending = { readonly row: InvocationRow; readonly waiters: Waiter[] };

export type Invocations = {
  record(
    invocation: NewInvocation,
    options: { readonly durable: boolean },
  ): Promise<{ invocationId: string }>;
  /** Many that nobody waits for and that have no idempotency key; those that cannot be recorded are told. */
  note(invocations: readonly NewInvocation[], refused: (one: NewInvocation, why: unknown) => void): void;
  /** What was called since a time: the most used servers, how some of them did step by step, or one key's days. */
  readonly use: {
    byServer(since: number): Promise<readonly ServerUse[]>;
    byStep(serverIds: readonly string[], since: number, stepMs: number): Promise<readonly StepUse[]>;
    byDay(keyId: string, since: number): Promise<ReadonlyMap<number, UseCount>>;
  };
  /** Deletes what is too old to matter, and the oldest of too many. */
  prune(): Promise<void>;
  flush(): Promise<void>;
  close(): Promise<void>;
};

/**
 * Group commit: what arrives in one turn of the event loop, or while a commit is under way, is written in one
 * transaction; each durable caller is answered after it. What is not durable waits in the same bounded queue and is
 * tried again when the store fails.
 */
export function createInvocations(deps: {
  storage: Storage;
  clock: Clock;
  log: Log;
  check: (serverId: string, toolName: string) => undefined | Promise<void>;
}): Invocations {
  const { clock, log, check } = deps;
  const store = createInvocationStore(deps.storage);
  const queue: Pending[] = [];
  /** These become rows only as they are written: thousands of them wait at a time, and rows are large. */
  const noted: NewInvocation[] = [];
  const waiting = () => queue.length + noted.length;
  /** Rows with an idempotency key that are queued or being written: a second call joins the first. */
  const pending = new Map<string, Pending>();
  let writing: Promise<void> | undefined;
  let retry: NodeJS.Timeout | undefined;
  let failure: unknown;
  let closed = false;

  const write = async (): Promise<void> => {
    failure = undefined;
    while (waiting() > 0 && failure === undefined) {
      // The turn of the event loop gathers what arrives together, and lets requests in between two commits.
      await new Promise((resume) => setImmediate(resume));
      const batch = queue.splice(0, rowsPerCommit);
      const notes = noted.splice(0, rowsPerCommit - batch.length);
      try {
        // The time is that of the commit, not of the call: who reads on from a time must not miss what waited.
        const at = clock.now();
        const rows = batch.map(({ row }) => ({ ...row, at }));
        settle(batch, await store.add(rows.concat(notes.map((one) => toRow(one, at)))));
      } catch (error) {
        failure = error;
        noted.unshift(...notes);
        putBack(batch, error);
      }
    }
  };
  const start = () => {
    clearTimeout(retry);
    retry = undefined;
    writing ??= write().finally(() => {
      writing = undefined;
      if (waiting() === 0) return;
      if (failure === undefined) start();
      else if (!closed) retry = setTimeout(start, retryMs).unref();
    });
  };
  const settle = (batch: readonly Pending[], known: ReadonlyMap<string, InvocationRow>) => {
    for (const { row, waiters } of batch) {
      pending.delete(row.id);
      const first = known.get(row.id);
      for (const waiter of waiters) {
        if (first !== undefined && !isSame(first, row)) waiter.reject(conflict());
        else waiter.resolve({ invocationId: row.id });
      }
    }
  };
  /** Callers that wait are told; the others were told "accepted" and are kept for the next try. */
  const putBack = (batch: readonly Pending[], error: unknown) => {
    const kept = batch.filter((each) => each.waiters.length === 0);
    for (const { row, waiters } of batch) {
      if (waiters.length > 0) pending.delete(row.id);
      for (const waiter of waiters) waiter.reject(error);
    }
    queue.unshift(...kept);
    if (waiting() > 0) log.warn('invocations.write_failed', { error, kept: waiting() });
  };
  const flush = async () => {
    while (waiting() > 0 || writing !== undefined) {
      start();
      await writing;
      if (failure !== undefined) throw failure;
    }
  };

  return {
    async record(invocation, { durable }) {
      validate(invocation);
      const unsure = check(invocation.serverId, invocation.toolName);
      if (unsure !== undefined) await unsure;
      if (closed) throw new Problem('unavailable', 'Shutting down', { retryAfterMs: retryMs });
      const row = toRow(invocation, clock.now());
      let entry = pending.get(row.id);
      if (entry !== undefined && !isSame(entry.row, row)) throw conflict();
      if (entry === undefined) {
        if (waiting() >= queueLimit) throw tooMany();
        entry = { row, waiters: [] };
        if (row.idempotency_key !== null) pending.set(row.id, entry);
        queue.push(entry);
        if (retry === undefined || durable) start();
      }
      if (!durable) return { invocationId: row.id };
      const { promise, ...waiter } = Promise.withResolvers<{ invocationId: string }>();
      entry.waiters.push(waiter);
      return promise;
    },
    note(invocations, refused) {
      const take = (one: NewInvocation) => {
        if (closed || waiting() >= queueLimit) throw tooMany();
        noted.push(one);
        if (retry === undefined) start();
      };
      for (const one of invocations)
        try {
          validate(one);
          const unsure = check(one.serverId, one.toolName);
          if (unsure === undefined) take(one);
          else unsure.then(() => take(one)).catch((error: unknown) => refused(one, error));
        } catch (error) {
          refused(one, error);
        }
    },
    use: { byServer: store.byServer, byStep: store.byStep, byDay: store.byDay },
    prune: () => store.prune(clock.now() - keptMs, keptRows),
    flush,
    async close() {
      closed = true;
      clearTimeout(retry);
      await flush().catch((error: unknown) => log.error('invocations.lost', { error, rows: waiting() }));
    },
  };
}

/** With an idempotency key the id follows from developer and key, so every process answers the same without asking. */
function toRow(invocation: NewInvocation, at: number): InvocationRow {
  const key = invocation.idempotencyKey ?? null;
  return {
    id:
      key === null
        ? newLogId('inv', at)
        : `inv_${sha256Hex(`${invocation.developerId}\n${key}`).slice(0, 32)}`,
    developer_id: invocation.developerId,
    key_id: invocation.keyId,
    query_log_id: invocation.queryLogId ?? null,
    server_id: invocation.serverId,
    tool_name: invocation.toolName,
    success: invocation.success ? 1 : 0,
    latency_ms: invocation.latencyMs ?? null,
    error_type: invocation.errorType ?? null,
    idempotency_key: key,
    at,
    calls: invocation.calls ?? 1,
  };
}

/** One unstorable value would fail the whole batch: it is refused before it joins one. */
function validate(invocation: NewInvocation): void {
  checkText('server_id', invocation.serverId);
  checkText('tool_name', invocation.toolName);
  checkText('query_log_id', invocation.queryLogId);
  checkText('idempotency_key', invocation.idempotencyKey);
  const latency = invocation.latencyMs ?? 0;
  if (!Number.isFinite(latency) || latency < 0)
    throw new Problem('invalid_request', 'latency_ms: expected a number of milliseconds, 0 or more');
}

function checkText(field: string, text: string | null | undefined): void {
  if (text !== undefined && text !== null && !printable.test(text))
    throw new Problem('invalid_request', `${field}: expected 1 to 200 printable characters`);
}

function tooMany(): Problem {
  return new Problem('unavailable', 'Too many outcomes are waiting to be written', { retryAfterMs: retryMs });
}

function isSame(a: InvocationRow, b: InvocationRow): boolean {
  return (['server_id', 'tool_name', 'success', 'latency_ms', 'error_type', 'query_log_id'] as const).every(
    (field) => a[field] === b[field],
  );
}

function conflict(): Problem {
  return new Problem('conflict', 'idempotency_key: was used before with a different body');
}
