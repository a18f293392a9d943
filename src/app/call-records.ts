import { sha256Bytes } from '../base/id.ts';
import type { Problem } from '../base/problem.ts';
import { type Catalog, toolNamed } from '../catalog/catalog.ts';
import type { Config } from '../config.ts';
import type { ToolCall } from '../mcp/mcp.ts';
import { type CallEntry, type CallLog, maskArguments } from '../policy/policy.ts';

export type CallRecords = {
  /** A call that went to its server, with what came of it. */
  record(call: ToolCall): void;
  /** One that was refused here. */
  recordRefusal(call: UnsentCall & { readonly refusal: Problem }): void;
  /** One that is not made before somebody has approved it; `toolset`: whose rule asks. */
  recordWaiting(call: UnsentCall & { readonly toolset: string | null }): void;
};
export type UnsentCall = Pick<ToolCall, 'caller' | 'serverId' | 'tool' | 'arguments'>;

/** Makes the entry of each call of a tool. */
export function createCallRecords({
  callLog,
  catalog,
  keeps,
}: {
  readonly callLog: Pick<CallLog, 'record'>;
  readonly catalog: Pick<Catalog, 'peek'>;
  /** What is kept of arguments. */
  readonly keeps: Config['callArguments'];
}): CallRecords {
  const write = (call: Omit<ToolCall, 'outcome'>, outcome: CallEntry['outcome']): void => {
    const { caller, serverId, tool, latencyMs, replyBytes, arguments: sent } = call;
    // In a session of the client's own nobody looked at the tool before.
    const record = caller.definition === undefined ? catalog.peek(serverId)?.record : undefined;
    callLog.record({
      developer_id: caller.developerId,
      key_id: caller.keyId,
      user_id: caller.userId ?? null,
      server_id: serverId,
      tool: tool.slice(0, 200),
      definition: record === undefined ? (caller.definition ?? null) : toolNamed(record, tool).definition,
      toolset: caller.decidedBy ?? null,
      outcome,
      latency_ms: Math.round(latencyMs * 100) / 100,
      request_bytes: sent?.length ?? 0,
      reply_bytes: replyBytes,
      arguments_digest: sent === null || keeps === 'off' ? null : sha256Bytes(sent),
      arguments_masked: sent === null || keeps !== 'masked' ? null : maskArguments(sent),
    });
  };
  const writeUnsent = (
    { caller, ...call }: UnsentCall,
    decidedBy: string | null,
    outcome: CallEntry['outcome'],
  ): void => write({ ...call, caller: { ...caller, decidedBy }, latencyMs: 0, replyBytes: 0 }, outcome);
  return {
    record: (call) => write(call, call.outcome),
    recordRefusal({ refusal, ...call }) {
      const { toolset } = refusal.facts ?? {};
      const decidedBy = typeof toolset === 'string' ? toolset : (call.caller.decidedBy ?? null);
      writeUnsent(call, decidedBy, refusalOutcomes.get(refusal.kind) ?? 'refused');
    },
    recordWaiting: ({ toolset, ...call }) => writeUnsent(call, toolset, 'waiting'),
  };
}

const refusalOutcomes: ReadonlyMap<string, CallEntry['outcome']> = new Map([
  ['denied', 'denied'],
  ['rate_limited', 'rate_limit'],
]);
