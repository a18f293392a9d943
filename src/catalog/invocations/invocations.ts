import type { Clock } from '../../base/clock.ts';
import { newLogId, sha256Hex } from '../../base/id.ts';
import { Problem } from '../../base/problem.ts';
import { type Storage, WriteBehind } from '../../storage/storage.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import type { NewInvocation } from '../catalog-model.ts';
import {
  createInvocationStore,
  type InvocationRow,
  type InvocationStore,
  type ServerUse,
  type StepUse,
  type UseCount,
} from './invocation-store.ts';

/** Rows of one transaction: large enough that the disk's flush is shared, small enough that nobody waits for it. */
const rowsPerCommit = 1_000;
/** Accepted but not yet written; beyond it callers are refused and may come back rather than the process running out of memory. */
const maxQueued = 50_000;
const retryMs = 1_000;
/** More than thirteen half-lives of popularity and six of learned queries. */
const keptMs = 400 * 86_400_000;
/** About two gigabytes. */
const keptRows = 5_000_000;
const printable = /^[^\p{C}]{1,200}$/u;

/** Many that nobody waits for become rows only as they are written: thousands of them wait at a time, and rows are large. */
type Queued = InvocationRow | NewInvocation;

export type Invocations = {
  record(
    invocation: NewInvocation,
    options: { readonly durable: boolean },
  ): Promise<{ invocationId: string }>;
  /** Many that nobody waits for and that have no idempotency key; `onRefused` is called for those that cannot be recorded. */
  enqueue(
    invocations: readonly NewInvocation[],
    onRefused: (one: NewInvocation, error: unknown) => void,
  ): void;
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

type Deps = {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly log: Log;
  readonly check: (serverId: string, toolName: string) => undefined | Promise<void>;
};

/** Outcomes on the write-behind queue: a durable caller is answered after the commit; the others' are tried again when the store fails. */
export function createInvocations({ storage, clock, log, check }: Deps): Invocations {
  const store = createInvocationStore(storage);
  const queue = createQueue(store, clock, log);
  let isClosed = false;
  /** Of servers that have to be looked up first. */
  const checking = new Set<Promise<void>>();

  const enqueue = (one: NewInvocation): void => {
    if (!queue.enqueue(one)) throw tooMany();
  };
  const later = (checked: Promise<void>): void => {
    checking.add(checked);
    void checked.then(() => checking.delete(checked));
  };
  return {
    async record(invocation, { durable }) {
      validate(invocation);
      const unsure = check(invocation.serverId, invocation.toolName);
      if (unsure !== undefined) await unsure;
      if (isClosed) throw new Problem('unavailable', 'Shutting down', { retryAfterMs: retryMs });
      if (queue.isFull) throw tooMany();
      const row = toRow(invocation, clock.now());
      if (!durable) queue.enqueue(row);
      else if (!isSame(await queue.commit(row), row)) throw conflict();
      return { invocationId: row.id };
    },
    enqueue(invocations, onRefused) {
      for (const one of invocations)
        try {
          validate(one);
          const unsure = check(one.serverId, one.toolName);
          if (unsure === undefined) enqueue(one);
          else later(unsure.then(() => enqueue(one)).catch((error: unknown) => onRefused(one, error)));
        } catch (error) {
          onRefused(one, error);
        }
    },
    use: { byServer: store.byServer, byStep: store.byStep, byDay: store.byDay },
    prune: () => store.prune(clock.now() - keptMs, keptRows),
    async flush() {
      await Promise.all(checking);
      await queue.flush();
    },
    async close() {
      await Promise.all(checking);
      isClosed = true;
      await queue.close();
      if (queue.size > 0) log.error('catalog.invocations.lost', { rows: queue.size });
    },
  };
}

/** Answers for each row the one that is kept: where an idempotency key was used before, its first. */
function createQueue(store: InvocationStore, clock: Clock, log: Log): WriteBehind<Queued, InvocationRow> {
  return new WriteBehind<Queued, InvocationRow>({
    write: async (batch) => {
      // The time is that of the commit, not of the call: who reads on from a time must not miss what waited.
      const at = clock.now();
      const rows = batch.map((one) => ('id' in one ? { ...one, at } : toRow(one, at)));
      const first = await store.add(rows);
      return rows.map((row) => first.get(row.id) ?? row);
    },
    maxQueued,
    batchSize: rowsPerCommit,
    gatherMs: 0,
    retryMs,
    keyOf: (one) => ('id' in one && one.idempotency_key !== null ? one.id : null),
    merge: (first, second) => {
      if ('id' in first && 'id' in second && !isSame(first, second)) throw conflict();
      return first;
    },
    onFailure: (error, { kept }) => log.warn('catalog.invocations.write_failed', { error, kept }),
  });
}

function toRow(invocation: NewInvocation, at: number): InvocationRow {
  const key = invocation.idempotencyKey ?? null;
  return {
    id: key === null ? newLogId('inv', at) : keyedId(invocation.developerId, key),
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

/** The id follows from developer and key, so every process answers the same without asking. */
function keyedId(developerId: string, key: string): string {
  return `inv_${sha256Hex(`${developerId}\n${key}`).slice(0, 32)}`;
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
