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
import type { Budgets, Policy, ToolFacts } from '../policy/policy.ts';
import {
  type AdmittedCall,
  ApprovalFlow,
  type ApprovalFlowDeps,
  concernsApprovals,
} from './approval-flow.ts';
import { type Asking, createAdmission, denied, subjectOf } from './call-admission.ts';
import { type VisibleCatalog, visibleCatalog } from './visible-catalog.ts';

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
  /** A server as that principal sees it; a promise only where it has to be looked up. Throws `not_found`. */
  find(subject: Asking, serverId: string): ServerRecord | Promise<ServerRecord>;
  /** Throws `not_found` for a server that is not seen, and `denied` for a tool of it. */
  require(subject: Asking, serverId: string, tool: string): Promise<void>;
};

type Caller = Parameters<Mcp['call']>[0];
type OnNotification = Parameters<Mcp['listen']>[2];

export type EnforcementDeps = ApprovalFlowDeps & {
  /** Throws `invalid_api_key` where whoever calls may nothing any more, as the store has it. */
  readonly requireCaller: (keyId: string) => Promise<void>;
  readonly policy: Policy;
  readonly budgets: Pick<Budgets, 'spend'>;
  readonly mcp: Mcp;
  readonly catalog: Catalog;
  /** Told of each call of a tool that is refused here, or waits; of what goes on, the proxy tells. */
  readonly callRecords: {
    recordRefusal(refused: UnsentCall & { readonly refusal: Problem }): void;
    recordWaiting(waiting: UnsentCall & { readonly toolset: string | null }): void;
  };
};
type UnsentCall = {
  readonly caller: Caller;
  readonly serverId: string;
  readonly tool: string;
  readonly arguments: Buffer | null;
};

export function createPolicyEnforcement(deps: EnforcementDeps): PolicyEnforcement {
  const { mcp, policy } = deps;
  const { atHand, findVisible, toolsOf, admit } = createAdmission(deps);
  const perform = createPerform(deps, admit);
  const look = async (caller: Caller, serverId: string, method: string) =>
    admit(caller, { serverId, method });
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
    find(asking, serverId) {
      const subject = subjectOf(asking);
      return atHand(subject, serverId) ?? visibleCatalog(deps, subject).get(serverId);
    },
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
  const { run, replay } = createRun(deps);
  const approve = (admitted: AdmittedCall, caller: Caller, { key, onRun }: Performing) =>
    approvals.perform(admitted, {
      run(by, own, onStart) {
        onRun();
        return run(by, own, { key, onStart });
      },
      replay: (by, own) => replay(by, own, key),
      async readmit(again) {
        await requireCaller(caller.keyId);
        const { groups } = (await caller.recheck?.()) ?? caller;
        return admit({ ...caller, groups }, again);
      },
    });
  const asSeen = (answer: McpAnswer, { call, record }: AdmittedCall, caller: Caller): McpAnswer => {
    if (call.method !== 'tools/list') return answer;
    const seen = policy.viewFor(subjectOf(caller))?.toolsOf(record);
    return typeof seen === 'function' ? withSeenTools(answer, seen, factsIn(record)) : answer;
  };
  return async (caller: Caller, call: McpCall, key?: string): Promise<McpAnswer> => {
    const isTool = call.method === 'tools/call';
    let by = caller;
    /** It may end before it is given to its server: nobody else records that. */
    let isUnsent = false;
    const onRun = () => {
      isUnsent = false;
    };
    try {
      const waiting = admit(caller, call);
      const admitted = waiting instanceof Promise ? await waiting : waiting;
      by = admitted.caller;
      isUnsent = concernsApprovals(admitted);
      if (!isUnsent) return asSeen(await run(by, call, { key }), admitted, caller);
      const answer = await approve(admitted, caller, { key, onRun });
      if (isTool && isUnsent && answer.kind === 'input')
        callRecords.recordWaiting({ ...unsentCall(by, call), toolset: admitted.decision.toolset });
      return asSeen(answer, admitted, caller);
    } catch (refusal) {
      if (isTool && isRefusal(refusal, isUnsent))
        callRecords.recordRefusal({ ...unsentCall(by, call), refusal });
      throw refusal;
    }
  };
}

/** `onRun`: it goes to its server now. */
type Performing = { readonly key: string | undefined; readonly onRun: () => void };

function unsentCall(caller: Caller, { serverId, params }: McpCall): UnsentCall {
  return {
    caller,
    serverId,
    tool: params?.name ?? '',
    arguments: params?.arguments?.span() ?? null,
  };
}

/** How a call is made: with one key, one execution; `onStart` is through before anything is sent. */
type RunOptions = { readonly key: string | undefined; readonly onStart?: () => Promise<void> };

/** Sends a call on, within the budgets of its principal. */
function createRun({ mcp, policy, budgets, telemetry }: EnforcementDeps) {
  type Toolsets = ReturnType<Policy['budgetsFor']>;
  const runWithin = async (
    toolsets: Toolsets,
    [caller, call]: readonly [Caller, McpCall],
    { key, onStart }: RunOptions,
  ): Promise<McpAnswer> => {
    const spent: ((bytes: number) => Promise<void>)[] = [];
    const begin = async () => {
      const { developerId, keyId, userId } = caller;
      const by = { developerId, keyId, userId, serverId: call.serverId, tool: call.params?.name ?? '' };
      if (toolsets.length > 0) spent.push(await budgets.spend(toolsets, by));
      await onStart?.();
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
  return {
    run(caller: Caller, call: McpCall, options: RunOptions): Promise<McpAnswer> {
      const toolsets = call.method === 'tools/call' ? policy.budgetsFor(subjectOf(caller)) : [];
      const isPlain = toolsets.length === 0 && options.key === undefined && options.onStart === undefined;
      return isPlain ? mcp.call(caller, call) : runWithin(toolsets, [caller, call], options);
    },
    /** Sends nothing. A question of the server's is no answer: it belongs to the approval that it came under. */
    async replay(caller: Caller, call: McpCall, key: string | undefined): Promise<McpAnswer | null> {
      if (key === undefined) return null;
      const onStart = () => Promise.reject(unanswered);
      try {
        const answer = await mcp.callOnce(caller, call, { key, onStart });
        return answer.kind === 'reply' ? answer : null;
      } catch (error) {
        if (error === unanswered) return null;
        throw error;
      }
    },
  };
}

/** Frees the key again. */
const unanswered = new Error('nothing was answered under this key');

function bytesOf({ params }: McpCall, answer: McpAnswer): number {
  const sent = params?.arguments?.span().length ?? 0;
  const isResult = answer.kind === 'reply' && 'result' in answer.reply;
  return isResult ? sent + answer.reply.result.span().length : sent;
}

const refusals: ReadonlySet<string> = new Set(['denied', 'rate_limited', 'conflict']);

/** `isUnsent`: there may be no room for one more that waits, too. */
function isRefusal(error: unknown, isUnsent: boolean): error is Problem {
  return error instanceof Problem && (refusals.has(error.kind) || (isUnsent && error.kind === 'unavailable'));
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
