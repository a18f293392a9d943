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
import { type BoundedCache, createBoundedCache } from '../base/bounded-cache.ts';
import type { Clock } from '../base/clock.ts';
import { coalesced } from '../base/coalesced-run.ts';
import { Problem } from '../base/problem.ts';
import type { Storage } from '../storage/storage.ts';
import type { Log } from '../telemetry/telemetry.ts';
import { decide, fitsServer, stricter } from './decision.ts';
import type { Bindings, Decision, ServerFacts, ServerRights, Subject, Toolset } from './policy-model.ts';
import { type By, createPolicyStore, type StoredPolicy, type ToolsetInput } from './policy-store.ts';

export { type CallEntry, type CallLog, createCallLog } from './calls/call-log.ts';
export { type CallRow, callOutcomes } from './calls/call-log-store.ts';
export { fitsServer } from './decision.ts';
export { matchesGlob } from './glob.ts';
export type {
  Bindings,
  Decision,
  Rule,
  ServerFacts,
  ServerRights,
  Subject,
  Toolset,
} from './policy-model.ts';

/** Which of a server's tools somebody sees. */
export type VisibleTools = 'all' | 'none' | ((tool: string) => boolean);

/** What one principal sees of the catalogue. Two with the same `key` see the same. */
export type View = {
  readonly key: string;
  toolsOf(server: ServerFacts): VisibleTools;
};

export type Policy = {
  /** Reads the rights; rejects when the store does not answer. Once it is resolved, they are as new as the call. */
  start(): Promise<void>;
  /** Whether the rights in memory were read after the catalogue had this revision: rights are written before their server. */
  isCurrent(revision: number): boolean;
  /** Whether the server exists for this principal at all. */
  canSee(subject: Subject, serverId: string): boolean;
  /** Whether the operator's own credentials go with this principal's calls. */
  mayUseCredentials(subject: Subject, serverId: string): boolean;
  /** What is decided of a tool, or with null of everything else that the server offers. */
  decide(subject: Subject, server: ServerFacts, tool: string | null): Decision;
  /** null: nothing is hidden from this principal. */
  viewFor(subject: Subject): View | null;
  readonly admin: PolicyAdmin;
};

export type PolicyAdmin = {
  toolsets(): readonly Toolset[];
  /** Throws `not_found`. */
  toolset(name: string): { readonly toolset: Toolset; readonly bindings: Bindings };
  putToolset(name: string, input: ToolsetInput, by: By): Promise<void>;
  removeToolset(name: string, by: By): Promise<void>;
  putBindings(name: string, bindings: Bindings, by: By): Promise<void>;
  rightsOf(serverId: string): ServerRights;
  /** Servers of which somebody said who may see them. */
  serversWithRights(): readonly string[];
  /** Whether anybody said who may see it. */
  hasRights(serverId: string): boolean;
  putRights(serverIds: readonly string[], rights: ServerRights, by: By): Promise<void>;
};

export type PolicyDeps = {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly log: Log;
  /** The developer whose the operator's own servers are. */
  readonly operator: string;
  readonly catalogRevision: () => Promise<number>;
  /** Servers that the operator's credentials or programs stand behind: private unless something else was said. */
  readonly operatorServers: () => Promise<ReadonlySet<string>>;
};

/** Views kept; a developer's keys share one unless toolsets tell them apart. */
const viewsKept = 10_000;
const everybody = '*';

/** The rights as they are now. Nothing in it changes: with the next change there is another one. */
type State = StoredPolicy & {
  readonly version: number;
  readonly operatorServers: ReadonlySet<string>;
  readonly byKey: ReadonlyMap<string, readonly Toolset[]>;
  readonly byDeveloper: ReadonlyMap<string, readonly Toolset[]>;
  /** Servers that are not everybody's. */
  readonly privateServers: readonly string[];
  readonly views: BoundedCache<{ readonly view: View | null }>;
};

