import type { AuthType } from '../catalog-model.ts';

/** What a probe of a server can show; outside the room these are imported from `catalog.ts`. */

/**
 * up       it lists its tools
 * auth     it is alive and wants credentials
 * not_mcp  something answers there that does not speak MCP
 * down     nothing usable answers
 */
export type HealthState = 'up' | 'auth' | 'not_mcp' | 'down';

/** One probe of one server, as whoever probed reports it. Tools are as the server sent them: not yet cleaned. */
export type ProbeResult = {
  readonly state: HealthState;
  /** Protocol age: `modern` (2026-07-28), `session` (initialize), `sse` (HTTP+SSE), `stdio`. */
  readonly era: string | null;
  /** Which credentials it wants, as far as its challenge shows. */
  readonly auth: AuthType | null;
  readonly latencyMs: number | null;
  readonly tools: readonly Readonly<Record<string, unknown>>[] | null;
  /** Why it is not up, in words without secrets. */
  readonly reason: string | null;
  /** Nothing was sent, because no connection came about: perhaps it is we who are offline. */
  readonly unreached: boolean;
};

export type SuspicionKind = 'hidden_unicode' | 'imperative' | 'shadowed_name';
export type Suspicion = { readonly tool: string; readonly kinds: readonly SuspicionKind[] };

export type DriftKind = 'appeared' | 'vanished' | 'description' | 'schema' | 'destructive';
export type Drift = {
  readonly kind: DriftKind;
  readonly tool: string;
  readonly before: string | null;
  readonly after: string | null;
};
/** `at` in milliseconds since 1970. */
export type DriftRecord = Drift & { readonly id: string; readonly at: number };

type ToolsByServer = ReadonlyMap<string, ReadonlySet<string>>;
export type ProbedTools = { readonly drifted: ToolsByServer; readonly suspicious: ToolsByServer };

export type Health = {
  readonly serverId: string;
  readonly state: HealthState;
  readonly era: string | null;
  readonly auth: AuthType | null;
  readonly latencyMs: number | null;
  readonly reason: string | null;
  /** Looks in a row that found it not alive. */
  readonly failures: number;
  /** Share of all probes that found it alive, 0..1. */
  readonly uptime: number;
  readonly checks: number;
  /** Of names, descriptions and schemas; equal for equal lists of tools. */
  readonly fingerprint: string | null;
  readonly suspicions: readonly Suspicion[];
  readonly since: number;
  readonly checkedAt: number;
};

/** One point of a server's past. */
export type HealthCheck = {
  readonly at: number;
  readonly state: HealthState;
  readonly latencyMs: number | null;
};
