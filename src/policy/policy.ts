/**
 * Who may use what: who sees a server, whose calls carry the operator's credentials, and which tools a toolset leaves to
 * the keys and developers that it is bound to.
 *
 * Promises: one function decides, from memory; a change is effective here at once and in other processes within a second,
 * as for keys; order never matters, so two people can edit without breaking each other. What the operator's credentials or
 * programs stand behind is private to the operator until it is granted. Without any rights and toolsets nothing is hidden
 * from anybody, and nothing costs anything.
 * When the store fails, the rights known last go on; before they were read once, the service does not start.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../base/clock.ts';
import { coalesced } from '../base/coalesced-run.ts';
import { Problem } from '../base/problem.ts';
import type { Storage } from '../storage/storage.ts';
import type { Log } from '../telemetry/telemetry.ts';
import {
  type Bindings,
  type Decision,
  noBindings,
  type Rule,
  type ServerFacts,
  type ServerRights,
  type Subject,
  type ToolFacts,
  type ToolOverride,
  type Toolset,
  type View,
} from './policy-model.ts';
import { compileState, decideFor, grantFor, type PolicyState, rulesOn, toolsetsFor } from './policy-state.ts';
import {
  type By,
  type ConfirmedTools,
  createPolicyStore,
  type StoredPolicy,
  type ToolsetChanges,
  type ToolsetInput,
} from './policy-store.ts';
import type { CallArguments } from './rules/argument-conditions.ts';
import { fitsServer, fitsTool, isAboutTools } from './rules/decision.ts';
import { believedOf, type MarkSources, noMarks, readMarks } from './tool-marks.ts';
import { createVisibility } from './visible-tools.ts';

export {
  type ApprovalRow,
  approvalSeals,
  approvalStates,
} from './approvals/approval-store.ts';
export { type Approval, type Approvals, createApprovals } from './approvals/approvals.ts';
export { type Budgets, createBudgets } from './budgets/budgets.ts';
export { type CallEntry, type CallLog, createCallLog } from './calls/call-log.ts';
export { type CallOutcome, type CallRow, callOutcomes } from './calls/call-log-store.ts';
export { maskArguments } from './calls/mask-arguments.ts';
export type {
  Bindings,
  Budget,
  Decision,
  Rule,
  ServerFacts,
  ServerRights,
  Subject,
  ToolFacts,
  ToolOverride,
  Toolset,
  View,
  VisibleTools,
} from './policy-model.ts';
export { noBindings } from './policy-model.ts';
export { checkCondition } from './rules/argument-conditions.ts';

export type Policy = {
  /** Reads the rights; rejects when the store does not answer. Once it is resolved, they are as new as the call. */
  start(): Promise<void>;
  /** Whether the rights in memory were read after the catalogue had this revision: rights are written before their server. */
  isCurrent(revision: number): boolean;
  /** Whether the server exists for this principal at all. */
  canSee(subject: Subject, serverId: string): boolean;
  /** Whether the operator's own credentials go with this principal's calls. */
  mayUseCredentials(subject: Subject, serverId: string): boolean;
  /** What is decided of a call of a tool, or with null of everything else that the server offers; without arguments, of what may be seen. */
  decide(subject: Subject, server: ServerFacts, tool: ToolFacts | null, args?: CallArguments): Decision;
  /** Whether nothing about this server depends on who asks for what: no rule looks at its tools, none asks, none denies. */
  isUnrestricted(subject: Subject, server: ServerFacts): boolean;
  /** Whether a rule about the arguments may make the decision on a tool another one. */
  dependsOnArguments(subject: Subject, server: ServerFacts, tool: ToolFacts): boolean;
  /** Whether a rule is about such a tool, or with null about anything of such a server. */
  fits(rule: Rule, server: ServerFacts, tool: ToolFacts | null): boolean;
  /** Words in place of servers' own, at the door of a toolset. */
  overridesFor(subject: Subject): readonly ToolOverride[];
  /** The tools that the principal's toolsets pin. */
  pinsFor(subject: Subject): readonly Pick<ToolOverride, 'server' | 'tool'>[];
  /** The toolsets with a budget that count for this principal. */
  budgetsFor(subject: Subject): readonly Toolset[];
  /** null: nothing is hidden from this principal. */
  viewFor(subject: Subject): View | null;
  readonly admin: PolicyAdmin;
};

