/** The rights at one time, compiled, and what follows from them. */
import { type BoundedCache, createBoundedCache } from '../base/bounded-cache.ts';
import type {
  Bindings,
  Decision,
  Rule,
  ServerFacts,
  ServerRights,
  Subject,
  ToolFacts,
  Toolset,
  View,
} from './policy-model.ts';
import type { StoredPolicy } from './policy-store.ts';
import type { CallArguments } from './rules/argument-conditions.ts';
import { decide, fitsServer, stricter } from './rules/decision.ts';
import { believedOf, type ToolMarks } from './tool-marks.ts';

/** Nothing in it changes: with the next change there is another one. */
export type PolicyState = StoredPolicy & {
  readonly version: number;
  readonly operatorServers: ReadonlySet<string>;
  readonly marks: ToolMarks;
  readonly byKey: ReadonlyMap<string, readonly Toolset[]>;
  readonly byDeveloper: ReadonlyMap<string, readonly Toolset[]>;
  readonly byClient: ReadonlyMap<string, readonly Toolset[]>;
  readonly byGroup: ReadonlyMap<string, readonly Toolset[]>;
  /** Servers that are not everybody's. */
  readonly privateServers: readonly string[];
  readonly views: BoundedCache<{ readonly view: View | null }>;
};

/** Views kept; a developer's keys share one unless toolsets tell them apart. */
const viewsKept = 10_000;
const everybody = '*';

export function compileState(
  stored: StoredPolicy,
  now: Pick<PolicyState, 'operatorServers' | 'marks' | 'version'>,
): PolicyState {
  const bound = {
    byKey: boundBy(stored, ({ keys }) => keys),
    byDeveloper: boundBy(stored, ({ developers }) => developers),
    byClient: boundBy(stored, ({ clients }) => clients),
    byGroup: boundBy(stored, ({ groups }) => groups),
  };
  const said = [...stored.rights].filter(([, { visibility }]) => visibility === 'private').map(([id]) => id);
  const implied = [...now.operatorServers].filter((id) => !stored.rights.has(id));
  const privateServers = [...said, ...implied].sort();
  const views = createBoundedCache<{ readonly view: View | null }>(viewsKept);
  return { ...stored, ...now, ...bound, privateServers, views };
}

function boundBy(
  { bindings, toolsets }: StoredPolicy,
  subjectsOf: (bindings: Bindings) => readonly string[],
): ReadonlyMap<string, readonly Toolset[]> {
  const bound = new Map<string, Toolset[]>();
  for (const [name, each] of bindings) {
    const toolset = toolsets.get(name);
    if (toolset === undefined) continue;
    for (const subject of subjectsOf(each)) bound.set(subject, [...(bound.get(subject) ?? []), toolset]);
  }
  return bound;
}

const noToolsets: readonly Toolset[] = [];

function boundToolsets(state: PolicyState, subject: Subject): readonly Toolset[] {
  const { keyId, developer, client, groups } = subject;
  const [ofKey, ofDeveloper] = [state.byKey.get(keyId), state.byDeveloper.get(developer)];
  if (client === undefined && groups === undefined && (ofKey === undefined || ofDeveloper === undefined))
    return ofKey ?? ofDeveloper ?? noToolsets;
  const ofClient = client === undefined ? noToolsets : (state.byClient.get(client) ?? noToolsets);
  const ofGroups = (groups ?? []).flatMap((group) => state.byGroup.get(group) ?? noToolsets);
  return [...new Set([...(ofKey ?? noToolsets), ...(ofDeveloper ?? noToolsets), ...ofClient, ...ofGroups])];
}

/** Taken away meanwhile: nothing is left of what it allowed. */
const goneToolset = {
  title: null,
  rules: [],
  fallback: 'deny',
  budget: null,
  overrides: [],
  version: 0,
} as const;

/** The one whose door it came through. */
function doorToolset({ toolsets }: PolicyState, { toolset: name }: Subject): readonly Toolset[] {
  return name === undefined ? noToolsets : [toolsets.get(name) ?? { ...goneToolset, name }];
}

export function toolsetsFor(state: PolicyState, subject: Subject): readonly Toolset[] {
  return [...boundToolsets(state, subject), ...doorToolset(state, subject)];
}

/** Rules about this server, or some of its tools. */
export function rulesOn(state: PolicyState, subject: Subject, server: ServerFacts): readonly Rule[] {
  return toolsetsFor(state, subject).flatMap((toolset) => toolsetOn(toolset, server).rules);
}

/** Each with what it says of each server that was asked for: both are other objects once they change. */
const narrowed = new WeakMap<Toolset, WeakMap<ServerFacts, Toolset>>();

/** The toolset with its rules about one server alone, which a call is decided by: not every call walks through all of hundreds. */
function toolsetOn(toolset: Toolset, server: ServerFacts): Toolset {
  const servers = narrowed.get(toolset) ?? new WeakMap<ServerFacts, Toolset>();
  const known = servers.get(server);
  if (known !== undefined) return known;
  const rules = toolset.rules.filter((rule) => fitsServer(rule, server)).map(aboutAnyServer);
  const on = { ...toolset, rules };
  narrowed.set(toolset, servers.set(server, on));
  return on;
}

/** What is left of a rule that fits the server. */
function aboutAnyServer(rule: Rule): Rule {
  if ((rule.server ?? rule.tags ?? rule.categories) === undefined) return rule;
  const { server: _, tags: __, categories: ___, ...rest } = rule;
  return rest;
}

export type Asked = {
  readonly server: ServerFacts;
  readonly tool: ToolFacts | null;
  readonly args?: CallArguments;
};

export function decideFor(state: PolicyState, subject: Subject, { server, tool, args }: Asked): Decision {
  const { own, door } = toolsetsOf(state, subject);
  const judged = tool === null ? null : believedOf(state.marks, server, tool);
  const on = (toolset: Toolset) => toolsetOn(toolset, server);
  const decision = decide(own.map(on), server, judged, args);
  return door.length === 0 ? decision : stricter(decision, decide(door.map(on), server, judged, args));
}

/** Those of the principal, and the one whose door it came through: the stricter of the two decides. */
export type Held = { readonly own: readonly Toolset[]; readonly door: readonly Toolset[] };

export function toolsetsOf(state: PolicyState, subject: Subject): Held {
  return { own: boundToolsets(state, subject), door: doorToolset(state, subject) };
}

export function grantFor(granted: ServerRights['granted'], { developer }: Subject) {
  return (
    granted.find((grant) => grant.developer === developer) ??
    granted.find((grant) => grant.developer === everybody)
  );
}
