/** The vocabulary of rights: who asks, for what, and what is decided. Outside the room these are imported from `policy.ts`. */
import type { ToolHints } from '../base/tool-hints.ts';

/** Who calls, as far as rights depend on it. */
export type Subject = {
  readonly keyId: string;
  /** The developer's name. */
  readonly developer: string;
  /** The OAuth client it came through, and the groups of the person who signed in. */
  readonly client?: string | undefined;
  readonly groups?: readonly string[] | undefined;
  /** The toolset whose door it came through: what that leaves out is left out, whatever else allows it. */
  readonly toolset?: string | undefined;
};

export type Effect = 'allow' | 'deny' | 'ask';

/** What a rule may look at of a server. */
export type ServerFacts = {
  readonly id: string;
  readonly category: string | null;
  readonly tags: readonly string[];
  /** The operator believes what it says of its own tools. */
  readonly trusted?: boolean;
};

/** A tool as its server words it. */
export type ToolFacts = { readonly name: string; readonly hints: ToolHints };

/** A tool as rules see it: with what is believed of it, not what is said. */
export type JudgedTool = ToolHints & {
  readonly name: string;
  /** It is not what was confirmed; or, never confirmed, not what a probe found first. */
  readonly changed: boolean;
  readonly suspicious: boolean;
};

/** What has to hold of one argument; exactly one of the last four is there. */
export type ArgumentCondition = {
  /** Names and places from the arguments down, with dots; `*`: whatever stands there. */
  readonly path: string;
  readonly equals?: unknown;
  readonly prefix?: string;
  /** A regular expression (without backtracking) that fits some part of a text. */
  readonly matches?: string;
  /** Of a number: at most. */
  readonly max?: number;
};

/**
 * One rule of a toolset. What it does not mention it does not look at; of a list one entry has to fit. Patterns know `*`
 * (any text) and nothing else.
 */
export type Rule = {
  readonly effect: Effect;
  readonly server?: string;
  readonly tool?: string;
  readonly tags?: readonly string[];
  readonly categories?: readonly string[];
  readonly readOnly?: boolean;
  readonly destructive?: boolean;
  readonly openWorld?: boolean;
  readonly changed?: boolean;
  readonly suspicious?: boolean;
  /** All of them have to hold. */
  readonly arguments?: readonly ArgumentCondition[];
  /** Of `ask`: whoever calls may approve, too. */
  readonly self?: boolean;
};

/** What one user (or key without one) may take of one tool in a day (UTC). */
export type Budget = { readonly callsPerDay?: number; readonly bytesPerDay?: number };

/** Words of the operator's in place of a server's own, and what is always listed. */
export type ToolOverride = {
  readonly server: string;
  readonly tool: string;
  readonly title?: string;
  readonly description?: string;
  /** Listed as it is where there are too many tools to list. */
  readonly pinned?: boolean;
};

export type Toolset = {
  readonly name: string;
  readonly title: string | null;
  readonly rules: readonly Rule[];
  /** For what no rule fits. */
  readonly fallback: 'allow' | 'deny';
  readonly budget: Budget | null;
  readonly overrides: readonly ToolOverride[];
  /** Grows with each change; what is made anew under a name that was there goes on above it. */
  readonly version: number;
};

/** What a toolset is bound to; clients and groups are those of people who signed in. */
export type Bindings = {
  readonly keys: readonly string[];
  readonly developers: readonly string[];
  readonly clients: readonly string[];
  readonly groups: readonly string[];
};
export const noBindings: Bindings = { keys: [], developers: [], clients: [], groups: [] };

/** `toolset`: whose rule made it, and which version of it; null where no rule did. */
export type Decision = {
  readonly effect: Effect;
  readonly toolset: string | null;
  readonly version: number;
  /** Of `ask`: whoever calls may approve, too. */
  readonly self: boolean;
};

export type Visibility = 'public' | 'private';
export type ServerGrant = {
  /** A developer's name, or `*`: everybody. */
  readonly developer: string;
  /** Whether the operator's own credentials for the server go with their calls. */
  readonly credentials: boolean;
};
/** Who may see a server; its owner always may. */
export type ServerRights = {
  readonly visibility: Visibility;
  /** A developer's name. */
  readonly owner: string;
  readonly granted: readonly ServerGrant[];
};

/** Which of a server's tools somebody sees; with null, whether anything beside its tools. */
export type VisibleTools = 'all' | 'none' | ((tool: ToolFacts | null) => boolean);

/** What one principal sees of the catalogue. Two with the same `key` see the same. */
export type View = {
  readonly key: string;
  toolsOf(server: ServerFacts): VisibleTools;
};
