/**
 * The policy enforcement point in front of servers and tools: every door of the API goes through it, and what goes through
 * has been decided by `policy/`. A server that a principal may not see is answered as if it were unknown; a tool that it may
 * not use is `denied`, and shown nowhere; one of which a rule says `ask` runs once a person has agreed (`approval-flow.ts`).
 */
import { itemsOf, scanJson } from '../base/json-scanner.ts';
import { changeMembers, type JsonParts, joinJson } from '../base/json-splice.ts';
import { Problem } from '../base/problem.ts';
import { type Catalog, type ServerRecord, toolNamed } from '../catalog/catalog.ts';
import { type Mcp, type McpAnswer, type McpCall, messageShape } from '../mcp/mcp.ts';
import type { Budgets, Policy, Subject, ToolFacts, VisibleTools } from '../policy/policy.ts';
import { type AdmittedCall, ApprovalFlow, type ApprovalFlowDeps } from './approval-flow.ts';
import { catchUp, unknownServer, type VisibleCatalog, visibleCatalog } from './visible-catalog.ts';

/** Made here alone: a route that takes one of these cannot be reached past it. */
declare const enforced: unique symbol;
export type EnforcedMcp = Pick<Mcp, 'call' | 'listTools' | 'relay' | 'listen' | 'overhear'> & {
  /** The same as `call`; with one key, one execution. */
  callOnce(caller: Caller, call: McpCall, idempotencyKey: string): Promise<McpAnswer>;
  readonly [enforced]: true;
};

export type PolicyEnforcement = {
  readonly mcp: EnforcedMcp;
  catalogFor(subject: Asking): VisibleCatalog;
  /** Throws `not_found` for a server that is not seen, and `denied` for a tool of it. */
  require(subject: Asking, serverId: string, tool: string): Promise<void>;
};

/** Who asks; without a developer's name, whoever sees only what everybody sees. */
type Asking = {
  readonly keyId: string;
  readonly developer?: string | undefined;
  readonly client?: string | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly toolset?: string;
};
type Caller = Parameters<Mcp['call']>[0];
type OnNotification = Parameters<Mcp['listen']>[2];

/** What a server answers to everybody who sees something of it. */
const aboutItself: ReadonlySet<string> = new Set([
  'ping',
  'server/discover',
  'tools/list',
  'logging/setLevel',
]);

export type EnforcementDeps = ApprovalFlowDeps & {
  /** Throws `invalid_api_key` where whoever calls may nothing any more, as the store has it. */
  readonly requireCaller: (keyId: string) => Promise<void>;
  readonly policy: Policy;
  readonly budgets: Pick<Budgets, 'spend'>;
  readonly mcp: Mcp;
  readonly catalog: Catalog;
  /** Told of each call of a tool that is refused here; of what goes on, the proxy tells. */
  readonly callRecords: {
    recordRefusal(refused: {
      readonly caller: Caller;
      readonly serverId: string;
      readonly tool: string;
      readonly arguments: Buffer | null;
      readonly refusal: Problem;
    }): void;
  };
};

/** Who may go on to a server, and with what. */
function createAdmission({ policy, catalog }: EnforcementDeps) {
  const findVisible = async (subject: Subject, serverId: string): Promise<ServerRecord> => {
    const known = catalog.peek(serverId)?.record;
    // Nothing is hidden from this principal, and the server has not just come.
    if (known !== undefined && policy.isCurrent(known.revision) && policy.viewFor(subject) === null)
      return known;
    if (!policy.canSee(subject, serverId)) throw unknownServer();
    const record = known ?? (await catalog.get(serverId));
    await catchUp(policy, [record]);
    if (!policy.canSee(subject, serverId)) throw unknownServer();
    return record;
  };
  const toolsOf = (subject: Subject, record: ServerRecord): VisibleTools =>
    policy.viewFor(subject)?.toolsOf(record) ?? 'all';

  /** What a call may be, with whose credentials. Throws `not_found` and `denied`. */
  const admit = async (
    caller: Caller,
    call: McpCall,
  ): Promise<AdmittedCall & { readonly record: ServerRecord }> => {
    const subject = subjectOf(caller);
    const record = await findVisible(subject, call.serverId);
    const { params, method } = call;
    const tool = method === 'tools/call' ? toolNamed(record, params?.name ?? '') : null;
    const decision = policy.decide(
      subject,
      record,
      tool,
      tool === null ? undefined : (params?.arguments ?? null),
    );
    const isDenied = aboutItself.has(method)
      ? toolsOf(subject, record) === 'none'
      : decision.effect === 'deny';
    if (isDenied) throw denied(decision.toolset, tool?.name ?? call.serverId);
    const mayUse = policy.mayUseCredentials(subject, call.serverId);
    const admitted: Caller = {
      ...caller,
      decidedBy: decision.toolset,
      ...(tool !== null && { definition: tool.definition }),
      ...(!mayUse && { usesSharedCredential: false }),
    };
    return { caller: admitted, call, tool, decision, record };
  };
  return { findVisible, toolsOf, admit };
}

