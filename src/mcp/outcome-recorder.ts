import { Problem } from '../base/problem.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { Log } from '../telemetry/telemetry.ts';
import {
  type Caller as McpCaller,
  type RpcReply,
  type RpcRequest,
  UpstreamFailure,
  type UpstreamReason,
} from './mcp-model.ts';

type Call = RpcRequest & { readonly serverId: string; readonly queryLogId?: string | null };
type Caller = Pick<McpCaller, 'developerId' | 'keyId' | 'userId' | 'decidedBy' | 'definition'>;
type Outcome = Parameters<Catalog['enqueueInvocations']>[0][number];
type ErrorType = 'auth' | 'rate_limit' | 'timeout' | 'invalid_arguments' | 'server' | 'other';

/** What a failure counts as; null: it says nothing about the tool (the caller went away). */
const errorTypes: Readonly<Record<UpstreamReason, ErrorType | null>> = {
  refused: 'server',
  auth: 'auth',
  rate_limited: 'rate_limit',
  timeout: 'timeout',
  broken: 'server',
  protocol: 'server',
  too_large: 'server',
  cancelled: null,
};
const invalidParams = -32602;

/** Outcomes go to the store a few times a second, many in one commit: a commit each would stop the process for its disk. */
const gatherMs = 250;
/** Beyond this the store is too slow for the calls; outcomes are statistics and give way. */
const maxGathered = 20_000;

/** Calls that nothing tells apart but how long they took: a busy tool is four rows a second, not thousands. */
type Alike = { readonly outcome: Outcome; calls: number; totalMs: number };

/** What came of one tools/call, for whoever keeps a record of each. */
export type ToolCall = {
  readonly caller: Caller;
  readonly serverId: string;
  readonly tool: string;
  readonly arguments: Buffer | null;
  readonly outcome: ErrorType | 'ok' | 'cancelled';
  readonly latencyMs: number;
  readonly replyBytes: number;
};
export type OnToolCall = (call: ToolCall) => void;

export type OutcomeRecorder = {
  record(caller: Caller, call: Call, reply: RpcReply, latencyMs: number): void;
  recordFailure(caller: Caller, call: Call, error: unknown, latencyMs: number): void;
  /** Hands over what was gathered. */
  flush(): void;
};

/** Writes down, behind the reply, what came of each tools/call. Nothing that goes wrong here reaches the caller. */
export function createOutcomeRecorder(
  catalog: Pick<Catalog, 'enqueueInvocations'>,
  log: Log,
  onToolCall: OnToolCall,
): OutcomeRecorder {
  let gathered = new Map<string, Alike>();
  let timer: NodeJS.Timeout | undefined;
  let dropped = 0;
  let count = 0;

  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    const outcomes = [...gathered.values()].map(summed);
    gathered = new Map();
    if (dropped > 0) log.warn('mcp.outcomes.dropped', { dropped });
    dropped = 0;
    // A tool that the catalogue does not know of, most often.
    catalog.enqueueInvocations(outcomes, ({ serverId }, error) =>
      log.debug('mcp.outcome.unrecorded', { server_id: serverId, error }),
    );
  };
  const gather = (caller: Caller, call: Call, errorType: ErrorType | null, latencyMs: number) => {
    const toolName = call.params?.name;
    if (toolName === undefined) return;
    const { developerId, keyId } = caller;
    const { serverId, queryLogId = null } = call;
    // What followed a search says something of that search: each such call is a row of its own.
    const own = queryLogId === null ? '' : ++count;
    const key = `${own}\n${keyId}\n${serverId}\n${toolName}\n${errorType ?? ''}`;
    const alike = gathered.get(key);
    if (alike !== undefined) {
      alike.calls++;
      alike.totalMs += latencyMs;
      return;
    }
    if (gathered.size >= maxGathered) {
      dropped++;
      return;
    }
    const success = errorType === null;
    const outcome = { developerId, keyId, serverId, toolName, success, queryLogId, errorType };
    gathered.set(key, { outcome, calls: 1, totalMs: latencyMs });
    timer ??= setTimeout(flush, gatherMs).unref();
  };
  return {
    record(caller, call, reply, latencyMs) {
      const errorType = errorTypeOf(reply);
      gather(caller, call, errorType, latencyMs);
      onToolCall(toToolCall(caller, call, { outcome: errorType ?? 'ok', latencyMs, reply }));
    },
    recordFailure(caller, call, error, latencyMs) {
      const errorType = error instanceof UpstreamFailure ? errorTypes[error.reason] : undefined;
      if (errorType != null) gather(caller, call, errorType, latencyMs);
      const outcome = errorType ?? outcomeOf(error);
      if (outcome !== null) onToolCall(toToolCall(caller, call, { outcome, latencyMs }));
    },
    flush,
  };
}

/** null: there was nobody to call. */
function outcomeOf(error: unknown): 'auth' | 'cancelled' | null {
  if (error instanceof UpstreamFailure) return 'cancelled';
  return error instanceof Problem && error.kind === 'provider_not_connected' ? 'auth' : null;
}

function toToolCall(
  caller: Caller,
  { serverId, params }: Call,
  { outcome, latencyMs, reply }: Pick<ToolCall, 'outcome' | 'latencyMs'> & { readonly reply?: RpcReply },
): ToolCall {
  return {
    caller,
    serverId,
    tool: params?.name ?? '',
    arguments: params?.arguments?.span() ?? null,
    outcome,
    latencyMs,
    replyBytes: reply !== undefined && 'result' in reply ? reply.result.end - reply.result.start : 0,
  };
}

function errorTypeOf(reply: RpcReply): ErrorType | null {
  if ('error' in reply) return reply.error.code === invalidParams ? 'invalid_arguments' : 'server';
  return reply.result.get('isError')?.text() === 'true' ? 'other' : null;
}

function summed({ outcome, calls, totalMs }: Alike): Outcome {
  return { ...outcome, calls, latencyMs: totalMs / calls };
}
