// Written by sdk/generate.ts from the OpenAPI document. Do not edit.
// biome-ignore-all format: generated

export type Activity = {
  readonly window: "1h" | "6h" | "24h";
  readonly total: RequestCounts;
  readonly steps: readonly RequestCountsAt[];
  readonly kinds: readonly ({ readonly kind: string; readonly requests: number; })[];
  readonly servers: readonly ServerUse[];
  readonly outcomes: readonly OutcomeCount[];
  /** of the record of calls: the servers called most in the last 24 hours, hour by hour */
  readonly day: readonly ServerDay[];
  /** the 5 servers called most, in 12 steps */
  readonly success: readonly ServerSuccess[];
  readonly searches: { readonly count: number; readonly cached: number; };
  readonly found_nothing: readonly EmptySearch[];
  readonly recent: readonly RecentSearch[];
};

export type Address = {
  readonly remote_url: string;
  readonly transport?: "streamable-http" | "sse" | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
};

export type AddressFound = {
  readonly state: HealthState;
  /** modern (2026-07-28), session (initialize), sse (HTTP+SSE) or stdio */
  readonly era: string | null;
  readonly auth_type: string | null;
  readonly latency_ms: number | null;
  readonly reason: string | null;
  /** what the server calls itself */
  readonly name: string | null;
  /** a `data:` URI of a PNG, JPEG, GIF or WebP; no other icon is told */
  readonly icon: string | null;
  readonly tools: readonly ({ readonly name: string; readonly description: string; })[];
};

export type ApiKey = {
  readonly key_id: string;
  readonly developer_id: string;
  readonly developer: string;
  readonly name: string;
  readonly tier: string;
  readonly scopes: readonly Scope[];
  readonly created_at: string;
  readonly expires_at: string | null;
  /** addresses and networks it may be used from; null: any */
  readonly addresses: readonly string[] | null;
  readonly revoked_at: string | null;
  readonly last_used_at: string | null;
};

export type ApiKeyRequest = {
  readonly developer: string;
  readonly name: string;
  readonly tier: string;
  readonly scopes?: readonly Scope[] | undefined;
  /** a time as ISO 8601, for example 2027-01-31T00:00:00Z */
  readonly expires_at?: string | undefined;
  /** addresses and networks (CIDR) the key may be used from */
  readonly addresses?: readonly string[] | undefined;
};

export type AppSettings = {
  readonly return_urls: readonly string[];
  readonly require_confirmation: boolean;
  readonly display_name: string | null;
  readonly logo: string | null;
};

export type AppSettingsRequest = {
  readonly return_urls: readonly string[];
  readonly require_confirmation?: boolean | undefined;
  readonly display_name?: string | null | undefined;
  readonly logo?: string | null | undefined;
};

export type Approval = {
  readonly id: string;
  readonly state: "pending" | "approved" | "denied" | "started" | "done" | "expired";
  readonly created_at: string;
  readonly expires_at: string;
  readonly developer_id: string;
  readonly key_id: string;
  readonly user_id: string | null;
  readonly server_id: string;
  readonly method: string;
  readonly tool: string;
  readonly definition: string | null;
  readonly arguments_digest: string;
  /** as they came, where MCPRANK_APPROVAL_ARGUMENTS is on and it is not over; else null */
  readonly arguments: string | null;
  readonly toolset: string;
  /** of the toolset whose rule asked */
  readonly version: number;
  readonly decided_by: string | null;
  readonly decided_at: string | null;
  readonly note: string | null;
  readonly used_at: string | null;
  /** of the tool, as probes found them; newest first */
  readonly changes: readonly ({ readonly at: string; readonly kind: string; readonly before: string | null; readonly after: string | null; })[];
};

export type ApprovalDecision = {
  readonly decision: "approve" | "deny";
  readonly note?: string | undefined;
};

/** somebody has to approve this call: make it again with `continuation` once they have */
export type ApprovalNeeded = {
  readonly status: "input_required";
  readonly approval: { readonly id: string; readonly expires_at: string; readonly url: string; };
  readonly continuation: string;
};