export function createPolicyEnforcement(deps: EnforcementDeps): PolicyEnforcement {
  const { mcp, policy } = deps;
  const { findVisible, toolsOf, admit } = createAdmission(deps);
  const perform = createPerform(deps, admit);
  const look = (caller: Caller, serverId: string, method: string) => admit(caller, { serverId, method });
  /** A stream may outlive the right to what it tells. */
  const whileAdmitted =
    (caller: Caller, serverId: string, tell: OnNotification): OnNotification =>
    (told) => {
      const ofResource = told.method === 'notifications/resources/updated';
      const method = ofResource ? 'resources/subscribe' : 'ping';
      look(caller, serverId, method).then(
        () => tell(told),
        () => undefined,
      );
    };

  return {
    mcp: {
      call: (caller, call) => perform(caller, call),
      callOnce: (caller, call, key) => perform(caller, call, key),
      async listTools(caller, serverId) {
        const admitted = await look(caller, serverId, 'tools/list');
        const list = await mcp.listTools(admitted.caller, serverId);
        const seen = toolsOf(subjectOf(caller), admitted.record);
        if (typeof seen !== 'function') return list;
        const factsOf = factsIn(admitted.record);
        return { ...list, tools: list.tools.filter(({ name }) => seen(factsOf(name))) };
      },
      async relay(caller, request) {
        const { caller: admitted, record } = await look(caller, request.serverId, 'ping');
        const subject = subjectOf(caller);
        // In a session of the server's own nothing is looked into: whoever is held to more than "all of it" gets one of ours.
        const isWhole = policy.isUnrestricted(subject, record) && policy.budgetsFor(subject).length === 0;
        return isWhole ? mcp.relay(admitted, request) : null;
      },
      async listen(caller, serverId, onNotification, onAgain) {
        const admitted = await look(caller, serverId, 'ping');
        return mcp.listen(
          admitted.caller,
          serverId,
          whileAdmitted(caller, serverId, onNotification),
          onAgain,
        );
      },
      async overhear(caller, serverId, onNotification) {
        const admitted = await look(caller, serverId, 'ping');
        return mcp.overhear(admitted.caller, serverId, whileAdmitted(caller, serverId, onNotification));
      },
    } as EnforcedMcp,
    catalogFor: (asking) => visibleCatalog(deps, subjectOf(asking)),
    async require(asking, serverId, name) {
      const subject = subjectOf(asking);
      const record = await findVisible(subject, serverId);
      const { effect, toolset } = policy.decide(subject, record, toolNamed(record, name));
      if (effect === 'deny') throw denied(toolset, name);
    },
  };
}

