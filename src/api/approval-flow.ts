import { keyActor } from '../base/actor.ts';
import { sha256Hex } from '../base/id.ts';
import { type JsonView, scanJson } from '../base/json-scanner.ts';
import { Problem } from '../base/problem.ts';
import type { KnownTool, ServerRecord } from '../catalog/catalog.ts';
import {
  canonicalParams,
  type InputResponses,
  inputRequestsJson,
  type Mcp,
  type McpAnswer,
  type McpCall,
} from '../mcp/mcp.ts';
import type { ApprovalRow, Approvals, Decision } from '../policy/policy.ts';
import type { Log } from '../telemetry/telemetry.ts';
import type { Vault } from '../vault/vault.ts';

type Caller = Parameters<Mcp['call']>[0];
/** A call that may go on, as far as the rules of its principal say. */
export type AdmittedCall = {
  readonly caller: Caller;
  readonly call: McpCall;
  readonly record: ServerRecord;
  readonly tool: KnownTool | null;
  readonly decision: Decision;
};
type Run = (onStart: () => Promise<void>) => Promise<McpAnswer>;
export type CallSteps = {
  /** Makes the call; `onStart` has to be through before anything is sent. */
  run(caller: Caller, call: McpCall, onStart: () => Promise<void>): Promise<McpAnswer>;
  /** What the same call was answered under the same Idempotency-Key; null: nothing was. */
  replay(caller: Caller, call: McpCall): Promise<McpAnswer | null>;
  /** The same call, as the rules and its key are now. */
  readmit(call: McpCall): Promise<AdmittedCall>;
};

export type ApprovalFlowDeps = {
  readonly approvals: Pick<Approvals, 'request' | 'start' | 'finish' | 'waitForDecision' | 'urlOf'>;
  readonly mcp: Pick<Mcp, 'localVersion'>;
  readonly vault: { readonly sealedTokens: Vault['sealedTokens'] };
  readonly telemetry: { readonly log: Log };
};

/** What our own continuations hold. `inner`: the server's, where it asked something, or was about to. */
type Sealed = { readonly id: string; readonly round: number; readonly inner?: string | undefined };

/** Listing is no use of what is listed. */
const listings: ReadonlySet<string> = new Set([
  'ping',
  'server/discover',
  'tools/list',
  'logging/setLevel',
  'resources/list',
  'resources/templates/list',
  'prompts/list',
]);
const key = 'approval';
/** A continuation lives as long as an approval may. */
const lifeMs = 3_600_000;
/** A client whose user has gone to decide comes back at once: it is answered when there is something to say. */
const waitMs = 50_000;

/** Most calls have nothing to do with approvals: no rule asks for one, and they continue nothing. */
export function concernsApprovals(admitted: AdmittedCall): boolean {
  const { continuation, inputResponses } = admitted.call;
  return continuation !== undefined || (inputResponses?.size ?? 0) > 0 || wantsApproval(admitted);
}

function wantsApproval({ call, decision }: AdmittedCall): boolean {
  return decision.effect === 'ask' && !listings.has(call.method);
}

/** Makes calls, after a person has agreed to them where a rule wants that. */
export class ApprovalFlow {
  readonly #approvals: ApprovalFlowDeps['approvals'];
  readonly #tickets: Vault['sealedTokens'];
  readonly #log: Log;
  readonly #mcp: ApprovalFlowDeps['mcp'];

  constructor({ approvals, mcp, vault, telemetry }: ApprovalFlowDeps) {
    this.#approvals = approvals;
    this.#mcp = mcp;
    this.#tickets = vault.sealedTokens;
    this.#log = telemetry.log;
  }

  async perform(admitted: AdmittedCall, steps: CallSteps): Promise<McpAnswer> {
    const { caller, call } = admitted;
    const resumed = this.#open(admitted);
    const inner = resumed === null ? call.continuation : resumed.inner;
    const own = { ...call, continuation: inner, inputResponses: withoutOurs(call.inputResponses) };
    const run: Run = (onStart) => steps.run(caller, own, onStart);
    if (resumed !== null && resumed.round > 0) return this.#runApproved(admitted, resumed, run);
    if (!wantsApproval(admitted)) return run(async () => undefined);
    const before = await steps.replay(caller, own);
    if (before !== null) return before;
    const approval = await this.#approvals.request(this.#askedCall(admitted), resumed?.id ?? null);
    const action = actionIn(call.inputResponses);
    if (approval.state === 'pending' && action !== undefined) {
      if (action !== 'accept') throw refused(admitted, approval, 'was not sought');
      await this.#approvals.waitForDecision(approval.id, waitMs, caller.signal);
      // Rules may have changed meanwhile, and the key been revoked.
      const again = { ...call, inputResponses: own.inputResponses };
      return this.perform(await steps.readmit(again), steps);
    }
    if (approval.state === 'pending') return this.#needed(admitted, approval, inner);
    if (approval.state === 'denied') throw refused(admitted, approval, 'was denied');
    return this.#runApproved(admitted, { id: approval.id, round: 0 }, run);
  }