export function createPolicy(deps: PolicyDeps): Policy {
  const { storage, clock, log, operator, operatorServers, catalogRevision } = deps;
  const store = createPolicyStore(storage, clock);
  let state = compile({ rights: new Map(), toolsets: new Map(), bindings: new Map() }, new Set(), 0);

  let current = -1;
  const refresh = coalesced(async () => {
    const revision = await catalogRevision();
    const [stored, servers] = await Promise.all([store.read(), operatorServers()]);
    state = compile(stored, servers, state.version + 1);
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
  const makeView = (subject: Subject): View | null => {
    const toolsets = [...toolsetsOf(state, subject), ...throughToolset(state, subject)];
    const hidden = new Set(state.privateServers.filter((id) => !canSee(subject, id)));
    if (hidden.size === 0 && toolsets.length === 0) return null;
    const names = toolsets.map(({ name }) => name).sort();
    const seen = state.privateServers.filter((id) => !hidden.has(id));
    return {
      key: JSON.stringify([state.version, names, subject.toolset ?? null, seen]),
      toolsOf: (server) =>
        hidden.has(server.id)
          ? 'none'
          : visibleTools(toolsets, server, (tool) => decideFor(state, subject, server, tool)),
    };
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
    decide: (subject, server, tool) => decideFor(state, subject, server, tool),
    viewFor(subject) {
      const key = `${subject.keyId}\n${subject.developer}\n${subject.toolset ?? ''}`;
      let known = state.views.get(key);
      if (known === undefined) {
        known = { view: makeView(subject) };
        state.views.set(key, known);
      }
      return known.view;
    },
    admin: createAdmin({ store, refresh, state: () => state, rightsOf }),
  };
}

function createAdmin(deps: {
  readonly store: ReturnType<typeof createPolicyStore>;
  readonly refresh: () => Promise<void>;
  readonly state: () => State;
  readonly rightsOf: (serverId: string) => ServerRights;
}): PolicyAdmin {
  const { store, refresh, state, rightsOf } = deps;
  const find = (name: string): Toolset => {
    const toolset = state().toolsets.get(name);
    if (toolset === undefined) throw new Problem('not_found', 'Toolset not found');
    return toolset;
  };
  return {
    toolsets: () => [...state().toolsets.values()],
    toolset: (name) => ({
      toolset: find(name),
      bindings: state().bindings.get(name) ?? { keys: [], developers: [] },
    }),
    putToolset: (name, input, by) => store.putToolset(name, input, by).then(refresh),
    async removeToolset(name, by) {
      find(name);
      await store.removeToolset(name, by);
      await refresh();
    },
    async putBindings(name, bindings, by) {
      find(name);
      await store.putBindings(name, bindings, by);
      await refresh();
    },
    rightsOf,
    serversWithRights: () => [...state().rights.keys()].sort(),
    hasRights: (serverId) => state().rights.has(serverId),
    putRights: (serverIds, rights, by) => store.putRights(serverIds, rights, by).then(refresh),
  };
}

function compile(stored: StoredPolicy, operatorServers: ReadonlySet<string>, version: number): State {
  const byKey = new Map<string, Toolset[]>();
  const byDeveloper = new Map<string, Toolset[]>();
  for (const [name, { keys, developers }] of stored.bindings) {
    const toolset = stored.toolsets.get(name);
    if (toolset === undefined) continue;
    for (const key of keys) byKey.set(key, [...(byKey.get(key) ?? []), toolset]);
    for (const each of developers) byDeveloper.set(each, [...(byDeveloper.get(each) ?? []), toolset]);
  }
  const said = [...stored.rights].filter(([, { visibility }]) => visibility === 'private').map(([id]) => id);
  const implied = [...operatorServers].filter((id) => !stored.rights.has(id));
  const privateServers = [...said, ...implied].sort();
  const views = createBoundedCache<{ readonly view: View | null }>(viewsKept);
  return { ...stored, version, operatorServers, byKey, byDeveloper, privateServers, views };
}

const noToolsets: readonly Toolset[] = [];

function toolsetsOf({ byKey, byDeveloper }: State, { keyId, developer }: Subject): readonly Toolset[] {
  const [ofKey, ofDeveloper] = [byKey.get(keyId), byDeveloper.get(developer)];
  if (ofKey === undefined || ofDeveloper === undefined) return ofKey ?? ofDeveloper ?? noToolsets;
  return [...new Set([...ofKey, ...ofDeveloper])];
}

function throughToolset({ toolsets }: State, { toolset }: Subject): readonly Toolset[] {
  if (toolset === undefined) return noToolsets;
  const through = toolsets.get(toolset);
  // Taken away meanwhile: nothing is left of what it allowed.
  return [through ?? { name: toolset, title: null, rules: [], fallback: 'deny', version: 0 }];
}

function decideFor(state: State, subject: Subject, server: ServerFacts, tool: string | null): Decision {
  const own = decide(toolsetsOf(state, subject), server, tool);
  return subject.toolset === undefined
    ? own
    : stricter(own, decide(throughToolset(state, subject), server, tool));
}

function grantFor(granted: ServerRights['granted'], { developer }: Subject) {
  return (
    granted.find((grant) => grant.developer === developer) ??
    granted.find((grant) => grant.developer === everybody)
  );
}

function visibleTools(
  toolsets: readonly Toolset[],
  server: ServerFacts,
  decideOn: (tool: string | null) => Decision,
): VisibleTools {
  const sees = (tool: string | null) => decideOn(tool).effect !== 'deny';
  const isAboutTools = toolsets.some(({ rules }) =>
    rules.some((rule) => rule.tool !== undefined && fitsServer(rule, server)),
  );
  if (isAboutTools) return sees;
  return sees(null) ? 'all' : 'none';
}
