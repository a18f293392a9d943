/** The vocabulary of rights: who asks, for what, and what is decided. Outside the room these are imported from `policy.ts`. */

/** Who calls, as far as rights depend on it. */
export type Subject = {
  readonly keyId: string;
  /** The developer's name. */
  readonly developer: string;
  /** The toolset whose door it came through: what that leaves out is left out, whatever else allows it. */
  readonly toolset?: string | undefined;
};

export type Effect = 'allow' | 'deny' | 'ask';

/** What a rule may look at of a server. */
export type ServerFacts = {
  readonly id: string;
  readonly category: string | null;
  readonly tags: readonly string[];
  /** Marked as verified by the operator: what it says of its own tools is believed. */
  readonly trusted: boolean;
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
};

export type Toolset = {
  readonly name: string;
  readonly title: string | null;
  readonly rules: readonly Rule[];
  /** For what no rule fits. */
  readonly fallback: 'allow' | 'deny';
  /** Grows with each change. */
  readonly version: number;
};

/** What a toolset is bound to. */
export type Bindings = { readonly keys: readonly string[]; readonly developers: readonly string[] };

/** `toolset`: whose rule made it; null where no rule did. */
export type Decision = { readonly effect: Effect; readonly toolset: string | null };

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