  #askedCall(admitted: AdmittedCall) {
    const { caller, call, record, tool, decision } = admitted;
    const { developerId, keyId, userId = null, account } = caller;
    const { serverId, method, params } = call;
    const canonical = canonicalParams(params);
    return {
      developerId,
      keyId,
      userId,
      serverId,
      // A program has no address: it is what is started.
      address: this.#mcp.localVersion(serverId) ?? record.remoteUrl,
      method,
      tool: nameOf(admitted),
      definition: tool?.definition ?? null,
      // By another account it is another call.
      canonicalParams: account === undefined ? canonical : JSON.stringify([account, canonical]),
      arguments: params?.arguments?.text() ?? '{}',
      toolset: decision.toolset ?? '',
      version: decision.version,
      self: decision.self,
    };
  }

  #seal(admitted: AdmittedCall, content: Sealed): string {
    return this.#tickets.seal(JSON.stringify(content), bindingOf(admitted), lifeMs);
  }

  #open(admitted: AdmittedCall): Sealed | null {
    const { continuation } = admitted.call;
    const text = continuation === undefined ? null : this.#tickets.open(continuation, bindingOf(admitted));
    return text === null ? null : (JSON.parse(text) as Sealed);
  }

  #needed(admitted: AdmittedCall, { id, expires_at }: ApprovalRow, inner: string | undefined): McpAnswer {
    const { serverId } = admitted.call;
    const url = this.#approvals.urlOf(id);
    const message = `${nameOf(admitted).slice(0, 200)} of ${serverId} runs once somebody has approved it`;
    const params = JSON.stringify({ mode: 'url', elicitationId: id, url, message });
    const requests = [
      { key, method: 'elicitation/create', params: scanJson(Buffer.from(params), { url: true }) },
    ];
    return {
      kind: 'input',
      upstreamMs: 0,
      requests,
      inputRequests: inputRequestsJson(requests),
      continuation: this.#seal(admitted, { id, round: 0, inner }),
      approval: { id, expiresAt: expires_at, url },
    };
  }

  /** Under an approval that was given: taken before anything is sent, and over when the call is. */
  async #runApproved(
    admitted: AdmittedCall,
    { id, round }: Pick<Sealed, 'id' | 'round'>,
    run: Run,
  ): Promise<McpAnswer> {
    let isOpen = false;
    try {
      const answer = await run(async () => {
        await this.#approvals.start(id, round, keyActor(admitted.caller));
        isOpen = true;
      });
      if (answer.kind !== 'input') return answer;
      // The server asks something: its call is not over, and each answer goes to it once.
      isOpen = false;
      const next = { id, round: round + 1, inner: answer.continuation };
      return { ...answer, continuation: this.#seal(admitted, next) };
    } finally {
      if (isOpen) await this.#finish(id);
    }
  }

  /** Where the store does not answer, nobody is told that it ended: it may have run, and is not run again. */
  async #finish(id: string): Promise<void> {
    try {
      await this.#approvals.finish(id);
    } catch (error) {
      this.#log.warn('policy.approval.unfinished', { error });
    }
  }
}

/** What is asked for: a tool, a prompt, a resource. */
function nameOf({ call: { method, params } }: AdmittedCall): string {
  return params?.name ?? params?.uri ?? method;
}

function bindingOf({ caller, call }: AdmittedCall): string {
  const { developerId, keyId, userId = null, account = null } = caller;
  const { serverId, method, params } = call;
  const bound = [developerId, keyId, userId, account, serverId, method, canonicalParams(params)];
  return `approval ${sha256Hex(JSON.stringify(bound))}`;
}

function refused(admitted: AdmittedCall, { id, toolset }: ApprovalRow, what: string): Problem {
  return new Problem('denied', `The approval of ${nameOf(admitted).slice(0, 200)} ${what}`, {
    facts: { toolset, approval: id },
  });
}

/** What the client's user did with our question. */
function actionIn(responses: InputResponses | undefined): string | undefined {
  const answer = responses?.get(key);
  if (answer === undefined) return undefined;
  const { action } = answer.value() as { readonly action?: unknown };
  return typeof action === 'string' ? action : 'accept';
}

function withoutOurs(responses: InputResponses | undefined): InputResponses | undefined {
  if (responses?.has(key) !== true) return responses;
  return new Map<string, JsonView>([...responses].filter(([name]) => name !== key));
}
