/**
 * The policy enforcement point in front of servers and tools: every door of the API goes through it, and what goes through
 * has been decided by `policy/`. A server that a principal may not see is answered as if it were unknown; a tool that it may not use is
 * `denied`, and shown nowhere.
 */
import { itemsOf, scanJson } from '../base/json-scanner.ts';
import { changeMembers, type JsonParts, joinJson } from '../base/json-splice.ts';
import { Problem } from '../base/problem.ts';
import type { Catalog, ServerRecord } from '../catalog/catalog.ts';
import { type Mcp, type McpAnswer, type McpCall, messageShape } from '../mcp/mcp.ts';
import type { CallEntry, CallLog, Policy, Subject, VisibleTools } from '../policy/policy.ts';
import { catchUp, factsOf, unknownServer, type VisibleCatalog, visibleCatalog } from './visible-catalog.ts';

/** Made here alone: a route that takes one of these cannot be reached past it. */
declare const enforced: unique symbol;
export type EnforcedMcp = Pick<Mcp, 'call' | 'callOnce' | 'listTools' | 'relay' | 'listen'> & {
  readonly [enforced]: true;
};

export type PolicyEnforcement = {
  readonly mcp: EnforcedMcp;
  catalogFor(subject: Asking): VisibleCatalog;
  /** Throws `not_found` for a server that is not seen, and `denied` for a tool of it. */
  require(subject: Asking, serverId: string, tool: string | null): Promise<void>;
};

/** Who asks; without a developer's name, whoever sees only what everybody sees. */
type Asking = {
  readonly keyId: string;
  readonly developer?: string | undefined;
  readonly toolset?: string;
};
type Caller = Parameters<Mcp['call']>[0];

/** What a server answers to everybody who sees something of it. */
const aboutItself: ReadonlySet<string> = new Set([
  'ping',
  'server/discover',
  'tools/list',
  'logging/setLevel',
]);

type EnforcementDeps = {
  readonly policy: Policy;
  readonly mcp: Mcp;
  readonly catalog: Catalog;
  readonly callLog: Pick<CallLog, 'record'>;
};

/** Who may go on to a server, and with what. */
function createAdmission({ policy, catalog, callLog }: EnforcementDeps) {
  const findVisible = async (subject: Subject, serverId: string): Promise<ServerRecord> => {
    if (!policy.canSee(subject, serverId)) throw unknownServer();
    const record = catalog.peek(serverId)?.record ?? (await catalog.get(serverId));
    await catchUp(policy, [record]);
    if (!policy.canSee(subject, serverId)) throw unknownServer();
    return record;
  };
  /** Nothing is hidden from this principal, and the server has not just come. */
  const isOpen = (subject: Subject, serverId: string): boolean => {
    const record = catalog.peek(serverId)?.record;
    return record !== undefined && policy.isCurrent(record.revision) && policy.viewFor(subject) === null;
  };
  const toolsOf = async (subject: Subject, serverId: string): Promise<VisibleTools> => {
    if (isOpen(subject, serverId)) return 'all';
    const record = await findVisible(subject, serverId);
    return policy.viewFor(subject)?.toolsOf(factsOf(record)) ?? 'all';
  };
  const require = async (asking: Asking, serverId: string, tool: string | null): Promise<void> => {
    const subject = subjectOf(asking);
    if (isOpen(subject, serverId)) return;
    const record = await findVisible(subject, serverId);
    const { effect, toolset } = policy.decide(subject, factsOf(record), tool);
    if (effect !== 'allow') throw denied(toolset, tool ?? serverId);
  };
  /** The caller as it goes on to the server: with the operator's credentials only where it may. */
  const admit = async (
    caller: Caller,
    call: Pick<McpCall, 'serverId' | 'method' | 'params'>,
  ): Promise<Caller> => {
    const subject = subjectOf(caller);
    if (aboutItself.has(call.method)) {
      if ((await toolsOf(subject, call.serverId)) === 'none') throw denied(null, call.serverId);
    } else
      await require(caller, call.serverId, call.method === 'tools/call' ? (call.params?.name ?? '') : null);
    return withoutCredentials(policy, subject, caller, call.serverId);
  };
  /** What is refused here is recorded here; what goes on, by the proxy. */
  const admitOrRecord = async (caller: Caller, call: McpCall): Promise<Caller> => {
    try {
      return await admit(caller, call);
    } catch (error) {
      if (call.method === 'tools/call' && error instanceof Problem && error.kind === 'denied')
        callLog.record(deniedCall(caller, call, error));
      throw error;
    }
  };
  return { toolsOf, require, admit, admitOrRecord };
}

