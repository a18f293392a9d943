// Written by sdk/generate.ts from the OpenAPI document. Do not edit.
// biome-ignore-all format: generated

export type Api = {
  /** Sign in to the console: an API key becomes a cookie for this browser, for twelve hours */
  'POST /console/session': {
    params: undefined;
    query: undefined;
    body: { readonly key: string; };
    reply: { readonly signed_in: boolean; readonly version: string; readonly csrf?: string | undefined; readonly key_id?: string | undefined; readonly developer?: string | undefined; readonly developer_id?: string | undefined; readonly tier?: string | undefined; readonly per_minute?: number | undefined; readonly scopes?: readonly (string)[] | undefined; };
  };
  /** Who is signed in to the console by this browser */
  'GET /console/session': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: { readonly signed_in: boolean; readonly version: string; readonly csrf?: string | undefined; readonly key_id?: string | undefined; readonly developer?: string | undefined; readonly developer_id?: string | undefined; readonly tier?: string | undefined; readonly per_minute?: number | undefined; readonly scopes?: readonly (string)[] | undefined; };
  };
  /** Sign out of the console */
  'DELETE /console/session': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: { readonly signed_in: boolean; readonly version: string; readonly csrf?: string | undefined; readonly key_id?: string | undefined; readonly developer?: string | undefined; readonly developer_id?: string | undefined; readonly tier?: string | undefined; readonly per_minute?: number | undefined; readonly scopes?: readonly (string)[] | undefined; };
  };
  /** Semantic search for MCP servers and their tools; `queries` asks several at once and answers `{results: […]}` */
  'POST /v1/search': {
    params: undefined;
    query: undefined;
    body: { readonly query?: string | undefined; readonly limit?: number | undefined; readonly tool_limit?: number | undefined; readonly filters?: { readonly transport?: readonly ("streamable-http" | "sse" | "stdio")[] | undefined; readonly auth?: readonly ("none" | "api_key" | "bearer" | "oauth2")[] | undefined; readonly category?: readonly (string)[] | undefined; readonly verified?: boolean | undefined; readonly connected?: boolean | undefined; } | undefined; readonly min_score?: number | undefined; readonly explain?: boolean | undefined; readonly cursor?: string | undefined; readonly queries?: readonly ({ readonly query: string; readonly limit?: number | undefined; readonly tool_limit?: number | undefined; readonly filters?: { readonly transport?: readonly ("streamable-http" | "sse" | "stdio")[] | undefined; readonly auth?: readonly ("none" | "api_key" | "bearer" | "oauth2")[] | undefined; readonly category?: readonly (string)[] | undefined; readonly verified?: boolean | undefined; readonly connected?: boolean | undefined; } | undefined; readonly min_score?: number | undefined; readonly explain?: boolean | undefined; readonly cursor?: string | undefined; })[] | undefined; };
    reply: { readonly servers: readonly ({ readonly id: string; readonly name: string; readonly description: string; readonly remote_url: string | null; readonly tools: readonly ({ readonly name: string; readonly description: string; readonly input_schema: Readonly<Record<string, unknown>>; })[]; readonly scores: { readonly semantic: number; readonly popularity: number; }; readonly final_score: number; readonly match: "strong" | "weak"; readonly connection?: "ready" | "needs_auth" | "needs_scope" | "open" | "unavailable" | undefined; readonly also_available_from?: readonly (string)[] | undefined; readonly explain?: Readonly<Record<string, unknown>> | undefined; })[]; readonly metadata: { readonly latency_ms: number; readonly cache_hit: boolean; readonly total_candidates: number; readonly query_log_id: string; readonly next_cursor?: string | undefined; }; } | { readonly results: readonly ({ readonly servers: readonly ({ readonly id: string; readonly name: string; readonly description: string; readonly remote_url: string | null; readonly tools: readonly ({ readonly name: string; readonly description: string; readonly input_schema: Readonly<Record<string, unknown>>; })[]; readonly scores: { readonly semantic: number; readonly popularity: number; }; readonly final_score: number; readonly match: "strong" | "weak"; readonly connection?: "ready" | "needs_auth" | "needs_scope" | "open" | "unavailable" | undefined; readonly also_available_from?: readonly (string)[] | undefined; readonly explain?: Readonly<Record<string, unknown>> | undefined; })[]; readonly metadata: { readonly latency_ms: number; readonly cache_hit: boolean; readonly total_candidates: number; readonly query_log_id: string; readonly next_cursor?: string | undefined; }; })[]; };
  };
  /** Record the outcome of a tool invocation; `Prefer: respond-async` answers 202 before it is durable */
  'POST /v1/invocations': {
    params: undefined;
    query: undefined;
    body: { readonly query_log_id?: string | undefined; readonly server_id: string; readonly tool_name: string; readonly success: boolean; readonly latency_ms?: number | undefined; readonly error_type?: "auth" | "rate_limit" | "timeout" | "invalid_arguments" | "server" | "other" | undefined; readonly idempotency_key?: string | undefined; };
    reply: { readonly invocation_id: string; readonly recorded: true; };
  };
  /** Browse the catalogue by id, page by page */
  'GET /v1/servers': {
    params: undefined;
    query: { readonly limit?: number | undefined; readonly cursor?: string | undefined; readonly text?: string | undefined; readonly transport?: "streamable-http" | "sse" | "stdio" | undefined; readonly auth?: "none" | "api_key" | "bearer" | "oauth2" | undefined; readonly category?: string | undefined; readonly verified?: boolean | undefined; readonly source?: string | undefined; };
    body: undefined;
    reply: { readonly servers: readonly ({ readonly id: string; readonly name: string; readonly description: string; readonly remote_url: string | null; readonly auth_required: boolean; readonly auth_type: string | null; readonly transport: string; readonly category: string | null; readonly tags: readonly (string)[]; readonly verified: boolean; readonly repository_url: string | null; readonly version: string | null; readonly source: string; readonly updated_at: string; readonly tool_count: number; readonly popularity: number; readonly state: string | null; })[]; readonly metadata: { readonly next_cursor?: string | undefined; readonly count: number; }; };
  };
  /** How large the catalogue is, and how many servers there are of each kind */
  'GET /v1/catalogue': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: { readonly servers: number; readonly tools: number; readonly category: readonly ({ readonly name: string | null; readonly servers: number; })[]; readonly transport: readonly ({ readonly name: string | null; readonly servers: number; })[]; readonly auth: readonly ({ readonly name: string | null; readonly servers: number; })[]; readonly source: readonly ({ readonly name: string | null; readonly servers: number; })[]; };
  };
  /** One server with its tools (a slash in the id is written %2F) */
  'GET /v1/servers/{id}': {
    params: { readonly id: string; };
    query: undefined;
    body: undefined;
    reply: { readonly id: string; readonly name: string; readonly description: string; readonly remote_url: string | null; readonly auth_required: boolean; readonly auth_type: string | null; readonly transport: string; readonly category: string | null; readonly tags: readonly (string)[]; readonly verified: boolean; readonly repository_url: string | null; readonly version: string | null; readonly source: string; readonly updated_at: string; readonly health: { readonly state: string; readonly era: string | null; readonly auth: string | null; readonly latency_ms: number | null; readonly reason: string | null; readonly failures: number; readonly uptime: number; readonly checks: number; readonly fingerprint: string | null; readonly suspicions: readonly ({ readonly tool: string; readonly kinds: readonly (string)[]; })[]; readonly since: string; readonly checked_at: string; } | null; readonly tools: readonly ({ readonly name: string; readonly description: string; readonly input_schema: Readonly<Record<string, unknown>>; })[]; };
  };
  /** How a server has been: its last looks and what changed about its tools, newest first */
  'GET /v1/servers/{id}/health': {
    params: { readonly id: string; };
    query: undefined;
    body: undefined;
    reply: { readonly health: { readonly state: string; readonly era: string | null; readonly auth: string | null; readonly latency_ms: number | null; readonly reason: string | null; readonly failures: number; readonly uptime: number; readonly checks: number; readonly fingerprint: string | null; readonly suspicions: readonly ({ readonly tool: string; readonly kinds: readonly (string)[]; })[]; readonly since: string; readonly checked_at: string; } | null; readonly looks: readonly ({ readonly at: string; readonly state: string; readonly latency_ms: number | null; })[]; readonly drift: readonly ({ readonly id: string; readonly at: string; readonly kind: string; readonly tool: string; readonly before: string | null; readonly after: string | null; })[]; };
  };
  /** Registry API: the public servers, page by page; with `updated_since` removed ones too */
  'GET /v0.1/servers': {
    params: undefined;
    query: { readonly cursor?: string | undefined; readonly limit?: number | undefined; readonly search?: string | undefined; readonly updated_since?: string | undefined; readonly version?: string | undefined; };
    body: undefined;
    reply: { readonly servers: readonly ({ readonly server: { readonly name: string; }; readonly _meta: Readonly<Record<string, unknown>>; })[]; readonly metadata: { readonly nextCursor?: string | undefined; readonly count: number; }; };
  };
  /** Registry API: the versions of a server (a slash in the name is written %2F) */
  'GET /v0.1/servers/{name}/versions': {
    params: { readonly name: string; };
    query: undefined;
    body: undefined;
    reply: { readonly servers: readonly ({ readonly server: { readonly name: string; }; readonly _meta: Readonly<Record<string, unknown>>; })[]; readonly metadata: { readonly nextCursor?: string | undefined; readonly count: number; }; };
  };
  /** Registry API: one version of a server, or `latest` */
  'GET /v0.1/servers/{name}/versions/{version}': {
    params: { readonly name: string; readonly version: string; };
    query: undefined;
    body: undefined;
    reply: { readonly server: { readonly name: string; }; readonly _meta: Readonly<Record<string, unknown>>; };
  };
  /** One server's record */
  'GET /v1/mcp/server': {
    params: undefined;
    query: { readonly server_id: string; };
    body: undefined;
    reply: { readonly id: string; readonly name: string; readonly description: string; readonly remote_url: string | null; readonly auth_required: boolean; readonly auth_type: string | null; };
  };
  /** Any JSON-RPC method on a server; always answers with a JSON-RPC envelope */
  'POST /v1/mcp/call': {
    params: undefined;
    query: undefined;
    body: { readonly server_id: string; readonly method: string; readonly params?: Readonly<Record<string, unknown>> | undefined; readonly id?: string | number | undefined; readonly query_log_id?: string | undefined; readonly continuation?: string | undefined; readonly input_responses?: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined; };
    reply: { readonly jsonrpc: "2.0"; readonly id: string | number | null; readonly result?: Readonly<Record<string, unknown>> | undefined; readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown | undefined; } | undefined; };
  };
  /** The tools of a server, all pages of them */
  'POST /v1/mcp/tools/list': {
    params: undefined;
    query: undefined;
    body: { readonly server_id: string; };
    reply: { readonly tools: readonly ({ readonly name: string; readonly description?: string | undefined; readonly inputSchema?: Readonly<Record<string, unknown>> | undefined; })[]; };
  };
  /** Call one tool; `Idempotency-Key` makes a repeated request harmless */
  'POST /v1/mcp/tools/call': {
    params: undefined;
    query: undefined;
    body: { readonly server_id: string; readonly name: string; readonly arguments?: Readonly<Record<string, unknown>> | undefined; readonly query_log_id?: string | undefined; readonly continuation?: string | undefined; readonly input_responses?: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined; };
    reply: { readonly content: readonly (Readonly<Record<string, unknown>>)[]; readonly isError: boolean; readonly structuredContent?: unknown | undefined; } | { readonly status: "input_required"; readonly input_requests: Readonly<Record<string, unknown>>; readonly continuation: string; };
  };
  /** A MIT for a user, by `user_id` or by a token of your own identity provider (RFC 8693) */
  'POST /v1/identity/token': {
    params: undefined;
    query: undefined;
    body: { readonly user_id?: string | undefined; readonly grant_type?: "urn:ietf:params:oauth:grant-type:token-exchange" | undefined; readonly subject_token?: string | undefined; readonly subject_token_type?: "urn:ietf:params:oauth:token-type:id_token" | "urn:ietf:params:oauth:token-type:jwt" | "urn:ietf:params:oauth:token-type:access_token" | undefined; };
    reply: { readonly access_token: string; readonly refresh_token: string; readonly expires_in: number; readonly token_type: "Bearer"; readonly issued_token_type?: string | undefined; };
  };
  /** A new MIT and a new refresh token for a refresh token; each is good once */
  'POST /v1/identity/refresh': {
    params: undefined;
    query: undefined;
    body: { readonly refresh_token: string; };
    reply: { readonly access_token: string; readonly refresh_token: string; readonly expires_in: number; readonly token_type: "Bearer"; };
  };
  /** End a user's MITs and refresh tokens at once, and delete the provider tokens stored for them */
  'POST /v1/identity/revoke': {
    params: undefined;
    query: undefined;
    body: { readonly user_id: string; };
    reply: { readonly success: true; };
  };
  /** What a MIT or refresh token of yours says, and whether it is alive (RFC 7662) */
  'POST /v1/identity/introspect': {
    params: undefined;
    query: undefined;
    body: { readonly token: string; readonly token_type_hint?: string | undefined; };
    reply: { readonly active: boolean; };
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
    body: { readonly issuer: string; readonly audience: string; readonly jwks_uri: string; readonly user_prefix?: string | undefined; };
    reply: { readonly issuer_id: string; readonly issuer: string; readonly audience: string; readonly jwks_uri: string; readonly user_prefix: string; readonly created_at: string; };
  };
  /** The identity providers you trust */
  'GET /v1/identity/issuers': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: { readonly issuers: readonly ({ readonly issuer_id: string; readonly issuer: string; readonly audience: string; readonly jwks_uri: string; readonly user_prefix: string; readonly created_at: string; })[]; };
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
    body: { readonly user_id: string; readonly provider?: string | undefined; readonly server_id?: string | undefined; readonly scopes?: readonly (string)[] | undefined; readonly return_url?: string | undefined; readonly require_confirmation?: boolean | undefined; readonly expected_account?: string | undefined; };
    reply: { readonly session_id: string; readonly auth_url: string; readonly expires_at: string; };
  };
  /** Poll a session; `wait` holds the reply until it is over, at most so many seconds */
  'GET /v1/identity/sessions/{id}': {
    params: { readonly id: string; };
    query: { readonly wait?: number | undefined; };
    body: undefined;
    reply: { readonly session_id: string; readonly status: "pending" | "complete" | "error"; readonly error?: string | undefined; readonly awaiting?: "confirmation" | undefined; readonly connection_id?: string | undefined; readonly account?: string | undefined; readonly is_default?: boolean | undefined; readonly granted_scopes?: readonly (string)[] | undefined; readonly missing_scopes?: readonly (string)[] | undefined; readonly renewable?: boolean | undefined; };
  };
  /** Confirm a session with the code that the user was shown, and the user who typed it in */
  'POST /v1/identity/sessions/{id}/confirm': {
    params: { readonly id: string; };
    query: undefined;
    body: { readonly user_id: string; readonly completion_code: string; };
    reply: { readonly session_id: string; readonly status: "pending" | "complete" | "error"; readonly error?: string | undefined; readonly awaiting?: "confirmation" | undefined; readonly connection_id?: string | undefined; readonly account?: string | undefined; readonly is_default?: boolean | undefined; readonly granted_scopes?: readonly (string)[] | undefined; readonly missing_scopes?: readonly (string)[] | undefined; readonly renewable?: boolean | undefined; };
  };
  /** A developer's app: where browsers may be sent back to, and whether sessions need a confirmation */
  'GET /v1/admin/apps/{id}': {
    params: { readonly id: string; };
    query: undefined;
    body: undefined;
    reply: { readonly return_urls: readonly (string)[]; readonly require_confirmation: boolean; };
  };
  /** Set them, all at once */
  'PUT /v1/admin/apps/{id}': {
    params: { readonly id: string; };
    query: undefined;
    body: { readonly return_urls: readonly (string)[]; readonly require_confirmation?: boolean | undefined; };
    reply: { readonly return_urls: readonly (string)[]; readonly require_confirmation: boolean; };
  };
  /** Who is connected to what; never a token. `after`: the last id of the page before */
  'GET /v1/admin/connections': {
    params: undefined;
    query: { readonly developer_id?: string | undefined; readonly user_id?: string | undefined; readonly provider?: string | undefined; readonly server_id?: string | undefined; readonly after?: string | undefined; readonly limit?: number | undefined; };
    body: undefined;
    reply: { readonly connections: readonly ({ readonly id: string; readonly developer_id: string; readonly user_id: string; readonly provider: string; readonly server_id?: string | undefined; readonly account: string; readonly label: string | null; readonly status: "active" | "needs_reauth"; readonly scopes: readonly (string)[]; readonly created_at: string; readonly updated_at: string; readonly expires_at: string | null; readonly renewable: boolean; })[]; };
  };
  /** Disconnect: the tokens are gone here at once, and revoked at the provider as soon as it answers */
  'DELETE /v1/admin/connections/{id}': {
    params: { readonly id: string; };
    query: undefined;
    body: undefined;
    reply: { readonly id: string; readonly deleted: true; };
  };
  /** Who we are to authorization servers that take this URL for a client id, where it is https */
  'GET /client-metadata.json': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: Readonly<Record<string, unknown>>;
  };
  /** Our clients at MCP servers' authorization servers; never a secret */
  'GET /v1/admin/oauth-clients': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: { readonly clients: readonly ({ readonly id: string; readonly issuer: string; readonly server_id: string | null; readonly kind: "registered" | "dynamic"; readonly client_id: string; readonly auth_method: string; })[]; };
  };
  /** Use a client that was registered by hand, for all servers of an issuer or for one */
  'POST /v1/admin/oauth-clients': {
    params: undefined;
    query: undefined;
    body: { readonly issuer: string; readonly server_id?: string | undefined; readonly client_id: string; readonly client_secret?: string | undefined; readonly auth_method?: "client_secret_basic" | "client_secret_post" | "none" | undefined; };
    reply: { readonly id: string; readonly issuer: string; readonly server_id: string | null; readonly kind: "registered" | "dynamic"; readonly client_id: string; readonly auth_method: string; };
  };
  /** Forget a client; what users consented to by it cannot be renewed any more */
  'DELETE /v1/admin/oauth-clients/{id}': {
    params: { readonly id: string; };
    query: undefined;
    body: undefined;
    reply: { readonly id: string; readonly deleted: true; };
  };
  /** Have events posted to this URL; the secret that signs them is in this reply and nowhere else */
  'PUT /v1/identity/webhook': {
    params: undefined;
    query: undefined;
    body: { readonly url: string; };
    reply: { readonly url: string; readonly secret: string; };
  };
  /** Where events are posted, without the secret, and how many wait; null when nowhere */
  'GET /v1/identity/webhook': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: { readonly url: string | null; readonly updated_at: string | null; readonly waiting: number; };
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
    reply: { readonly provider: string; readonly connected: boolean; readonly status: "active" | "needs_reauth" | null; readonly can_access: boolean; readonly renewable?: false | undefined; };
  };
  /** The page behind auth_url: names app, user, provider and scopes, and asks */
  'GET /v1/identity/connect/{link}': {
    params: { readonly link: string; };
    query: undefined;
    body: undefined;
    reply: unknown;
  };
  /** Its button: on to the provider */
  'POST /v1/identity/connect/{link}': {
    params: { readonly link: string; };
    query: undefined;
    body: { readonly csrf: string; };
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
    reply: { readonly entries: readonly ({ readonly id: string; readonly at: string; })[]; readonly metadata: { readonly next_before?: string | undefined; }; };
  };
  /** Users of all developers, the newest first; `text` is part of an id */
  'GET /v1/admin/users': {
    params: undefined;
    query: { readonly developer_id?: string | undefined; readonly text?: string | undefined; readonly limit?: number | undefined; };
    body: undefined;
    reply: { readonly users: readonly ({ readonly developer_id: string; readonly user_id: string; readonly created_at: string; readonly sessions: number; })[]; };
  };
  /** Revoke everything of a developer's user: MITs, refresh tokens, connections */
  'POST /v1/admin/users/revoke': {
    params: undefined;
    query: undefined;
    body: { readonly developer_id: string; readonly user_id: string; };
    reply: { readonly success: true; };
  };
  /** Make an API key; its text is in this reply and nowhere else. A new `developer` name makes a new tenant */
  'POST /v1/admin/keys': {
    params: undefined;
    query: undefined;
    body: { readonly developer: string; readonly name: string; readonly tier: string; readonly scopes?: readonly ("search" | "invocations" | "identity" | "proxy" | "mcp" | "admin")[] | undefined; readonly expires_at?: string | undefined; readonly addresses?: readonly (string)[] | undefined; };
    reply: { readonly key_id: string; readonly developer_id: string; readonly developer: string; readonly name: string; readonly tier: string; readonly scopes: readonly (string)[]; readonly created_at: string; readonly expires_at: string | null; readonly addresses: readonly (string)[] | null; readonly revoked_at: string | null; readonly last_used_at: string | null; readonly key: string; };
  };
  /** All API keys, without their texts */
  'GET /v1/admin/keys': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: { readonly keys: readonly ({ readonly key_id: string; readonly developer_id: string; readonly developer: string; readonly name: string; readonly tier: string; readonly scopes: readonly (string)[]; readonly created_at: string; readonly expires_at: string | null; readonly addresses: readonly (string)[] | null; readonly revoked_at: string | null; readonly last_used_at: string | null; })[]; };
  };
  /** Revoke an API key: it stops working here at once and elsewhere within a second */
  'DELETE /v1/admin/keys/{id}': {
    params: { readonly id: string; };
    query: undefined;
    body: undefined;
    reply: { readonly key_id: string; readonly revoked: true; };
  };
  /** Add or change a server, or an array of them, in the catalogue format; all or nothing */
  'POST /v1/admin/servers': {
    params: undefined;
    query: undefined;
    body: unknown;
    reply: { readonly ids: readonly (string)[]; readonly added: number; readonly updated: number; readonly unchanged: number; };
  };
  /** The catalogue with where each server came from */
  'GET /v1/admin/servers': {
    params: undefined;
    query: { readonly limit?: number | undefined; readonly cursor?: string | undefined; readonly text?: string | undefined; readonly transport?: "streamable-http" | "sse" | "stdio" | undefined; readonly auth?: "none" | "api_key" | "bearer" | "oauth2" | undefined; readonly category?: string | undefined; readonly verified?: boolean | undefined; readonly source?: string | undefined; };
    body: undefined;
    reply: { readonly servers: readonly ({ readonly id: string; readonly name: string; readonly description: string; readonly remote_url: string | null; readonly auth_required: boolean; readonly auth_type: string | null; readonly transport: string; readonly category: string | null; readonly tags: readonly (string)[]; readonly verified: boolean; readonly repository_url: string | null; readonly version: string | null; readonly source: string; readonly updated_at: string; readonly tool_count: number; readonly popularity: number; readonly state: string | null; })[]; readonly metadata: { readonly next_cursor?: string | undefined; readonly count: number; }; };
  };
  /** Connect to a server now, list its tools, and keep what that shows */
  'POST /v1/admin/servers/{id}/probe': {
    params: { readonly id: string; };
    query: undefined;
    body: undefined;
    reply: { readonly id: string; readonly health: { readonly state: string; readonly era: string | null; readonly auth: string | null; readonly latency_ms: number | null; readonly reason: string | null; readonly failures: number; readonly uptime: number; readonly checks: number; readonly fingerprint: string | null; readonly suspicions: readonly ({ readonly tool: string; readonly kinds: readonly (string)[]; })[]; readonly since: string; readonly checked_at: string; }; };
  };
  /** Who may see a server, and whose calls carry the credentials kept for it */
  'GET /v1/admin/servers/{id}/rights': {
    params: { readonly id: string; };
    query: undefined;
    body: undefined;
    reply: { readonly visibility: string; readonly developer: string; readonly granted: readonly ({ readonly developer: string; readonly credentials: boolean; })[]; };
  };
  /** Say who may see a server: everybody, its developer, or some more (`*`: all, with or without credentials) */
  'PUT /v1/admin/servers/{id}/rights': {
    params: { readonly id: string; };
    query: undefined;
    body: { readonly visibility?: "public" | "private" | undefined; readonly developer?: string | undefined; readonly granted?: readonly ({ readonly developer: string; readonly credentials?: boolean | undefined; })[] | undefined; };
    reply: { readonly visibility: string; readonly developer: string; readonly granted: readonly ({ readonly developer: string; readonly credentials: boolean; })[]; };
  };
  /** Take a server out of the catalogue: its id answers 410 from then on */
  'DELETE /v1/admin/servers/{id}': {
    params: { readonly id: string; };
    query: undefined;
    body: undefined;
    reply: { readonly id: string; readonly deleted: true; };
  };
  /** All toolsets */
  'GET /v1/admin/toolsets': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: { readonly toolsets: readonly ({ readonly name: string; readonly title: string | null; readonly rules: readonly ({ readonly effect: "allow" | "deny"; readonly server?: string | undefined; readonly tool?: string | undefined; readonly tags?: readonly (string)[] | undefined; readonly categories?: readonly (string)[] | undefined; })[]; readonly default: string; readonly version: number; })[]; };
  };
  /** Make or replace a toolset: rules that allow or deny tools; `warnings` names rules that fit nothing */
  'PUT /v1/admin/toolsets/{name}': {
    params: { readonly name: string; };
    query: undefined;
    body: { readonly title?: string | undefined; readonly rules: readonly ({ readonly effect: "allow" | "deny"; readonly server?: string | undefined; readonly tool?: string | undefined; readonly tags?: readonly (string)[] | undefined; readonly categories?: readonly (string)[] | undefined; })[]; readonly default?: "allow" | "deny" | undefined; };
    reply: { readonly name: string; readonly title: string | null; readonly rules: readonly ({ readonly effect: "allow" | "deny"; readonly server?: string | undefined; readonly tool?: string | undefined; readonly tags?: readonly (string)[] | undefined; readonly categories?: readonly (string)[] | undefined; })[]; readonly default: string; readonly version: number; readonly warnings: readonly (string)[]; };
  };
  /** One toolset */
  'GET /v1/admin/toolsets/{name}': {
    params: { readonly name: string; };
    query: undefined;
    body: undefined;
    reply: { readonly name: string; readonly title: string | null; readonly rules: readonly ({ readonly effect: "allow" | "deny"; readonly server?: string | undefined; readonly tool?: string | undefined; readonly tags?: readonly (string)[] | undefined; readonly categories?: readonly (string)[] | undefined; })[]; readonly default: string; readonly version: number; };
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
    reply: { readonly keys: readonly (string)[]; readonly developers: readonly (string)[]; };
  };
  /** Bind a toolset to keys and developers: the whole list each time */
  'PUT /v1/admin/toolsets/{name}/bindings': {
    params: { readonly name: string; };
    query: undefined;
    body: { readonly keys?: readonly (string)[] | undefined; readonly developers?: readonly (string)[] | undefined; };
    reply: { readonly keys: readonly (string)[]; readonly developers: readonly (string)[]; };
  };
  /** Bind a toolset to nothing */
  'DELETE /v1/admin/toolsets/{name}/bindings': {
    params: { readonly name: string; };
    query: undefined;
    body: undefined;
    reply: { readonly keys: readonly (string)[]; readonly developers: readonly (string)[]; };
  };
  /** What a key sees: every server and tool with the decision on it, page by page */
  'GET /v1/admin/toolsets/{name}/preview': {
    params: { readonly name: string; };
    query: { readonly key_id: string; readonly cursor?: string | undefined; };
    body: undefined;
    reply: { readonly servers: readonly ({ readonly id: string; readonly visible: boolean; readonly decision: { readonly effect: string; readonly toolset: string | null; }; readonly tools: readonly ({ readonly name: string; readonly decision: { readonly effect: string; readonly toolset: string | null; }; })[]; })[]; readonly next_cursor?: string | undefined; };
  };
  /** The effective settings, secrets masked, and whether what they name works */
  'GET /v1/admin/settings': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: { readonly settings: readonly ({ readonly name: string; readonly value: string; readonly meaning: string; readonly default: string | null; })[]; readonly findings: readonly ({ readonly check: string; readonly level: "ok" | "warning" | "error"; readonly message: string; })[]; readonly process: Readonly<Record<string, unknown>>; };
  };
  /** We as an MCP server: search_tools, describe_tool, call_tool; few tools are listed as they are */
  'POST /mcp': {
    params: undefined;
    query: undefined;
    body: { readonly jsonrpc: "2.0"; readonly id?: string | number | undefined; readonly method?: string | undefined; readonly params?: Readonly<Record<string, unknown>> | undefined; };
    reply: Readonly<Record<string, unknown>>;
  };
  /** One server as an MCP server, whole: tools, resources, prompts, whatever its age (a slash in the id is written %2F) */
  'POST /mcp/servers/{id}': {
    params: { readonly id: string; };
    query: undefined;
    body: { readonly jsonrpc: "2.0"; readonly id?: string | number | undefined; readonly method?: string | undefined; readonly params?: Readonly<Record<string, unknown>> | undefined; };
    reply: Readonly<Record<string, unknown>>;
  };
  /** In a session (Mcp-Session-Id): the stream beside the answers, or the rest of one */
  'GET /mcp/servers/{id}': {
    params: { readonly id: string; };
    query: undefined;
    body: undefined;
    reply: Readonly<Record<string, unknown>>;
  };
  /** Ends a session (Mcp-Session-Id) */
  'DELETE /mcp/servers/{id}': {
    params: { readonly id: string; };
    query: undefined;
    body: undefined;
    reply: unknown;
  };
  /** How to present a key to /mcp (RFC 9728) */
  'GET /.well-known/oauth-protected-resource': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: { readonly resource: string; };
  };
  /** How to present a key to /mcp (RFC 9728) */
  'GET /.well-known/oauth-protected-resource/mcp': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: { readonly resource: string; };
  };
  /** Liveness */
  'GET /v1/health': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: { readonly status: "ok"; };
  };
  /** Liveness, for orchestrators */
  'GET /healthz': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: { readonly status: "ok"; };
  };
  /** Readiness: 200 once the index is loaded and the store answers, else 503 */
  'GET /readyz': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: { readonly status: "ready"; readonly checks: Readonly<Record<string, unknown>>; };
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
    reply: { readonly window: string; readonly total: { readonly requests: number; readonly client_errors: number; readonly server_errors: number; readonly p50_ms: number | null; readonly p95_ms: number | null; readonly p99_ms: number | null; }; readonly steps: readonly ({ readonly at: string; readonly requests: number; readonly client_errors: number; readonly server_errors: number; readonly p50_ms: number | null; readonly p95_ms: number | null; readonly p99_ms: number | null; })[]; readonly kinds: readonly ({ readonly kind: string; readonly requests: number; })[]; readonly servers: readonly ({ readonly server_id: string; readonly calls: number; readonly successes: number; readonly latency_ms: number | null; })[]; readonly success: readonly ({ readonly server_id: string; readonly steps: readonly ({ readonly at: string; readonly calls: number; readonly successes: number; })[]; })[]; readonly searches: { readonly count: number; readonly cached: number; }; readonly found_nothing: readonly ({ readonly query: string; readonly times: number; readonly last_at: string; })[]; readonly recent: readonly ({ readonly query: string; readonly shown: number; readonly latency_ms: number; readonly at: string; })[]; };
  };
  /** What a key was used for, day by day */
  'GET /v1/admin/keys/{id}/usage': {
    params: { readonly id: string; };
    query: { readonly days?: number | undefined; };
    body: undefined;
    reply: { readonly key_id: string; readonly days: readonly ({ readonly day: string; readonly searches: number; readonly calls: number; readonly failures: number; })[]; };
  };
  /** This document */
  'GET /openapi.json': {
    params: undefined;
    query: undefined;
    body: undefined;
    reply: unknown;
  };
};