/** A call from its decision to its answer; what is refused of it is recorded. */
function createPerform(deps: EnforcementDeps, admit: ReturnType<typeof createAdmission>['admit']) {
  const { requireCaller, policy, callRecords } = deps;
  const approvals = new ApprovalFlow(deps);
  const run = createRun(deps);
  return async (caller: Caller, call: McpCall, key?: string): Promise<McpAnswer> => {
    try {
      const admitted = await admit(caller, call);
      const answer = await approvals.perform(admitted, {
        run: (by, own, onStart) => run(by, own, { key, onStart }),
        async readmit(again) {
          await requireCaller(caller.keyId);
          const { groups } = (await caller.recheck?.()) ?? caller;
          return admit({ ...caller, groups }, again);
        },
      });
      if (call.method !== 'tools/list') return answer;
      const seen = policy.viewFor(subjectOf(caller))?.toolsOf(admitted.record);
      return typeof seen === 'function' ? withSeenTools(answer, seen, factsIn(admitted.record)) : answer;
    } catch (refusal) {
      if (call.method === 'tools/call' && isRefusal(refusal)) {
        const { serverId, params } = call;
        const sent = params?.arguments?.span() ?? null;
        callRecords.recordRefusal({ caller, serverId, tool: params?.name ?? '', arguments: sent, refusal });
      }
      throw refusal;
    }
  };
}

/** Sends a call on, within the budgets of its principal. */
function createRun({ mcp, policy, budgets, telemetry }: EnforcementDeps) {
  const spend = async (caller: Caller, { serverId, method, params }: McpCall) => {
    const toolsets = method === 'tools/call' ? policy.budgetsFor(subjectOf(caller)) : [];
    if (toolsets.length === 0) return [];
    const { developerId, keyId, userId } = caller;
    return [
      await budgets.spend(toolsets, { developerId, keyId, userId, serverId, tool: params?.name ?? '' }),
    ];
  };
  return async (
    caller: Caller,
    call: McpCall,
    { key, onStart }: { readonly key: string | undefined; readonly onStart: () => Promise<void> },
  ): Promise<McpAnswer> => {
    const spent: ((bytes: number) => Promise<void>)[] = [];
    const begin = async () => {
      spent.push(...(await spend(caller, call)));
      await onStart();
    };
    if (key === undefined) await begin();
    const answer = await (key === undefined
      ? mcp.call(caller, call)
      : mcp.callOnce(caller, call, { key, onStart: begin }));
    for (const add of spent)
      add(bytesOf(call, answer)).catch((error: unknown) =>
        telemetry.log.warn('policy.budget.uncounted', { error }),
      );
    return answer;
  };
}

function bytesOf({ params }: McpCall, answer: McpAnswer): number {
  const sent = params?.arguments?.span().length ?? 0;
  const isResult = answer.kind === 'reply' && 'result' in answer.reply;
  return isResult ? sent + answer.reply.result.span().length : sent;
}

function isRefusal(error: unknown): error is Problem {
  return error instanceof Problem && (error.kind === 'denied' || error.kind === 'rate_limited');
}

function subjectOf({ keyId, developer = '', client, groups, toolset }: Asking): Subject {
  return { keyId, developer, client, groups, toolset };
}

/** What rules look at of a tool that its server listed just now: what the catalogue knows of it. */
function factsIn(record: ServerRecord): (name: string) => ToolFacts {
  return (name) => toolNamed(record, name);
}

const toolShape = { name: true } as const;

/** The list as the server wrote it, without the tools that are not seen. */
function withSeenTools(
  answer: McpAnswer,
  seen: (tool: ToolFacts) => boolean,
  factsOf: (name: string) => ToolFacts,
): McpAnswer {
  if (answer.kind !== 'reply' || !('result' in answer.reply)) return answer;
  const { result } = answer.reply;
  const list = result.present('tools');
  if (list?.kind !== 'array') return answer;
  const kept = itemsOf(list, toolShape).filter((tool) => seen(factsOf(tool.get('name')?.string() ?? '')));
  const spans: JsonParts = kept.flatMap((tool, i) => (i === 0 ? [tool.span()] : [',', tool.span()]));
  const text = joinJson(changeMembers(result, { tools: ['[', ...spans, ']'] }));
  return { ...answer, reply: { result: scanJson(text, messageShape.result) } };
}

function denied(toolset: string | null, what: string): Problem {
  const by = toolset === null ? 'Your toolsets do' : `The toolset ${toolset} does`;
  return new Problem('denied', `${by} not allow ${what.slice(0, 200)}: ask whoever gave you the key`, {
    facts: { toolset },
  });
}
