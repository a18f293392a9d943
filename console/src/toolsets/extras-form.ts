import type { Toolset, ToolsetRequest } from '../../../sdk/api.ts';

type Override = NonNullable<ToolsetRequest['overrides']>[number];
export type OverrideRow = Readonly<Record<'server' | 'tool' | 'title' | 'description', string>> & {
  /** What it is known by while rows come and go. */
  readonly id: number;
  readonly pinned: boolean;
};
/** What a toolset says beside its rules, as it is typed; empty: nothing. */
export type Extras = {
  readonly calls: string;
  readonly bytes: string;
  readonly overrides: readonly OverrideRow[];
};

export function extrasOf({ budget, overrides = [] }: Pick<Toolset, 'budget' | 'overrides'>): Extras {
  return {
    calls: String(budget?.calls_per_day ?? ''),
    bytes: String(budget?.bytes_per_day ?? ''),
    overrides: overrides.map(({ server, tool, title = '', description = '', pinned = false }, id) => ({
      id,
      server,
      tool,
      title,
      description,
      pinned,
    })),
  };
}

/** What is no number is sent as it is typed in JSON's way, and refused in the service's words. */
export function extrasRequest({ calls, bytes, overrides }: Extras) {
  const budget = {
    ...(calls.trim() !== '' && { calls_per_day: Number(calls) }),
    ...(bytes.trim() !== '' && { bytes_per_day: Number(bytes) }),
  };
  return {
    ...(Object.keys(budget).length > 0 && { budget }),
    ...(overrides.length > 0 && { overrides: overrides.map(overrideOf) }),
  };
}

function overrideOf({ server, tool, title, description, pinned }: OverrideRow): Override {
  return {
    server: server.trim(),
    tool: tool.trim(),
    ...(title.trim() !== '' && { title: title.trim() }),
    ...(description.trim() !== '' && { description }),
    ...(pinned && { pinned }),
  };
}

export function withOverride({ overrides, ...extras }: Extras): Extras {
  const id = 1 + Math.max(-1, ...overrides.map((row) => row.id));
  const row = { id, server: '', tool: '', title: '', description: '', pinned: false };
  return { ...extras, overrides: [...overrides, row] };
}