export type PolicyAdmin = {
  toolsets(): readonly Toolset[];
  /** Throws `not_found`. */
  toolset(name: string): { readonly toolset: Toolset; readonly bindings: Bindings };
  putToolset(name: string, input: ToolsetInput, by: By): Promise<void>;
  /** All of it at once. */
  changeToolsets(changes: ToolsetChanges, by: By): Promise<void>;
  removeToolset(name: string, by: By): Promise<void>;
  putBindings(name: string, bindings: Bindings, by: By): Promise<void>;
  rightsOf(serverId: string): ServerRights;
  /** Servers of which somebody said who may see them. */
  serversWithRights(): readonly string[];
  /** Whether anybody said who may see it. */
  hasRights(serverId: string): boolean;
  /** null: nobody said who may see them, as it was before somebody did. */
  putRights(serverIds: readonly string[], rights: ServerRights | null, by: By): Promise<void>;
  /** Tools whose annotations are believed as long as they are what they were then; after that they count as changed. */
  confirmedTools(serverId: string): ConfirmedTools;
  /** The whole list of a server each time. */
  putConfirmed(serverId: string, confirmed: ConfirmedTools, by: By): Promise<void>;
};

export type PolicyDeps = MarkSources & {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly log: Log;
  /** The developer whose the operator's own servers are. */
  readonly operator: string;
  readonly catalogRevision: () => Promise<number>;
  /** Servers that the operator's credentials or programs stand behind: private unless something else was said. */
  readonly operatorServers: () => Promise<ReadonlySet<string>>;
};

export function createPolicy(deps: PolicyDeps): Policy {
  const { storage, clock, log, operator, operatorServers, catalogRevision } = deps;
  const store = createPolicyStore(storage, clock);
  let state = compileState(nothingStored, { operatorServers: new Set(), marks: noMarks, version: 0 });

  let current = -1;
  const refresh = coalesced(async () => {
    const revision = await catalogRevision();
    const [stored, servers] = await Promise.all([store.read(), operatorServers()]);
    const marks = await readMarks(deps, stored);
    const now = { operatorServers: servers, marks };
    // The catalogue changes oftener than anything here: what follows from a state (views, and masks made of them) stays with it.
    if (!isSameState(state, { ...stored, ...now }))
      state = compileState(stored, { ...now, version: state.version + 1 });
    current = revision;
  });
  const refreshBehind = () => {
    refresh().catch((error: unknown) => log.warn('policy.refresh.failed', { error }));
  };
  storage.subscribe('policy', refreshBehind);
  storage.subscribe('catalog', refreshBehind);

  const rightsOf = (serverId: string): ServerRights =>
    state.rights.get(serverId) ?? {
      visibility: state.operatorServers.has(serverId) ? 'private' : 'public',
      owner: operator,
      granted: [],
    };
  const canSee = (subject: Subject, serverId: string): boolean => {
    if (state.privateServers.length === 0) return true;
    const { visibility, owner, granted } = rightsOf(serverId);
    return visibility === 'public' || owner === subject.developer || grantFor(granted, subject) !== undefined;
  };

  return {
    start: refresh,
    isCurrent: (revision) => revision <= current,
    canSee,
    mayUseCredentials(subject, serverId) {
      if (!state.operatorServers.has(serverId)) return true;
      const { owner, granted } = rightsOf(serverId);
      return owner === subject.developer || grantFor(granted, subject)?.credentials === true;
    },
    decide: (subject, server, tool, args) => decideFor(state, subject, { server, tool, args }),
    isUnrestricted: (subject, server) =>
      rulesOn(state, subject, server).every((rule) => rule.effect === 'allow' && !isAboutTools(rule)) &&
      decideFor(state, subject, { server, tool: null }).effect === 'allow',
    dependsOnArguments: (subject, server, tool) =>
      rulesOn(state, subject, server).some(
        (rule) =>
          rule.arguments !== undefined && fitsTool(rule, server, believedOf(state.marks, server, tool)),
      ),
    fits: (rule, server, tool) =>
      tool === null
        ? fitsServer(rule, server)
        : fitsTool(rule, server, believedOf(state.marks, server, tool)),
    overridesFor: ({ toolset }) => state.toolsets.get(toolset ?? '')?.overrides ?? [],
    pinsFor: (subject) =>
      toolsetsFor(state, subject).flatMap(({ overrides }) => overrides.filter(({ pinned }) => pinned)),
    budgetsFor: (subject) => toolsetsFor(state, subject).filter(({ budget }) => budget !== null),
    viewFor(subject) {
      const { keyId, developer, toolset = '', client = '', groups = [] } = subject;
      const key = JSON.stringify([keyId, developer, toolset, client, groups]);
      let known = state.views.get(key);
      if (known === undefined) {
        known = { view: makeView(state, subject, canSee) };
        state.views.set(key, known);
      }
      return known.view;
    },
    admin: createAdmin({ store, refresh, state: () => state, rightsOf }),
  };
}