/** `path`, and one of the others */
export type ArgumentCondition = {
  readonly path: string;
  readonly equals?: unknown;
  readonly prefix?: string | undefined;
  readonly matches?: string | undefined;
  readonly max?: number | undefined;
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

/** RFC 8414 */
export type AuthorizationServer = {
  readonly issuer: string;
  readonly authorization_endpoint: string;
  readonly token_endpoint: string;
  readonly registration_endpoint: string;
  readonly [more: string]: unknown;
};

export type CallRecord = {
  readonly id: string;
  readonly at: string;
  readonly developer_id: string;
  readonly key_id: string;
  readonly user_id: string | null;
  readonly server_id: string;
  readonly tool: string;
  readonly definition: string | null;
  readonly toolset: string | null;
  readonly outcome: "ok" | "denied" | "waiting" | "refused" | "auth" | "rate_limit" | "timeout" | "invalid_arguments" | "server" | "other" | "cancelled";
  readonly latency_ms: number;
  readonly request_bytes: number;
  readonly reply_bytes: number;
  readonly arguments_digest: string | null;
  /** JSON text: their shape without their values, where MCPRANK_CALL_ARGUMENTS is masked */
  readonly arguments_masked: string | null;
};

export type CatalogSize = {
  readonly servers: number;
  readonly tools: number;
  readonly category: Facet;
  readonly transport: Facet;
  readonly auth: Facet;
  readonly source: Facet;
};

export type ChangedToolset = {
  readonly name: string;
  readonly title: string | null;
  readonly rules: readonly ToolsetRule[];
  readonly default: "allow" | "deny";
  readonly budget?: { readonly calls_per_day?: number | undefined; readonly bytes_per_day?: number | undefined; } | undefined;
  readonly overrides?: readonly ({ readonly server: string; readonly tool: string; readonly title?: string | undefined; readonly description?: string | undefined; readonly pinned?: boolean | undefined; })[] | undefined;
  readonly version: number;
  /** rules that fit nothing in the catalog */
  readonly warnings: readonly string[];
};

export type ClientMetadata = {
  readonly client_id: string;
  readonly client_name: string;
  readonly client_uri: string;
  readonly redirect_uris: readonly string[];
  readonly grant_types: readonly string[];
  readonly response_types: readonly string[];
  readonly application_type: "web" | "native";
  readonly token_endpoint_auth_method: "none";
};

export type ConfirmedTools = {
  readonly tools: readonly ({ readonly name: string; readonly read_only: boolean; readonly destructive: boolean; readonly open_world: boolean; readonly definition: string | null; readonly confirmed: boolean; readonly changed: boolean; })[];
};

export type ConfirmedToolsRequest = {
  readonly tools: readonly string[];
};

export type Connection = {
  readonly id: string;
  readonly developer_id: string;
  readonly user_id: string;
  readonly provider: string;
  /** the server, where the provider is `mcp` */
  readonly server_id?: string | undefined;
  readonly account: string;
  readonly label: string | null;
  readonly status: "active" | "needs_reauth";
  readonly scopes: readonly string[];
  readonly created_at: string;
  readonly updated_at: string;
  readonly expires_at: string | null;
  readonly renewable: boolean;
  /** key: a key of the user, in place of tokens */
  readonly kind: "oauth" | "key";
};

export type ConnectionImport = {
  readonly developer_id?: string | undefined;
  /** 1 to 256 printable characters */
  readonly user_id: string;
  readonly provider?: string | undefined;
  readonly server_id?: string | undefined;
  /** 1 to 500 printable characters */
  readonly account: string;
  /** 1 to 500 printable characters */
  readonly label?: string | undefined;
  /** 1 to 16384 visible ASCII characters */
  readonly access_token: string;
  /** 1 to 16384 visible ASCII characters */
  readonly refresh_token?: string | undefined;
  /** seconds */
  readonly expires_in?: number | undefined;
  readonly scopes?: readonly string[] | undefined;
};

export type ConsoleSession = {
  readonly signed_in: boolean;
  readonly version: string;
  /** goes into X-CSRF-Token of every request but GET */
  readonly csrf?: string | undefined;
  readonly key_id?: string | undefined;
  readonly developer?: string | undefined;
  readonly developer_id?: string | undefined;
  readonly tier?: string | undefined;
  readonly per_minute?: number | undefined;
  readonly scopes?: readonly string[] | undefined;
  /** of a person without a key: what they may here */
  readonly role?: string | undefined;
  /** the company's provider, where people sign in */
  readonly company?: string | undefined;
};

export type Deleted = {
  readonly id: string;
  readonly deleted: true;
};

export type Diagnostic = {
  readonly check: string;
  readonly level: "ok" | "warning" | "error";
  readonly message: string;
};

/** a query that found nothing */
export type EmptySearch = {
  readonly query: string;
  readonly times: number;
  readonly last_at: string;
};

export type Facet = readonly ({ readonly name: string | null; readonly servers: number; })[];

export type Health = {
  readonly state: HealthState;
  /** modern (2026-07-28), session (initialize), sse (HTTP+SSE) or stdio */
  readonly era: string | null;
  readonly auth: string | null;
  readonly latency_ms: number | null;
  readonly reason: string | null;
  /** looks in a row that found it not alive */
  readonly failures: number;
  /** share of all looks that found it alive, 0..1 */
  readonly uptime: number;
  readonly checks: number;
  readonly fingerprint: string | null;
  readonly suspicions: readonly ({ readonly tool: string; readonly kinds: readonly ("hidden_unicode" | "imperative" | "shadowed_name")[]; })[];
  readonly since: string;
  readonly checked_at: string;
};

export type HealthCheck = {
  readonly at: string;
  readonly state: HealthState;
  readonly latency_ms: number | null;
};

/** auth: alive, and wants credentials */
export type HealthState = "up" | "auth" | "not_mcp" | "down";

/** the server asks something: go on with `continuation` and `input_responses` */
export type InputNeeded = {
  readonly status: "input_required";
  readonly input_requests: Readonly<Record<string, unknown>>;
  readonly continuation: string;
};

export type Introspection =
  | { readonly active: false; }
  | { readonly active: true; readonly token_type: "refresh_token"; readonly sub: string; readonly sid: string; readonly exp: number; readonly developer_id: string; }
  | { readonly active: true; readonly token_type: "Bearer"; readonly iss: string; readonly aud: string; readonly sub: string; readonly username: string; readonly client_id: string; readonly jti: string; readonly sid: string; readonly iat: number; readonly exp: number; readonly developer_id: string; };

export type Invocation = {
  readonly query_log_id?: string | undefined;
  readonly server_id: string;
  readonly tool_name: string;
  readonly success: boolean;
  readonly latency_ms?: number | undefined;
  readonly error_type?: "auth" | "rate_limit" | "timeout" | "invalid_arguments" | "server" | "other" | undefined;
  readonly idempotency_key?: string | undefined;
};

export type Issuer = {
  readonly issuer_id: string;
  readonly issuer: string;
  readonly audience: string;
  readonly jwks_uri: string;
  readonly user_prefix: string;
  readonly created_at: string;
};

export type IssuerRequest = {
  readonly issuer: string;
  readonly audience: string;
  readonly jwks_uri: string;
  readonly user_prefix?: string | undefined;
};

export type KeptServer = {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly remote_url: string | null;
  readonly auth_required: boolean;
  readonly auth_type: string | null;
  readonly transport: "streamable-http" | "sse" | "stdio";
  readonly category: string | null;
  readonly tags: readonly string[];
  readonly verified: boolean;
  readonly repository_url: string | null;
  readonly version: string | null;
  readonly source: string;
  readonly updated_at: string;
  /** names of the header fields that go with requests; their values are never told */
  readonly kept_headers: readonly string[];
  /** the file that says what it is, and where it is changed */
  readonly declared_in: "mcp_config" | "apply" | null;
  /** what its program wrote last in the process that answers, masked; the newest last */
  readonly output: readonly ({ readonly at: string; readonly line: string; })[];
};

export type KeyUsage = {
  readonly key_id: string;
  readonly days: readonly KeyUsageDay[];
};

export type KeyUsageDay = {
  /** UTC */
  readonly day: string;
  readonly searches: number;
  readonly calls: number;
  readonly failures: number;
};

export type ListedServer = {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly remote_url: string | null;
  readonly auth_required: boolean;
  readonly auth_type: string | null;
  readonly transport: "streamable-http" | "sse" | "stdio";
  readonly category: string | null;
  readonly tags: readonly string[];
  readonly verified: boolean;
  readonly repository_url: string | null;
  readonly version: string | null;
  readonly source: string;
  readonly updated_at: string;
  readonly tool_count: number;
  readonly popularity: number;
  /** what the last look showed; null before the first */
  readonly state: HealthState | null;
};

export type Liveness = {
  readonly status: "ok";
};

export type LongWork = {
  readonly name: "registry sync" | "import" | "embedding" | "vault rotation";
  /** broken_off: whoever did it has not been heard of for three minutes */
  readonly state: "running" | "done" | "failed" | "broken_off";
  readonly done: number;
  /** null: nobody knows */
  readonly total: number | null;
  /** what is counted */
  readonly unit: string;
  /** why it failed; else null */
  readonly reason: string | null;
  readonly started_at: string;
  readonly told_at: string;
  readonly seconds_left: number | null;
};

export type MachineClient = {
  readonly client_id: string;
  readonly name: string;
  readonly key_id: string;
  readonly auth_method: "client_secret_basic" | "private_key_jwt";
  readonly created_at: string;
};

export type MachineClientRequest = {
  readonly name: string;
  readonly key_id: string;
  readonly jwks?: Readonly<Record<string, unknown>> | undefined;
  readonly jwks_uri?: string | undefined;
};

/** as its server gives it */
export type McpTool = {
  readonly name: string;
  readonly description?: string | undefined;
  readonly inputSchema?: Readonly<Record<string, unknown>> | undefined;
  readonly [more: string]: unknown;
};

export type NewApiKey = {
  /** the key itself, shown this once */
  readonly key: string;
  readonly key_id: string;
  readonly developer_id: string;
  readonly developer: string;
  readonly name: string;
  readonly tier: string;
  readonly scopes: readonly Scope[];
  readonly created_at: string;
  readonly expires_at: string | null;
  /** addresses and networks it may be used from; null: any */
  readonly addresses: readonly string[] | null;
  readonly revoked_at: string | null;
  readonly last_used_at: string | null;
};

export type NewMachineClient = {
  readonly client_id: string;
  readonly name: string;
  readonly key_id: string;
  readonly auth_method: "client_secret_basic" | "private_key_jwt";
  readonly created_at: string;
  /** shown this once; none where it has keys */
  readonly client_secret?: string | undefined;
};

export type NewWebhook = {
  readonly url: string;
  readonly secret: string;
};

export type OAuthClient = {
  readonly id: string;
  readonly issuer: string;
  readonly server_id: string | null;
  readonly kind: "registered" | "dynamic";
  readonly client_id: string;
  readonly auth_method: string;
};

export type OAuthClientRequest = {
  /** an http(s) URL */
  readonly issuer: string;
  readonly server_id?: string | undefined;
  readonly client_id: string;
  readonly client_secret?: string | undefined;
  readonly auth_method?: "client_secret_basic" | "client_secret_post" | "none" | undefined;
};

/** RFC 6749 section 5.2 */
export type OAuthError = {
  readonly error: string;
  readonly error_description?: string | undefined;
};

/** of the record of calls */
export type OutcomeCount = {
  readonly outcome: "ok" | "denied" | "waiting" | "refused" | "auth" | "rate_limit" | "timeout" | "invalid_arguments" | "server" | "other" | "cancelled";
  /** whose it is; null: it went well */
  readonly fault: "caller" | "server" | null;
  readonly calls: number;
};

export type Problem = {
  /** what was wrong, in words */
  readonly detail: string;
  readonly code: "invalid_request" | "invalid_grant" | "invalid_api_key" | "sign_in_required" | "invalid_token" | "not_found" | "method_not_allowed" | "request_timeout" | "conflict" | "server_gone" | "too_large" | "rate_limited" | "internal_error" | "upstream_error" | "unavailable";
};

/** RFC 9728 */
export type ProtectedResource = {
  readonly resource: string;
  readonly authorization_servers: readonly string[];
  readonly scopes_supported: readonly string[];
  readonly bearer_methods_supported: readonly string[];
  readonly resource_name: string;
};

export type ProviderInfo = {
  readonly provider: string;
  readonly connected: boolean;
  readonly status: "active" | "needs_reauth" | null;
  readonly can_access: boolean;
  /** the connection ends with its access token */
  readonly renewable?: false | undefined;
};

export type ProviderSetup = {
  readonly name: string;
  readonly title: string;
  /** to be registered with the provider */
  readonly callback_url: string;
  /** asked for when a session names none */
  readonly scopes: readonly string[];
  /** what keeps users from being connected, with where it is set; never a value */
  readonly missing: readonly string[];
};

export type PutReport = {
  readonly ids: readonly string[];
  readonly added: number;
  readonly updated: number;
  readonly unchanged: number;
};

export type Readiness = {
  readonly status: "ready";
  readonly checks: Readonly<Record<string, boolean>>;
};

export type RecentSearch = {
  readonly query: string;
  readonly shown: number;
  readonly latency_ms: number;
  readonly at: string;
};

export type RecordedInvocation = {
  readonly invocation_id: string;
  readonly recorded: true;
};

export type Refusal = {
  /** with `auth_url` and `session_id` where a user can help */
  readonly detail: { readonly code: "missing_scope" | "missing_role" | "denied" | "invalid_token" | "cross_site" | "provider_not_connected" | "token_expired"; readonly message: string; readonly [more: string]: unknown; };
};

export type RegistryEntry = {
  readonly server: RegistryServer;
  readonly _meta: Readonly<Record<string, unknown>>;
};

export type RegistryPage = {
  readonly servers: readonly RegistryEntry[];
  readonly metadata: { readonly nextCursor?: string | undefined; readonly count: number; };
};

/** as server.schema.json has it */
export type RegistryServer = {
  readonly $schema: "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json";
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly version: string;
  readonly repository?: { readonly url: string; readonly source: string; } | undefined;
  readonly remotes?: readonly ({ readonly type: string; readonly url: string; readonly variables?: Readonly<Record<string, unknown>> | undefined; readonly headers?: readonly (Readonly<Record<string, unknown>>)[] | undefined; })[] | undefined;
  readonly packages?: readonly (Readonly<Record<string, unknown>>)[] | undefined;
};

export type RequestCounts = {
  readonly requests: number;
  /** of callers: 4xx */
  readonly client_errors: number;
  /** ours: 5xx but 502 */
  readonly server_errors: number;
  /** of servers and providers behind us: 502 */
  readonly upstream_errors: number;
  readonly p50_ms: number | null;
  readonly p95_ms: number | null;
  readonly p99_ms: number | null;
};

export type RequestCountsAt = {
  readonly at: string;
  readonly requests: number;
  /** of callers: 4xx */
  readonly client_errors: number;
  /** ours: 5xx but 502 */
  readonly server_errors: number;
  /** of servers and providers behind us: 502 */
  readonly upstream_errors: number;
  readonly p50_ms: number | null;
  readonly p95_ms: number | null;
  readonly p99_ms: number | null;
};

export type RpcCall = {
  readonly server_id: string;
  readonly method: string;
  readonly params?: Readonly<Record<string, unknown>> | undefined;
  /** a string or a number */
  readonly id?: string | number | undefined;
  readonly query_log_id?: string | undefined;
  readonly continuation?: string | undefined;
  readonly input_responses?: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined;
};

export type RpcEnvelope = {
  readonly jsonrpc: "2.0";
  readonly id: string | number | null;
  readonly result?: Readonly<Record<string, unknown>> | undefined;
  readonly error?: RpcError | undefined;
  readonly status?: "input_required" | undefined;
  readonly input_requests?: Readonly<Record<string, unknown>> | undefined;
  readonly approval?: { readonly id: string; readonly expires_at: string; readonly url: string; } | undefined;
  readonly continuation?: string | undefined;
};

export type RpcError = {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
};

export type RpcMessage = {
  readonly jsonrpc: "2.0";
  readonly id?: string | number | undefined;
  readonly method?: string | undefined;
  readonly params?: Readonly<Record<string, unknown>> | undefined;
};

export type RpcReply = {
  readonly jsonrpc: "2.0";
  readonly id: string | number | null;
  readonly result?: Readonly<Record<string, unknown>> | undefined;
  readonly error?: RpcError | undefined;
};

export type Scope = "search" | "invocations" | "identity" | "proxy" | "mcp" | "approve" | "admin";

export type SearchExplanation = {
  /** the query in the words that were searched */
  readonly query: string;
  readonly relevance: number;
  readonly lexical: number;
  readonly cosine: number;
  readonly evidence: Readonly<Record<string, number>>;
  readonly popularity_factor: number;
  readonly liveness_factor: number;
  readonly usage: { readonly bonus: number; readonly nearest: number; readonly sure: number; readonly words: number; readonly cosine: number; readonly successes: number; } | null;
  readonly outcomes: { readonly good: number; readonly bad: number; readonly prior: number; readonly posterior: number; readonly factor: number; readonly newcomer: number; };
};

export type SearchFilters = {
  readonly transport?: readonly ("streamable-http" | "sse" | "stdio")[] | undefined;
  readonly auth?: readonly ("none" | "api_key" | "bearer" | "oauth2")[] | undefined;
  readonly category?: readonly string[] | undefined;
  readonly verified?: boolean | undefined;
  readonly connected?: boolean | undefined;
  /** whether it can be called from here by anybody; a program that no configuration starts cannot */
  readonly callable?: boolean | undefined;
};

export type SearchHit = {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly remote_url: string | null;
  readonly tools: readonly Tool[];
  readonly scores: { readonly semantic: number; readonly popularity: number; };
  readonly final_score: number;
  readonly match: "strong" | "weak";
  /** how the caller (with a MIT: the user) stands with it */
  readonly connection: "ready" | "open" | "needs_auth" | "needs_scope" | "needs_key" | "unavailable";
  /** what to do where something is missing */
  readonly connect?: string | undefined;
  readonly also_available_from?: readonly string[] | undefined;
  readonly explain?: SearchExplanation | undefined;
};

export type SearchQuery = {
  readonly query: string;
  readonly limit?: number | undefined;
  readonly tool_limit?: number | undefined;
  readonly filters?: SearchFilters | undefined;
  readonly min_score?: number | undefined;
  readonly explain?: boolean | undefined;
  /** false: misspelled words are searched as they are */
  readonly spelling?: boolean | undefined;
  /** true: still being typed. It is answered and not kept: its query_log_id names nothing */
  readonly draft?: boolean | undefined;
  readonly cursor?: string | undefined;
};

export type SearchRequest = {
  readonly query?: string | undefined;
  readonly limit?: number | undefined;
  readonly tool_limit?: number | undefined;
  readonly filters?: SearchFilters | undefined;
  readonly min_score?: number | undefined;
  readonly explain?: boolean | undefined;
  /** false: misspelled words are searched as they are */
  readonly spelling?: boolean | undefined;
  /** true: still being typed. It is answered and not kept: its query_log_id names nothing */
  readonly draft?: boolean | undefined;
  readonly cursor?: string | undefined;
  readonly queries?: readonly SearchQuery[] | undefined;
};

export type SearchResult = {
  readonly servers: readonly SearchHit[];
  readonly metadata: { readonly latency_ms: number; readonly cache_hit: boolean; readonly total_candidates: number; readonly query_log_id: string; readonly next_cursor?: string | undefined; readonly corrected_query?: string | undefined; };
};

export type SearchResults = {
  readonly results: readonly SearchResult[];
};

export type Server = {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly remote_url: string | null;
  readonly auth_required: boolean;
  readonly auth_type: string | null;
  readonly transport: "streamable-http" | "sse" | "stdio";
  readonly category: string | null;
  readonly tags: readonly string[];
  readonly verified: boolean;
  readonly repository_url: string | null;
  readonly version: string | null;
  readonly source: string;
  readonly updated_at: string;
  readonly user_credentials: UserCredentials | null;
  readonly health: Health | null;
  readonly tools: readonly Tool[];
};

export type ServerBasics = {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly remote_url: string | null;
  readonly auth_required: boolean;
  readonly auth_type: string | null;
};

export type ServerChange = {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly remote_url?: string | undefined;
  readonly transport?: "streamable-http" | "sse" | undefined;
  readonly auth_type?: "api_key" | "bearer" | "oauth2" | null | undefined;
  readonly category?: string | null | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly repository_url?: string | null | undefined;
  readonly verified?: boolean | undefined;
  readonly headers?: Readonly<Record<string, string | null>> | null | undefined;
};

export type ServerDay = {
  readonly server_id: string;
  readonly hours: readonly ({ readonly at: string; readonly calls: number; readonly caller_faults: number; readonly server_faults: number; })[];
};

export type ServerHistory = {
  readonly health: Health | null;
  readonly looks: readonly HealthCheck[];
  readonly drift: readonly ToolDrift[];
};

export type ServerPage = {
  readonly servers: readonly ListedServer[];
  readonly metadata: { readonly next_cursor?: string | undefined; readonly count: number; };
};

export type ServerRights = {
  readonly visibility: "public" | "private";
  readonly developer: string;
  readonly granted: readonly ({ readonly developer: string; readonly credentials: boolean; })[];
};

export type ServerRightsRequest = {
  readonly visibility?: "public" | "private" | undefined;
  readonly developer?: string | undefined;
  readonly granted?: readonly ({ readonly developer: string; readonly credentials?: boolean | undefined; })[] | undefined;
};

export type ServerSuccess = {
  readonly server_id: string;
  readonly steps: readonly ({ readonly at: string; readonly calls: number; readonly successes: number; readonly caller_faults: number; })[];
};

export type ServerUse = {
  readonly server_id: string;
  readonly calls: number;
  readonly successes: number;
  /** calls that their callers got wrong: they say nothing of the server */
  readonly caller_faults: number;
  readonly latency_ms: number | null;
};

export type Session = {
  readonly session_id: string;
  readonly auth_url: string;
  readonly expires_at: string;
};

export type SessionRequest = {
  /** 1 to 256 printable characters */
  readonly user_id: string;
  readonly provider?: string | undefined;
  readonly server_id?: string | undefined;
  readonly account?: string | undefined;
  readonly scopes?: readonly string[] | undefined;
  readonly return_url?: string | undefined;
  readonly require_confirmation?: boolean | undefined;
  readonly expected_account?: string | undefined;
};

export type SessionStatus = {
  readonly session_id: string;
  readonly status: "pending" | "complete" | "error";
  readonly error?: string | undefined;
  readonly awaiting?: "confirmation" | undefined;
  readonly connection_id?: string | undefined;
  readonly account?: string | undefined;
  readonly is_default?: boolean | undefined;
  readonly granted_scopes?: readonly string[] | undefined;
  readonly missing_scopes?: readonly string[] | undefined;
  /** false: no refresh token came, so the user has to connect again at its end */
  readonly renewable?: boolean | undefined;
};

export type Setting = {
  readonly name: string;
  /** secrets are masked */
  readonly value: string;
  readonly meaning: string;
  readonly default: string | null;
};

export type Settings = {
  readonly settings: readonly Setting[];
  readonly findings: readonly Diagnostic[];
  readonly process: Readonly<Record<string, string | number>>;
};

export type Success = {
  readonly success: true;
};

export type TokenRequest = {
  /** 1 to 256 printable characters */
  readonly user_id?: string | undefined;
  readonly grant_type?: "urn:ietf:params:oauth:grant-type:token-exchange" | undefined;
  readonly subject_token?: string | undefined;
  readonly subject_token_type?: "urn:ietf:params:oauth:token-type:id_token" | "urn:ietf:params:oauth:token-type:jwt" | "urn:ietf:params:oauth:token-type:access_token" | undefined;
};

export type TokenSet = {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly expires_in: number;
  readonly token_type: "Bearer";
  /** of a token exchange */
  readonly issued_token_type?: string | undefined;
};

export type Tool = {
  readonly name: string;
  readonly description: string;
  readonly input_schema: Readonly<Record<string, unknown>>;
};

export type ToolCall = {
  readonly server_id: string;
  readonly name: string;
  readonly arguments?: Readonly<Record<string, unknown>> | undefined;
  readonly query_log_id?: string | undefined;
  readonly continuation?: string | undefined;
  readonly input_responses?: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined;
};

export type ToolDrift = {
  readonly id: string;
  readonly at: string;
  readonly kind: "appeared" | "vanished" | "description" | "schema" | "destructive";
  readonly tool: string;
  readonly before: string | null;
  readonly after: string | null;
};

export type ToolResult = {
  readonly content: readonly (Readonly<Record<string, unknown>>)[];
  readonly isError: boolean;
  readonly structuredContent?: unknown;
  readonly _meta?: Readonly<Record<string, unknown>> | undefined;
};

export type Toolset = {
  readonly name: string;
  readonly title: string | null;
  readonly rules: readonly ToolsetRule[];
  readonly default: "allow" | "deny";
  readonly budget?: { readonly calls_per_day?: number | undefined; readonly bytes_per_day?: number | undefined; } | undefined;
  readonly overrides?: readonly ({ readonly server: string; readonly tool: string; readonly title?: string | undefined; readonly description?: string | undefined; readonly pinned?: boolean | undefined; })[] | undefined;
  readonly version: number;
};

export type ToolsetBindings = {
  readonly keys: readonly string[];
  readonly developers: readonly string[];
  readonly clients?: readonly string[] | undefined;
  readonly groups?: readonly string[] | undefined;
};

export type ToolsetBindingsRequest = {
  readonly keys?: readonly string[] | undefined;
  readonly developers?: readonly string[] | undefined;
  readonly clients?: readonly string[] | undefined;
  readonly groups?: readonly string[] | undefined;
};

export type ToolsetDecision = {
  readonly effect: "allow" | "deny" | "ask";
  /** whose rule decided; null: none did */
  readonly toolset: string | null;
  /** with some arguments a rule decides otherwise */
  readonly depends_on?: "arguments" | undefined;
};

export type ToolsetPreview = {
  readonly servers: readonly ({ readonly id: string; readonly visible: boolean; readonly decision: ToolsetDecision; readonly tools: readonly ({ readonly name: string; readonly decision: ToolsetDecision; })[]; })[];
  readonly next_cursor?: string | undefined;
};

export type ToolsetRequest = {
  readonly title?: string | undefined;
  readonly rules: readonly ToolsetRuleRequest[];
  readonly default?: "allow" | "deny" | undefined;
  readonly budget?: { readonly calls_per_day?: number | undefined; readonly bytes_per_day?: number | undefined; } | undefined;
  readonly overrides?: readonly ({ readonly server: string; readonly tool: string; readonly title?: string | undefined; readonly description?: string | undefined; readonly pinned?: boolean | undefined; })[] | undefined;
};

export type ToolsetRule = {
  readonly effect: "allow" | "deny" | "ask";
  readonly server?: string | undefined;
  readonly tool?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly categories?: readonly string[] | undefined;
  readonly readOnly?: boolean | undefined;
  readonly destructive?: boolean | undefined;
  readonly openWorld?: boolean | undefined;
  readonly changed?: boolean | undefined;
  readonly suspicious?: boolean | undefined;
  readonly arguments?: readonly ArgumentCondition[] | undefined;
  readonly self?: boolean | undefined;
};

export type ToolsetRuleRequest = {
  readonly effect: "allow" | "deny" | "ask";
  readonly server?: string | undefined;
  readonly tool?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly categories?: readonly string[] | undefined;
  readonly readOnly?: boolean | undefined;
  readonly destructive?: boolean | undefined;
  readonly openWorld?: boolean | undefined;
  readonly changed?: boolean | undefined;
  readonly suspicious?: boolean | undefined;
  readonly arguments?: readonly ArgumentCondition[] | undefined;
  readonly self?: boolean | undefined;
};

export type User = {
  readonly developer_id: string;
  readonly user_id: string;
  readonly created_at: string;
  /** refresh tokens that still work */
  readonly sessions: number;
};

export type UserCredentials = {
  readonly headers: Readonly<Record<string, string>>;
  readonly variables: Readonly<Record<string, { readonly description: string; readonly required: boolean; readonly secret: boolean; readonly default: string | null; readonly choices: readonly string[]; }>>;
};

export type UserCredentialsRequest = {
  /** 1 to 256 printable characters */
  readonly user_id: string;
  readonly server_id: string;
  readonly account?: string | undefined;
  /** an object of texts, by the names of `user_credentials` of the server */
  readonly values: Readonly<Record<string, string>>;
};

export type Webhook = {
  readonly url: string | null;
  readonly updated_at: string | null;
  /** events that were not heard yet */
  readonly waiting: number;
};

export type Api = {
  /** Sign in to the console: an API key becomes a cookie for this browser, for twelve hours */
  'POST /console/session': {
    params: undefined;
    query: undefined;
    body: { readonly key: string; };
    reply: ConsoleSession;
  };
  /** Who is signed in to the console by this browser */
  'GET /console/session': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: ConsoleSession;
  };
  /** Sign out of the console */
  'DELETE /console/session': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: ConsoleSession;
  };
  /** Semantic search for MCP servers and their tools; `queries` asks several at once and answers `{results: […]}` */
  'POST /v1/search': {
    params: undefined;
    query: undefined;
    body: SearchRequest;
    reply: SearchResult | SearchResults;
  };
  /** Record the outcome of a tool invocation; `Prefer: respond-async` answers 202 before it is durable */
  'POST /v1/invocations': {
    params: undefined;
    query: undefined;
    body: Invocation;
    reply: RecordedInvocation;
  };
  /** Browse the catalogue by id, page by page */
  'GET /v1/servers': {
    params: undefined;
    query: { readonly limit?: number | undefined; readonly cursor?: string | undefined; readonly text?: string | undefined; readonly transport?: "streamable-http" | "sse" | "stdio" | undefined; readonly auth?: "none" | "api_key" | "bearer" | "oauth2" | undefined; readonly category?: string | undefined; readonly verified?: boolean | undefined; readonly source?: string | undefined; readonly own?: boolean | undefined; readonly sort?: "id" | "own" | "name" | "health" | "popularity" | "added" | undefined; };
    body: undefined;
    reply: ServerPage;
  };
  /** How large the catalogue is, and how many servers there are of each kind */
  'GET /v1/catalogue': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: CatalogSize;
  };
  /** One server with its tools (a slash in the id is written %2F) */
  'GET /v1/servers/{id}': {
    params: { readonly id: string; };
    query: undefined;
    body: undefined;
    reply: Server;
  };
  /** How a server has been: its last looks and what changed about its tools, newest first */
  'GET /v1/servers/{id}/health': {
    params: { readonly id: string; };
    query: undefined;
    body: undefined;
    reply: ServerHistory;
  };
  /** Registry API: the public servers, page by page; with `updated_since` removed ones too */
  'GET /v0.1/servers': {
    params: undefined;
    query: { readonly cursor?: string | undefined; readonly limit?: number | undefined; readonly search?: string | undefined; readonly updated_since?: string | undefined; readonly version?: string | undefined; };
    body: undefined;
    reply: RegistryPage;
  };
  /** Registry API: the versions of a server (a slash in the name is written %2F) */
  'GET /v0.1/servers/{name}/versions': {
    params: { readonly name: string; };
    query: undefined;
    body: undefined;
    reply: RegistryPage;
  };
  /** Registry API: one version of a server, or `latest` */
  'GET /v0.1/servers/{name}/versions/{version}': {
    params: { readonly name: string; readonly version: string; };
    query: undefined;
    body: undefined;
    reply: RegistryEntry;
  };
  /** One server's record */
  'GET /v1/mcp/server': {
    params: undefined;
    query: { readonly server_id: string; };
    body: undefined;
    reply: ServerBasics;
  };
  /** Any JSON-RPC method on a server; always answers with a JSON-RPC envelope */
  'POST /v1/mcp/call': {
    params: undefined;
    query: undefined;
    body: RpcCall;
    reply: RpcEnvelope;
  };
  /** The tools of a server, all pages of them */
  'POST /v1/mcp/tools/list': {
    params: undefined;
    query: undefined;
    body: { readonly server_id: string; };
    reply: { readonly tools: readonly McpTool[]; };
  };
  /** Call one tool; `Idempotency-Key` makes a repeated request harmless */
  'POST /v1/mcp/tools/call': {
    params: undefined;
    query: undefined;
    body: ToolCall;
    reply: ToolResult | InputNeeded | ApprovalNeeded;
  };
  /** A MIT for a user, by `user_id` or by a token of your own identity provider (RFC 8693) */
  'POST /v1/identity/token': {
    params: undefined;
    query: undefined;
    body: TokenRequest;
    reply: TokenSet;
  };
  /** A new MIT and a new refresh token for a refresh token; each is good once */
  'POST /v1/identity/refresh': {
    params: undefined;
    query: undefined;
    body: { readonly refresh_token: string; };
    reply: TokenSet;
  };
  /** End a user's MITs and refresh tokens at once, and delete the provider tokens stored for them */
  'POST /v1/identity/revoke': {
    params: undefined;
    query: undefined;
    body: { readonly user_id: string; };
    reply: Success;
  };
  /** What a MIT or refresh token of yours says, and whether it is alive (RFC 7662) */
  'POST /v1/identity/introspect': {
    params: undefined;
    query: undefined;
    body: { readonly token: string; readonly token_type_hint?: string | undefined; };
    reply: Introspection;
  };
  /** Delete a user: tokens, connections, and the link between them and the audit trail */
  'DELETE /v1/identity/users/{user_id}': {
    params: { readonly user_id: string; };
    query: undefined;
    body: undefined;
    reply: { readonly user_id: string; readonly deleted: true; };
  };
  /** Trust an identity provider of yours to name your users (token exchange) */
  'POST /v1/identity/issuers': {
    params: undefined;
    query: undefined;
    body: IssuerRequest;
    reply: Issuer;
  };
  /** The identity providers you trust */
  'GET /v1/identity/issuers': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: { readonly issuers: readonly Issuer[]; };
  };
  /** Trust an identity provider no longer; tokens issued so far live on */
  'DELETE /v1/identity/issuers/{id}': {
    params: { readonly id: string; };
    query: undefined;
    body: undefined;
    reply: { readonly issuer_id: string; readonly deleted: true; };
  };
  /** The keys that MITs are checked with (RFC 7517) */
  'GET /.well-known/jwks.json': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: { readonly keys: readonly (Readonly<Record<string, unknown>>)[]; };
  };
  /** Open an authorisation session: send the user to `auth_url`, then poll */
  'POST /v1/identity/sessions': {
    params: undefined;
    query: undefined;
    body: SessionRequest;
    reply: Session;
  };
  /** Poll a session; `wait` holds the reply until it is over, at most so many seconds */
  'GET /v1/identity/sessions/{id}': {
    params: { readonly id: string; };
    query: { readonly wait?: number | undefined; };
    body: undefined;
    reply: SessionStatus;
  };
  /** Confirm a session with the code that the user was shown, and the user who typed it in */
  'POST /v1/identity/sessions/{id}/confirm': {
    params: { readonly id: string; };
    query: undefined;
    body: { readonly user_id: string; readonly completion_code: string; };
    reply: SessionStatus;
  };
  /** A developer's app: where browsers may be sent back to, and whether sessions need a confirmation */
  'GET /v1/admin/apps/{id}': {
    params: { readonly id: string; };
    query: undefined;
    body: undefined;
    reply: AppSettings;
  };
  /** Set them, all at once */
  'PUT /v1/admin/apps/{id}': {
    params: { readonly id: string; };
    query: undefined;
    body: AppSettingsRequest;
    reply: AppSettings;
  };
  /** Who is connected to what; never a token. `after`: the last id of the page before */
  'GET /v1/admin/connections': {
    params: undefined;
    query: { readonly developer_id?: string | undefined; readonly user_id?: string | undefined; readonly provider?: string | undefined; readonly server_id?: string | undefined; readonly after?: string | undefined; readonly limit?: number | undefined; };
    body: undefined;
    reply: { readonly connections: readonly Connection[]; };
  };
  /** Takes in a user's tokens from elsewhere: a new connection, or newer tokens of the same account */
  'POST /v1/admin/connections': {
    params: undefined;
    query: undefined;
    body: ConnectionImport;
    reply: Connection;
  };
  /** Disconnect: the tokens are gone here at once, and revoked at the provider as soon as it answers */
  'DELETE /v1/admin/connections/{id}': {
    params: { readonly id: string; };
    query: undefined;
    body: undefined;
    reply: Deleted;
  };
  /** A user's own key for a server: tried there, then kept for that user's calls */
  'POST /v1/identity/credentials': {
    params: undefined;
    query: undefined;
    body: UserCredentialsRequest;
    reply: Connection;
  };
  /** What is connected for a user of yours; never a token */
  'GET /v1/identity/connections': {
    params: undefined;
    query: { readonly user_id: string; };
    body: undefined;
    reply: { readonly connections: readonly Connection[]; };
  };
  /** Disconnect one of a user of yours: gone here at once, and revoked where tokens can be */
  'DELETE /v1/identity/connections/{id}': {
    params: { readonly id: string; };
    query: undefined;
    body: undefined;
    reply: Deleted;
  };
  /** The OAuth providers there are: what to register with each, and what is missing here */
  'GET /v1/admin/providers': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: { readonly providers: readonly ProviderSetup[]; };
  };
  /** Who we are to authorization servers that take this URL for a client id, where it is https */
  'GET /client-metadata.json': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: ClientMetadata;
  };
  /** Our clients at MCP servers' authorization servers; never a secret */
  'GET /v1/admin/oauth-clients': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: { readonly clients: readonly OAuthClient[]; };
  };
  /** Use a client that was registered by hand, for all servers of an issuer or for one */
  'POST /v1/admin/oauth-clients': {
    params: undefined;
    query: undefined;
    body: OAuthClientRequest;
    reply: OAuthClient;
  };
  /** Forget a client; what users consented to by it cannot be renewed any more */
  'DELETE /v1/admin/oauth-clients/{id}': {
    params: { readonly id: string; };
    query: undefined;
    body: undefined;
    reply: Deleted;
  };
  /** Have events posted to this URL; the secret that signs them is in this reply and nowhere else */
  'PUT /v1/identity/webhook': {
    params: undefined;
    query: undefined;
    body: { readonly url: string; };
    reply: NewWebhook;
  };
  /** Where events are posted, without the secret, and how many wait; null when nowhere */
  'GET /v1/identity/webhook': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: Webhook;
  };
  /** Post no more events; those that wait are dropped */
  'DELETE /v1/identity/webhook': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: { readonly deleted: boolean; };
  };
  /** Has this user connected the provider */
  'GET /v1/proxy/{provider}/info': {
    params: { readonly provider: string; };
    query: undefined;
    body: undefined;
    reply: ProviderInfo;
  };
  /** The page behind auth_url: names app, user, provider and scopes, and asks */
  'GET /v1/identity/connect/{link}': {
    params: { readonly link: string; };
    query: undefined;
    body: undefined;
    reply: unknown;
  };
  /** Its buttons: on to the provider, or back */
  'POST /v1/identity/connect/{link}': {
    params: { readonly link: string; };
    query: undefined;
    body: { readonly csrf: string; readonly decision?: "connect" | "cancel" | undefined; readonly [more: string]: unknown; };
    reply: unknown;
  };
  /** The way back from the provider: the app's return_url, or a page that tells how it went */
  'GET /v1/identity/callback/{provider}': {
    params: { readonly provider: string; };
    query: undefined;
    body: undefined;
    reply: unknown;
  };
  /** Who did what, newest first; with `Accept: application/x-ndjson` one entry a line, and `before` is the last one's id */
  'GET /v1/admin/audit': {
    params: undefined;
    query: { readonly developer?: string | undefined; readonly user?: string | undefined; readonly before?: string | undefined; readonly limit?: number | undefined; };
    body: undefined;
    reply: { readonly entries: readonly AuditEntry[]; readonly metadata: { readonly next_before?: string | undefined; }; };
  };
  /** Users of all developers, the newest first; `text` is part of an id */
  'GET /v1/admin/users': {
    params: undefined;
    query: { readonly developer_id?: string | undefined; readonly text?: string | undefined; readonly limit?: number | undefined; };
    body: undefined;
    reply: { readonly users: readonly User[]; };
  };
  /** Revoke everything of a developer's user: MITs, refresh tokens, connections */
  'POST /v1/admin/users/revoke': {
    params: undefined;
    query: undefined;
    body: { readonly developer_id: string; readonly user_id: string; };
    reply: Success;
  };
  /** Make an API key; its text is in this reply and nowhere else. A new `developer` name makes a new tenant */
  'POST /v1/admin/keys': {
    params: undefined;
    query: undefined;
    body: ApiKeyRequest;
    reply: NewApiKey;
  };
  /** All API keys, without their texts */
  'GET /v1/admin/keys': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: { readonly keys: readonly ApiKey[]; };
  };
  /** Revoke an API key: it stops working here at once and elsewhere within a second */
  'DELETE /v1/admin/keys/{id}': {
    params: { readonly id: string; };
    query: undefined;
    body: undefined;
    reply: { readonly key_id: string; readonly revoked: true; };
  };
  /** A program that signs itself in, with the rights of a key: by its public keys, or by a secret */
  'POST /v1/admin/machine-clients': {
    params: undefined;
    query: undefined;
    body: MachineClientRequest;
    reply: NewMachineClient;
  };
  /** The programs that sign themselves in; never a secret */
  'GET /v1/admin/machine-clients': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: { readonly clients: readonly MachineClient[]; };
  };
  /** Forget one: its tokens are dead at once */
  'DELETE /v1/admin/machine-clients/{id}': {
    params: { readonly id: string; };
    query: undefined;
    body: undefined;
    reply: Deleted;
  };
  /** Add or change a server, or an array of them, in the catalogue format; all or nothing */
  'POST /v1/admin/servers': {
    params: undefined;
    query: undefined;
    body: unknown;
    reply: PutReport;
  };
  /** The catalogue with where each server came from */
  'GET /v1/admin/servers': {
    params: undefined;
    query: { readonly limit?: number | undefined; readonly cursor?: string | undefined; readonly text?: string | undefined; readonly transport?: "streamable-http" | "sse" | "stdio" | undefined; readonly auth?: "none" | "api_key" | "bearer" | "oauth2" | undefined; readonly category?: string | undefined; readonly verified?: boolean | undefined; readonly source?: string | undefined; readonly own?: boolean | undefined; readonly sort?: "id" | "own" | "name" | "health" | "popularity" | "added" | undefined; };
    body: undefined;
    reply: ServerPage;
  };
  /** Connect to a server now, list its tools, and keep what that shows */
  'POST /v1/admin/servers/{id}/probe': {
    params: { readonly id: string; };
    query: undefined;
    body: undefined;
    reply: { readonly id: string; readonly health: Health; };
  };
  /** Connect to an address that is in no catalogue and list its tools; nothing is kept, the headers least of all */
  'POST /v1/admin/probe': {
    params: undefined;
    query: undefined;
    body: Address;
    reply: AddressFound;
  };
  /** Who may see a server, and whose calls carry the credentials kept for it */
  'GET /v1/admin/servers/{id}/rights': {
    params: { readonly id: string; };
    query: undefined;
    body: undefined;
    reply: ServerRights;
  };
  /** Say who may see a server: everybody, its developer, or some more (`*`: all, with or without credentials) */
  'PUT /v1/admin/servers/{id}/rights': {
    params: { readonly id: string; };
    query: undefined;
    body: ServerRightsRequest;
    reply: ServerRights;
  };
  /** Take a server out of the catalogue: its id answers 410 from then on */
  'DELETE /v1/admin/servers/{id}': {
    params: { readonly id: string; };
    query: undefined;
    body: undefined;
    reply: Deleted;
  };
  /** One server as its operator keeps it: also which header fields go with its requests, never their values */
  'GET /v1/admin/servers/{id}': {
    params: { readonly id: string; };
    query: undefined;
    body: undefined;
    reply: KeptServer;
  };
  /** Change what is said of a server; what is not named stays, who may see it too */
  'PATCH /v1/admin/servers/{id}': {
    params: { readonly id: string; };
    query: undefined;
    body: ServerChange;
    reply: KeptServer;
  };
  /** All toolsets */
  'GET /v1/admin/toolsets': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: { readonly toolsets: readonly Toolset[]; };
  };
  /** Make or replace a toolset: rules that allow, deny or ask; `warnings` names rules that fit nothing */
  'PUT /v1/admin/toolsets/{name}': {
    params: { readonly name: string; };
    query: undefined;
    body: ToolsetRequest;
    reply: ChangedToolset;
  };
  /** One toolset */
  'GET /v1/admin/toolsets/{name}': {
    params: { readonly name: string; };
    query: undefined;
    body: undefined;
    reply: Toolset;
  };
  /** Remove a toolset and its bindings */
  'DELETE /v1/admin/toolsets/{name}': {
    params: { readonly name: string; };
    query: undefined;
    body: undefined;
    reply: { readonly name: string; readonly removed: true; };
  };
  /** What a toolset is bound to */
  'GET /v1/admin/toolsets/{name}/bindings': {
    params: { readonly name: string; };
    query: undefined;
    body: undefined;
    reply: ToolsetBindings;
  };
  /** Bind a toolset to keys, developers, clients and groups: the whole list each time */
  'PUT /v1/admin/toolsets/{name}/bindings': {
    params: { readonly name: string; };
    query: undefined;
    body: ToolsetBindingsRequest;
    reply: ToolsetBindings;
  };
  /** Bind a toolset to nothing */
  'DELETE /v1/admin/toolsets/{name}/bindings': {
    params: { readonly name: string; };
    query: undefined;
    body: undefined;
    reply: ToolsetBindings;
  };
  /** What a key sees: every server and tool with the decision on it, page by page */
  'GET /v1/admin/toolsets/{name}/preview': {
    params: { readonly name: string; };
    query: { readonly key_id: string; readonly cursor?: string | undefined; };
    body: undefined;
    reply: ToolsetPreview;
  };
  /** A server's tools: what it says that they do, and which of them somebody confirmed */
  'GET /v1/admin/servers/{id}/confirmed': {
    params: { readonly id: string; };
    query: undefined;
    body: undefined;
    reply: ConfirmedTools;
  };
  /** Confirm tools as they are now: rules believe what is said of them until it changes; the whole list each time */
  'PUT /v1/admin/servers/{id}/confirmed': {
    params: { readonly id: string; };
    query: undefined;
    body: ConfirmedToolsRequest;
    reply: ConfirmedTools;
  };
  /** Calls that a rule wants approved, newest first; the scope `approve` suffices */
  'GET /v1/admin/approvals': {
    params: undefined;
    query: { readonly state?: "pending" | "approved" | "denied" | "started" | "done" | "expired" | undefined; readonly cursor?: string | undefined; readonly limit?: number | undefined; };
    body: undefined;
    reply: { readonly approvals: readonly Approval[]; readonly next_cursor?: string | undefined; };
  };
  /** Approve or deny a call that waits; the scope `approve` suffices, the caller itself does not */
  'POST /v1/admin/approvals/{id}': {
    params: { readonly id: string; };
    query: undefined;
    body: ApprovalDecision;
    reply: Approval;
  };
  /** Every tools/call: who, what, by which rule, with what end; newest first; with `Accept: application/jsonl` one a line */
  'GET /v1/admin/calls': {
    params: undefined;
    query: { readonly developer?: string | undefined; readonly user_id?: string | undefined; readonly server_id?: string | undefined; readonly tool?: string | undefined; readonly outcome?: "ok" | "denied" | "waiting" | "refused" | "auth" | "rate_limit" | "timeout" | "invalid_arguments" | "server" | "other" | "cancelled" | undefined; readonly from?: string | undefined; readonly to?: string | undefined; readonly cursor?: string | undefined; readonly limit?: number | undefined; };
    body: undefined;
    reply: { readonly calls: readonly CallRecord[]; readonly next_cursor?: string | undefined; };
  };
  /** Forget whose calls a developer's user's were: the calls stay, without user and arguments */
  'DELETE /v1/admin/calls': {
    params: undefined;
    query: { readonly developer: string; readonly user_id: string; };
    body: undefined;
    reply: { readonly forgotten: number; };
  };
  /** The last run of a sync, an import, an embedding and a rotation: how far it is, or how it ended */
  'GET /v1/admin/work': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: { readonly work: readonly LongWork[]; };
  };
  /** The effective settings, secrets masked, and whether what they name works */
  'GET /v1/admin/settings': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: Settings;
  };
  /** We as an MCP server: search_tools, describe_tool, call_tool, call_tools; few tools are listed as they are */
  'POST /mcp': {
    params: undefined;
    query: undefined;
    body: RpcMessage;
    reply: RpcReply;
  };
  /** In a session (Mcp-Session-Id): what changed in lists, and in resources that were subscribed to */
  'GET /mcp': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: unknown;
  };
  /** Ends a session (Mcp-Session-Id) */
  'DELETE /mcp': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: unknown;
  };
  /** A toolset as an MCP server of its own: its tools as they are, each as `server__tool` */
  'POST /mcp/t/{name}': {
    params: { readonly name: string; };
    query: undefined;
    body: RpcMessage;
    reply: RpcReply;
  };
  /** In a session (Mcp-Session-Id): what changed in lists, and in resources that were subscribed to */
  'GET /mcp/t/{name}': {
    params: { readonly name: string; };
    query: undefined;
    body: undefined;
    reply: unknown;
  };
  /** Ends a session (Mcp-Session-Id) */
  'DELETE /mcp/t/{name}': {
    params: { readonly name: string; };
    query: undefined;
    body: undefined;
    reply: unknown;
  };
  /** A toolset's tools as typed functions, for clients that run code */
  'GET /mcp/t/{name}/types.ts': {
    params: { readonly name: string; };
    query: undefined;
    body: undefined;
    reply: unknown;
  };
  /** One server as an MCP server, whole: tools, resources, prompts, whatever its age (a slash in the id is written %2F) */
  'POST /mcp/servers/{id}': {
    params: { readonly id: string; };
    query: undefined;
    body: RpcMessage;
    reply: RpcReply;
  };
  /** In a session (Mcp-Session-Id): the stream beside the answers, or the rest of one */
  'GET /mcp/servers/{id}': {
    params: { readonly id: string; };
    query: undefined;
    body: undefined;
    reply: unknown;
  };
  /** Ends a session (Mcp-Session-Id) */
  'DELETE /mcp/servers/{id}': {
    params: { readonly id: string; };
    query: undefined;
    body: undefined;
    reply: unknown;
  };
  /** Where clients of MCP send their users: authorization code with PKCE S256 (RFC 6749, RFC 8707, RFC 9207) */
  'GET /authorize': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: unknown;
  };
  /** Back to the client, once a person has decided */
  'GET /authorize/{uid}': {
    params: { readonly uid: string; };
    query: undefined;
    body: undefined;
    reply: unknown;
  };
  /** A code or a refresh token for tokens (RFC 6749) */
  'POST /token': {
    params: undefined;
    query: undefined;
    body: Readonly<Record<string, unknown>>;
    reply: Readonly<Record<string, unknown>>;
  };
  /** Registers a client (RFC 7591): so many of one address in a day, and unused ones for a day */
  'POST /register': {
    params: undefined;
    query: undefined;
    body: Readonly<Record<string, unknown>>;
    reply: Readonly<Record<string, unknown>>;
  };
  /** Ends a token of the asking client, or all of a consent (RFC 7009) */
  'POST /revoke': {
    params: undefined;
    query: undefined;
    body: Readonly<Record<string, unknown>>;
    reply: unknown;
  };
  /** What a token of the asking client is good for (RFC 7662) */
  'POST /introspect': {
    params: undefined;
    query: undefined;
    body: Readonly<Record<string, unknown>>;
    reply: Readonly<Record<string, unknown>>;
  };
  /** Asks who it is, and whether the client may */
  'GET /sign-in/{uid}': {
    params: { readonly uid: string; };
    query: undefined;
    body: undefined;
    reply: unknown;
  };
  /** Its buttons */
  'POST /sign-in/{uid}': {
    params: { readonly uid: string; };
    query: undefined;
    body: { readonly decision: "allow" | "cancel"; readonly key?: string | undefined; readonly user_id?: string | undefined; };
    reply: unknown;
  };
  /** Where and how people sign in (RFC 8414) */
  'GET /.well-known/oauth-authorization-server': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: AuthorizationServer;
  };
  /** Where and how people sign in (RFC 8414) */
  'GET /mcp/.well-known/oauth-authorization-server': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: AuthorizationServer;
  };
  /** Where and how people sign in (RFC 8414) */
  'GET /mcp/t/{name}/.well-known/oauth-authorization-server': {
    params: { readonly name: string; };
    query: undefined;
    body: undefined;
    reply: AuthorizationServer;
  };
  /** Where and how people sign in (RFC 8414) */
  'GET /mcp/servers/{name}/.well-known/oauth-authorization-server': {
    params: { readonly name: string; };
    query: undefined;
    body: undefined;
    reply: AuthorizationServer;
  };
  /** Where and how people sign in (RFC 8414) */
  'GET /.well-known/openid-configuration': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: AuthorizationServer;
  };
  /** Where and how people sign in (RFC 8414) */
  'GET /mcp/.well-known/openid-configuration': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: AuthorizationServer;
  };
  /** Where and how people sign in (RFC 8414) */
  'GET /mcp/t/{name}/.well-known/openid-configuration': {
    params: { readonly name: string; };
    query: undefined;
    body: undefined;
    reply: AuthorizationServer;
  };
  /** Where and how people sign in (RFC 8414) */
  'GET /mcp/servers/{name}/.well-known/openid-configuration': {
    params: { readonly name: string; };
    query: undefined;
    body: undefined;
    reply: AuthorizationServer;
  };
  /** Who gives tokens for the door of MCP at that path (RFC 9728) */
  'GET /.well-known/oauth-protected-resource': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: ProtectedResource;
  };
  /** The user's own page: what is connected, and where it was used last */
  'GET /me': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: unknown;
  };
  /** To it with a key and a user, where there is no provider of a company */
  'POST /me/sign-in': {
    params: undefined;
    query: undefined;
    body: { readonly key: string; readonly user_id: string; };
    reply: unknown;
  };
  /** Out of it */
  'POST /me/sign-out': {
    params: undefined;
    query: undefined;
    body: { readonly csrf: string; };
    reply: unknown;
  };
  /** Disconnects one of one's own */
  'POST /me/disconnect': {
    params: undefined;
    query: undefined;
    body: { readonly csrf: string; readonly id: string; };
    reply: unknown;
  };
  /** On to the consent: another account, or the same one again */
  'POST /me/connect': {
    params: undefined;
    query: undefined;
    body: { readonly csrf: string; readonly provider?: string | undefined; readonly server_id?: string | undefined; readonly account?: string | undefined; };
    reply: unknown;
  };
  /** Liveness */
  'GET /v1/health': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: Liveness;
  };
  /** Liveness, for orchestrators */
  'GET /healthz': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: Liveness;
  };
  /** Readiness: 200 once the index is loaded and the store answers, else 503 */
  'GET /readyz': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: Readiness;
  };
  /** Metrics in the Prometheus text format */
  'GET /metrics': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: unknown;
  };
  /** What was asked and what came of it: requests and latencies of this process, calls and searches of all of them */
  'GET /v1/admin/activity': {
    params: undefined;
    query: { readonly window?: "1h" | "6h" | "24h" | undefined; };
    body: undefined;
    reply: Activity;
  };
  /** The same every five seconds, as server-sent events, for as long as the right to it lasts */
  'GET /v1/admin/activity/live': {
    params: undefined;
    query: { readonly window?: "1h" | "6h" | "24h" | undefined; };
    body: undefined;
    reply: unknown;
  };
  /** What a key was used for, day by day */
  'GET /v1/admin/keys/{id}/usage': {
    params: { readonly id: string; };
    query: { readonly days?: number | undefined; };
    body: undefined;
    reply: KeyUsage;
  };
  /** This document */
  'GET /openapi.json': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: Readonly<Record<string, unknown>>;
  };
};
