import { defaultHints } from '../base/tool-hints.ts';
import type { JudgedTool, ServerFacts, ToolFacts } from './policy-model.ts';
import type { StoredPolicy } from './policy-store.ts';

/** Tools by their server. */
export type ToolSets = ReadonlyMap<string, ReadonlySet<string>>;

/** What is known of tools beside their server's words. */
export type ToolMarks = {
  /** Confirmed by the operator, and still what they were then. */
  readonly confirmed: ToolSets;
  readonly changed: ToolSets;
  readonly suspicious: ToolSets;
};
export const noMarks: ToolMarks = { confirmed: new Map(), changed: new Map(), suspicious: new Map() };

export type MarkSources = {
  /** What probes found: tools that are not what they were, and tools whose words are suspicious. */
  readonly probedTools: () => Promise<Pick<ToolMarks, 'suspicious'> & { readonly drifted: ToolSets }>;
  /** By server and tool the SHA-256 of what is said of it now. */
  readonly definitionsOf: (serverIds: readonly string[]) => Promise<StoredPolicy['confirmed']>;
};

/** Read only where something depends on it: what probes found of a large catalogue is much. */
export async function readMarks(
  { probedTools, definitionsOf }: MarkSources,
  { toolsets, confirmed }: Pick<StoredPolicy, 'toolsets' | 'confirmed'>,
): Promise<ToolMarks> {
  const rules = [...toolsets.values()].flatMap((toolset) => toolset.rules);
  const isAsked = rules.some(({ changed, suspicious }) => changed !== undefined || suspicious !== undefined);
  if (!isAsked && confirmed.size === 0) return noMarks;
  const [{ drifted, suspicious }, definitions] = await Promise.all([
    probedTools(),
    definitionsOf([...confirmed.keys()]),
  ]);
  const kept = new Map<string, ReadonlySet<string>>();
  const changed = new Map(drifted);
  for (const [serverId, pinned] of confirmed) {
    const now = definitions.get(serverId);
    const isSame = (tool: string) => now?.get(tool) === pinned.get(tool);
    const tools = [...pinned.keys()];
    kept.set(serverId, new Set(tools.filter(isSame)));
    // What was confirmed since it changed counts by that alone.
    const others = [...(drifted.get(serverId) ?? [])].filter((tool) => !pinned.has(tool));
    changed.set(serverId, new Set([...others, ...tools.filter((tool) => !isSame(tool))]));
  }
  return { confirmed: kept, changed, suspicious };
}

/** With what is believed: of what a server says of its own tools nothing that the operator does not stand for (threats N11). */
export function believedOf(marks: ToolMarks, server: ServerFacts, { name, hints }: ToolFacts): JudgedTool {
  const has = (sets: ToolSets) => sets.get(server.id)?.has(name) === true;
  const isBelieved = server.trusted === true || has(marks.confirmed);
  return {
    name,
    ...(isBelieved ? hints : defaultHints),
    changed: has(marks.changed),
    suspicious: has(marks.suspicious),
  };
}