function isSameState(
  state: PolicyState,
  read: StoredPolicy & Pick<PolicyState, 'operatorServers' | 'marks'>,
) {
  const { rights, toolsets, bindings, confirmed, operatorServers, marks } = state;
  return isDeepStrictEqual(read, { rights, toolsets, bindings, confirmed, operatorServers, marks });
}

const nothingStored = { rights: new Map(), toolsets: new Map(), bindings: new Map(), confirmed: new Map() };

function makeView(state: PolicyState, subject: Subject, canSee: Policy['canSee']): View | null {
  const toolsets = toolsetsFor(state, subject);
  const hidden = new Set(state.privateServers.filter((id) => !canSee(subject, id)));
  if (hidden.size === 0 && toolsets.length === 0) return null;
  const names = toolsets.map(({ name }) => name).sort();
  const seen = state.privateServers.filter((id) => !hidden.has(id));
  const visible = createVisibility(state, subject);
  return {
    key: JSON.stringify([state.version, names, subject.toolset ?? null, seen]),
    toolsOf: (server) => (hidden.has(server.id) ? 'none' : visible(server)),
  };
}

function createAdmin(deps: {
  readonly store: ReturnType<typeof createPolicyStore>;
  readonly refresh: () => Promise<void>;
  readonly state: () => PolicyState;
  readonly rightsOf: (serverId: string) => ServerRights;
}): PolicyAdmin {
  const { store, refresh, state, rightsOf } = deps;
  const find = (name: string): Toolset => {
    const toolset = state().toolsets.get(name);
    if (toolset === undefined) throw new Problem('not_found', 'Toolset not found');
    return toolset;
  };
  /** Throws for one that is not there; another process may have made it just now. */
  const requireToolset = async (name: string): Promise<void> => {
    if (!state().toolsets.has(name)) await refresh();
    find(name);
  };
  return {
    toolsets: () => [...state().toolsets.values()],
    toolset: (name) => ({
      toolset: find(name),
      bindings: state().bindings.get(name) ?? noBindings,
    }),
    putToolset: (name, input, by) =>
      store.changeToolsets({ put: [{ name, input, bindings: null }], removed: [] }, by).then(refresh),
    changeToolsets: (changes, by) => store.changeToolsets(changes, by).then(refresh),
    async removeToolset(name, by) {
      await requireToolset(name);
      await store.changeToolsets({ put: [], removed: [name] }, by);
      await refresh();
    },
    async putBindings(name, bindings, by) {
      await requireToolset(name);
      await store.putBindings(name, bindings, by);
      await refresh();
    },
    rightsOf,
    serversWithRights: () => [...state().rights.keys()].sort(),
    hasRights: (serverId) => state().rights.has(serverId),
    putRights: (serverIds, rights, by) => store.putRights(serverIds, rights, by).then(refresh),
    confirmedTools: (serverId) => state().confirmed.get(serverId) ?? new Map(),
    putConfirmed: (serverId, confirmed, by) => store.putConfirmed(serverId, confirmed, by).then(refresh),
  };
}
