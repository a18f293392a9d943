import { factsOf } from '../api/visible-catalog.ts';
import { sha256Bytes, sha256Hex } from '../base/id.ts';
import type { Catalog, ServerRecord } from '../catalog/catalog.ts';
import type { ToolCall } from '../mcp/mcp.ts';
import type { CallEntry, CallLog, Policy } from '../policy/policy.ts';

/** Turns what the MCP proxy tells of a call into an entry of the call log: with the rule that let it pass, and the tool's definition. */
export function createCallRecorder(deps: {
  readonly callLog: Pick<CallLog, 'record'>;
  readonly policy: Pick<Policy, 'viewFor' | 'decide'>;
  readonly catalog: Pick<Catalog, 'peek' | 'get'>;
}): (call: ToolCall) => void {
  const { callLog, policy, catalog } = deps;
  const definitionOf = createDefinitions();
  const write = (call: ToolCall, record: ServerRecord | undefined): void => {
    const { caller, serverId, tool, outcome, latencyMs, replyBytes, arguments: sent } = call;
    const subject = { keyId: caller.keyId, developer: caller.developer ?? '', toolset: caller.toolset };
    const isRestricted = record !== undefined && policy.viewFor(subject) !== null;
    const entry: CallEntry = {
      developer_id: caller.developerId,
      key_id: caller.keyId,
      user_id: caller.userId ?? null,
      server_id: serverId,
      tool: tool.slice(0, 200),
      definition: record === undefined ? null : definitionOf(record, tool),
      toolset: isRestricted ? policy.decide(subject, factsOf(record), tool).toolset : null,
      outcome,
      latency_ms: Math.round(latencyMs * 100) / 100,
      request_bytes: sent?.length ?? 0,
      reply_bytes: replyBytes,
      arguments_digest: sent === null ? null : sha256Bytes(sent),
    };
    callLog.record(entry);
  };
  return (call) => {
    const record = catalog.peek(call.serverId)?.record;
    if (record !== undefined) write(call, record);
    else
      catalog.get(call.serverId).then(
        (read) => write(call, read),
        () => write(call, undefined),
      );
  };
}

/** SHA-256 of what a tool says of itself, made once for each record of its server. */
function createDefinitions(): (record: ServerRecord, tool: string) => string | null {
  const known = new WeakMap<ServerRecord, Map<string, string | null>>();
  return (record, name) => {
    let ofServer = known.get(record);
    if (ofServer === undefined) {
      ofServer = new Map();
      known.set(record, ofServer);
    }
    let hash = ofServer.get(name);
    if (hash === undefined) {
      const tool = record.tools.find((each) => each.name === name);
      hash =
        tool === undefined
          ? null
          : sha256Hex(JSON.stringify([tool.name, tool.description, tool.inputSchema]));
      ofServer.set(name, hash);
    }
    return hash;
  };
}
