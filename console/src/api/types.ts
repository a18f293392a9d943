/** What the service answers, as far as the console reads it. */

export type Session = {
  readonly signed_in: boolean;
  readonly version: string;
  readonly csrf?: string;
  readonly key_id?: string;
  readonly developer?: string;
  readonly developer_id?: string;
  readonly tier?: string;
  readonly per_minute?: number;
  readonly scopes?: readonly string[];
};

export type Schema = {
  readonly type?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly items?: Schema;
  readonly default?: unknown;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
};

export type Tool = {
  readonly name: string;
  readonly description: string;
  readonly input_schema: Schema;
};

export type Explain = {
  readonly relevance: number;
  readonly lexical: number;
  readonly cosine: number;
  readonly evidence: Readonly<Record<string, number>>;
  readonly popularity_factor: number;
  readonly liveness_factor: number;
  readonly usage: Readonly<Record<string, number>> | null;
  readonly outcomes: Readonly<Record<string, number>>;
};

export type Hit = {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly remote_url: string | null;
  readonly tools: readonly Tool[];
  readonly scores: { readonly semantic: number; readonly popularity: number };
  readonly final_score: number;
  readonly match: 'strong' | 'weak';
  readonly also_available_from?: readonly string[];
  readonly explain?: Explain;
};

export type SearchReply = {
  readonly servers: readonly Hit[];
  readonly metadata: {
    readonly latency_ms: number;
    readonly cache_hit: boolean;
    readonly total_candidates: number;
    readonly query_log_id: string;
    readonly next_cursor?: string;
  };
};

export type Server = {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly remote_url: string | null;
  readonly auth_required: boolean;
  readonly auth_type: string | null;
  readonly transport: string;
  readonly category: string | null;
  readonly tags: readonly string[];
  readonly verified: boolean;
  readonly repository_url: string | null;
  readonly version: string | null;
  readonly source: string;
  readonly updated_at: string;
};
export type ListedServer = Server & {
  readonly tool_count: number;
  readonly popularity: number;
  readonly state: string | null;
};
export type ServerPage = {
  readonly servers: readonly ListedServer[];
  readonly metadata: { readonly next_cursor?: string; readonly count: number };
};
export type Facet = readonly { readonly name: string | null; readonly servers: number }[];
export type Catalogue = {
  readonly servers: number;
  readonly tools: number;
  readonly category: Facet;
  readonly transport: Facet;
  readonly auth: Facet;
  readonly source: Facet;
};

export type Health = {
  readonly state: string;
  readonly era: string | null;
  readonly auth: string | null;
  readonly latency_ms: number | null;
  readonly reason: string | null;
  readonly failures: number;
  readonly uptime: number;
  readonly checks: number;
  readonly fingerprint: string | null;
  readonly suspicions: readonly { readonly tool: string; readonly kinds: readonly string[] }[];
  readonly since: string;
  readonly checked_at: string;
};
export type WholeServer = Server & { readonly health: Health | null; readonly tools: readonly Tool[] };
export type Drift = {
  readonly id: string;
  readonly at: string;
  readonly kind: string;
  readonly tool: string;
  readonly before: string | null;
  readonly after: string | null;
};
export type Past = {
  readonly health: Health | null;
  readonly looks: readonly {
    readonly at: string;
    readonly state: string;
    readonly latency_ms: number | null;
  }[];
  readonly drift: readonly Drift[];
};

export type ApiKey = {
  readonly key_id: string;
  readonly developer_id: string;
  readonly developer: string;
  readonly name: string;
  readonly tier: string;
  readonly scopes: readonly string[];
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly revoked_at: string | null;
  readonly last_used_at: string | null;
};
export type Usage = {
  readonly days: readonly {
    readonly day: string;
    readonly searches: number;
    readonly calls: number;
    readonly failures: number;
  }[];
};

export type User = {
  readonly developer_id: string;
  readonly user_id: string;
  readonly created_at: string;
  readonly sessions: number;
};

export type Connection = {
  readonly id: string;
  readonly developer_id: string;
  readonly user_id: string;
  readonly provider: string;
  /** With `mcp` as the provider: the server. */
  readonly server_id?: string;
  readonly account: string;
  readonly label: string | null;
  readonly status: string;
  readonly scopes: readonly string[];
  readonly created_at: string;
  readonly updated_at: string;
  readonly expires_at: string | null;
  readonly renewable: boolean;
};

export type Issuer = {
  readonly issuer_id: string;
  readonly issuer: string;
  readonly audience: string;
  readonly jwks_uri: string;
  readonly user_prefix: string;
  readonly created_at: string;
};

export type Webhook = {
  readonly url: string | null;
  readonly updated_at: string | null;
  readonly waiting: number;
};

export type OAuthClient = {
  readonly id: string;
  readonly issuer: string;
  readonly server_id: string | null;
  readonly kind: 'registered' | 'dynamic';
  readonly client_id: string;
  readonly auth_method: string;
};

export type AuditEntry = {
  readonly id: string;
  readonly at: string;
  readonly developer_id: string;
  readonly actor: string;
  readonly action: string;
  readonly user_id: string | null;
  readonly subject: string | null;
  readonly facts: Readonly<Record<string, unknown>>;
};

type Measured = {
  readonly requests: number;
  readonly client_errors: number;
  readonly server_errors: number;
  readonly p50_ms: number | null;
  readonly p95_ms: number | null;
  readonly p99_ms: number | null;
};
export type Activity = {
  readonly window: string;
  readonly total: Measured;
  readonly steps: readonly (Measured & { readonly at: string })[];
  readonly kinds: readonly { readonly kind: string; readonly requests: number }[];
  readonly servers: readonly {
    readonly server_id: string;
    readonly calls: number;
    readonly successes: number;
    readonly latency_ms: number | null;
  }[];
  readonly success: readonly {
    readonly server_id: string;
    readonly steps: readonly {
      readonly at: string;
      readonly calls: number;
      readonly successes: number;
    }[];
  }[];
  readonly searches: { readonly count: number; readonly cached: number };
  readonly found_nothing: readonly {
    readonly query: string;
    readonly times: number;
    readonly last_at: string;
  }[];
  readonly recent: readonly {
    readonly query: string;
    readonly shown: number;
    readonly latency_ms: number;
    readonly at: string;
  }[];
};

export type SettingsReply = {
  readonly settings: readonly {
    readonly name: string;
    readonly value: string;
    readonly meaning: string;
    readonly default: string | null;
  }[];
  readonly findings: readonly { readonly check: string; readonly level: string; readonly message: string }[];
  readonly process: Readonly<Record<string, string | number>>;
};

export type ToolReply = {
  readonly content?: readonly {
    readonly type: string;
    readonly text?: string;
    readonly [more: string]: unknown;
  }[];
  readonly isError?: boolean;
  readonly structuredContent?: unknown;
  readonly status?: string;
};