export function createPolicyEnforcement(deps: EnforcementDeps): PolicyEnforcement {
  const { mcp } = deps;
  const { toolsOf, require, admit, admitOrRecord } = createAdmission(deps);
  const narrowed = async (caller: Caller, call: McpCall, answer: McpAnswer): Promise<McpAnswer> => {
    if (call.method !== 'tools/list') return answer;
    const seen = await toolsOf(subjectOf(caller), call.serverId);
    return typeof seen === 'function' ? withSeenTools(answer, seen) : answer;
  };

  return {
    mcp: {
      async call(caller, call) {
        const admitted = await admitOrRecord(caller, call);
        return narrowed(caller, call, await mcp.call(admitted, call));
      },
      async callOnce(caller, call, key) {
        const admitted = await admitOrRecord(caller, call);
        return narrowed(caller, call, await mcp.callOnce(admitted, call, key));
      },
      async listTools(caller, serverId) {
        const admitted = await admit(caller, { serverId, method: 'tools/list', params: undefined });
        const list = await mcp.listTools(admitted, serverId);
        const seen = await toolsOf(subjectOf(caller), serverId);
        return typeof seen === 'function'
          ? { ...list, tools: list.tools.filter(({ name }) => seen(name)) }
          : list;
      },
      async relay(caller, request) {
        const admitted = await admit(caller, {
          serverId: request.serverId,
          method: 'ping',
          params: undefined,
        });
        // In a session of the server's own nothing is looked into: whoever sees only a part gets one of ours.
        return (await toolsOf(subjectOf(caller), request.serverId)) === 'all'
          ? mcp.relay(admitted, request)
          : null;
      },
      async listen(caller, serverId, onNotification) {
        const admitted = await admit(caller, { serverId, method: 'ping', params: undefined });
        return mcp.listen(admitted, serverId, onNotification);
      },
    } as EnforcedMcp,
    catalogFor: (asking) => visibleCatalog(deps, subjectOf(asking)),
    require,
  };
}

function subjectOf({ keyId, developer = '', toolset }: Asking): Subject {
  return { keyId, developer, toolset };
}

function withoutCredentials(policy: Policy, subject: Subject, caller: Caller, serverId: string): Caller {
  return policy.mayUseCredentials(subject, serverId) ? caller : { ...caller, usesSharedCredential: false };
}

const toolShape = { name: true } as const;

/** The list as the server wrote it, without the tools that are not seen. */
function withSeenTools(answer: McpAnswer, seen: (tool: string) => boolean): McpAnswer {
  if (answer.kind !== 'reply' || !('result' in answer.reply)) return answer;
  const { result } = answer.reply;
  const list = result.present('tools');
  if (list?.kind !== 'array') return answer;
  const kept = itemsOf(list, toolShape).filter((tool) => seen(tool.get('name')?.string() ?? ''));
  const spans: JsonParts = kept.flatMap((tool, i) => (i === 0 ? [tool.span()] : [',', tool.span()]));
  const text = joinJson(changeMembers(result, { tools: ['[', ...spans, ']'] }));
  return { ...answer, reply: { result: scanJson(text, messageShape.result) } };
}

function deniedCall(caller: Caller, { serverId, params }: McpCall, { facts }: Problem): CallEntry {
  return {
    developer_id: caller.developerId,
    key_id: caller.keyId,
    user_id: caller.userId ?? null,
    server_id: serverId,
    tool: (params?.name ?? '').slice(0, 200),
    definition: null,
    toolset: typeof facts?.toolset === 'string' ? facts.toolset : null,
    outcome: 'denied',
    latency_ms: 0,
    request_bytes: params?.arguments?.span().length ?? 0,
    reply_bytes: 0,
    arguments_digest: null,
  };
}

function denied(toolset: string | null, what: string): Problem {
  const by = toolset === null ? 'Your toolsets do' : `The toolset ${toolset} does`;
  return new Problem('denied', `${by} not allow ${what.slice(0, 200)}`, { facts: { toolset } });
}
