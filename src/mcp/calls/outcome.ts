import type { Catalog } from '../../catalog/catalog.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import { type RpcReply, type RpcRequest, UpstreamFailure, type UpstreamReason } from '../model.ts';

type Call = RpcRequest & { readonly serverId: string; readonly queryLogId?: string | null };
type Caller = { readonly developerId: string; readonly keyId: string };
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

/** Writes down, behind the reply, what came of each tools/call. Nothing that goes wrong here reaches the caller. */
export function createOutcomes(catalog: Pick<Catalog, 'recordInvocation'>, log: Log) {
  const write = (caller: Caller, call: Call, errorType: ErrorType | null, latencyMs: number) => {
    const toolName = call.params?.name;
    if (typeof toolName !== 'string') return;
    catalog
      .recordInvocation(
        {
          developerId: caller.developerId,
          keyId: caller.keyId,
          serverId: call.serverId,
          toolName,
          success: errorType === null,
          queryLogId: call.queryLogId ?? null,
          latencyMs,
          errorType,
        },
        { durable: false },
      )
      // A tool that the catalogue does not know of, most often.
      .catch((error: unknown) =>
        log.debug('an outcome was not recorded', { server_id: call.serverId, error }),
      );
  };
  return {
    record(caller: Caller, call: Call, reply: RpcReply, latencyMs: number): void {
      write(caller, call, errorTypeOf(reply), latencyMs);
    },
    recordFailure(caller: Caller, call: Call, error: unknown, latencyMs: number): void {
      if (!(error instanceof UpstreamFailure)) return;
      const errorType = errorTypes[error.reason];
      if (errorType !== null) write(caller, call, errorType, latencyMs);
    },
  };
}

function errorTypeOf(reply: RpcReply): ErrorType | null {
  if ('error' in reply) return reply.error.code === invalidParams ? 'invalid_arguments' : 'server';
  return reply.result.isError === true ? 'other' : null;
}
