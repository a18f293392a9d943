"""Written by clients/generate.ts from the OpenAPI document. Do not edit."""

# ruff: noqa: E501, UP037
from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict


class ActivityKindsObject(TypedDict):
    kind: str
    requests: int


class ActivitySearchesObject(TypedDict):
    count: int
    cached: int


class Activity(TypedDict):
    window: Literal["1h", "6h", "24h"]
    total: RequestCounts
    steps: list[RequestCountsAt]
    kinds: list[ActivityKindsObject]
    servers: list[ServerUse]
    outcomes: list[OutcomeCount]
    # of the record of calls: the servers called most in the last 24 hours, hour by hour
    day: list[ServerDay]
    # the 5 servers called most, in 12 steps
    success: list[ServerSuccess]
    searches: ActivitySearchesObject
    found_nothing: list[EmptySearch]
    recent: list[RecentSearch]


class Address(TypedDict):
    remote_url: str
    transport: NotRequired[Literal["streamable-http", "sse"]]
    headers: NotRequired[dict[str, str]]


class AddressFoundToolsObject(TypedDict):
    name: str
    description: str


class AddressFound(TypedDict):
    state: HealthState
    # modern (2026-07-28), session (initialize), sse (HTTP+SSE) or stdio
    era: str | None
    auth_type: str | None
    latency_ms: float | None
    reason: str | None
    # what the server calls itself
    name: str | None
    # a `data:` URI of a PNG, JPEG, GIF or WebP; no other icon is told
    icon: str | None
    tools: list[AddressFoundToolsObject]


class ApiKey(TypedDict):
    key_id: str
    developer_id: str
    developer: str
    name: str
    tier: str
    scopes: list[Scope]
    created_at: str
    expires_at: str | None
    # addresses and networks it may be used from; null: any
    addresses: list[str] | None
    revoked_at: str | None
    last_used_at: str | None


class ApiKeyRequest(TypedDict):
    developer: str
    name: str
    tier: str
    scopes: NotRequired[list[Scope]]
    # a time as ISO 8601, for example 2027-01-31T00:00:00Z
    expires_at: NotRequired[str]
    # addresses and networks (CIDR) the key may be used from
    addresses: NotRequired[list[str]]


class AppSettings(TypedDict):
    return_urls: list[str]
    require_confirmation: bool
    display_name: str | None
    logo: str | None


class AppSettingsRequest(TypedDict):
    return_urls: list[str]
    require_confirmation: NotRequired[bool]
    display_name: NotRequired[str | None]
    logo: NotRequired[str | None]


class ApprovalChangesObject(TypedDict):
    at: str
    kind: str
    before: str | None
    after: str | None


class Approval(TypedDict):
    id: str
    state: Literal["pending", "approved", "denied", "started", "done", "expired"]
    created_at: str
    expires_at: str
    developer_id: str
    key_id: str
    user_id: str | None
    server_id: str
    method: str
    tool: str
    definition: str | None
    arguments_digest: str
    # as they came, where MCPRANK_APPROVAL_ARGUMENTS is on and it is not over; else null
    arguments: str | None
    toolset: str
    # of the toolset whose rule asked
    version: int
    decided_by: str | None
    decided_at: str | None
    note: str | None
    used_at: str | None
    # of the tool, as probes found them; newest first
    changes: list[ApprovalChangesObject]


class ApprovalDecision(TypedDict):
    decision: Literal["approve", "deny"]
    note: NotRequired[str]


class ApprovalNeededApprovalObject(TypedDict):
    id: str
    expires_at: str
    # where a person decides
    url: str


# somebody has to approve this call: make it again with `continuation` once they have
class ApprovalNeeded(TypedDict):
    status: Literal["input_required"]
    approval: ApprovalNeededApprovalObject
    continuation: str


# `path`, and one of the others
class ArgumentCondition(TypedDict):
    path: str
    equals: NotRequired[Any]
    prefix: NotRequired[str]
    matches: NotRequired[str]
    max: NotRequired[float]


class AuditEntry(TypedDict):
    id: str
    at: str
    developer_id: str
    actor: str
    action: str
    user_id: str | None
    subject: str | None
    facts: dict[str, Any]


# RFC 8414
class AuthorizationServer(TypedDict):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    registration_endpoint: str


class CallRecord(TypedDict):
    id: str
    at: str
    developer_id: str
    key_id: str
    user_id: str | None
    server_id: str
    tool: str
    definition: str | None
    toolset: str | None
    outcome: Literal["ok", "denied", "waiting", "refused", "auth", "rate_limit", "timeout", "invalid_arguments", "server", "other", "cancelled"]
    latency_ms: float
    request_bytes: int
    reply_bytes: int
    arguments_digest: str | None
    # JSON text: their shape without their values, where MCPRANK_CALL_ARGUMENTS is masked
    arguments_masked: str | None


class CatalogSize(TypedDict):
    servers: int
    tools: int
    category: Facet
    transport: Facet
    auth: Facet
    source: Facet


class ChangedToolsetBudgetObject(TypedDict):
    calls_per_day: NotRequired[int]
    bytes_per_day: NotRequired[int]


class ChangedToolsetOverridesObject(TypedDict):
    server: str
    tool: str
    title: NotRequired[str]
    description: NotRequired[str]
    # listed beside search_tools where there are too many tools to list
    pinned: NotRequired[bool]


class ChangedToolset(TypedDict):
    name: str
    title: str | None
    rules: list[ToolsetRule]
    default: Literal["allow", "deny"]
    budget: NotRequired[ChangedToolsetBudgetObject]
    overrides: NotRequired[list[ChangedToolsetOverridesObject]]
    version: int
    # rules that fit nothing in the catalog
    warnings: list[str]


class ClientMetadata(TypedDict):
    client_id: str
    client_name: str
    client_uri: str
    redirect_uris: list[str]
    grant_types: list[str]
    response_types: list[str]
    application_type: Literal["web", "native"]
    token_endpoint_auth_method: Literal["none"]


class ConfirmedToolsToolsObject(TypedDict):
    name: str
    read_only: bool
    destructive: bool
    open_world: bool
    definition: str | None
    # it is what it was when somebody confirmed it
    confirmed: bool
    # it is not what was confirmed
    changed: bool


class ConfirmedTools(TypedDict):
    tools: list[ConfirmedToolsToolsObject]


class ConfirmedToolsRequest(TypedDict):
    tools: list[str]


class ConnectRequest(TypedDict):
    provider: NotRequired[str]
    server_id: NotRequired[str]
    account: NotRequired[str]
    scopes: NotRequired[list[str]]
    return_url: NotRequired[str]
    require_confirmation: NotRequired[bool]
    expected_account: NotRequired[str]


class Connection(TypedDict):
    id: str
    developer_id: str
    user_id: str
    provider: str
    # the server, where the provider is `mcp`
    server_id: NotRequired[str]
    account: str
    label: str | None
    status: Literal["active", "needs_reauth"]
    scopes: list[str]
    created_at: str
    updated_at: str
    expires_at: str | None
    renewable: bool
    # key: a key of the user, in place of tokens
    kind: Literal["oauth", "key"]


class ConnectionImport(TypedDict):
    developer_id: NotRequired[str]
    # 1 to 256 printable characters
    user_id: str
    provider: NotRequired[str]
    server_id: NotRequired[str]
    # 1 to 500 printable characters
    account: str
    # 1 to 500 printable characters
    label: NotRequired[str]
    # 1 to 16384 visible ASCII characters
    access_token: str
    # 1 to 16384 visible ASCII characters
    refresh_token: NotRequired[str]
    # seconds
    expires_in: NotRequired[int]
    scopes: NotRequired[list[str]]


class ConsoleSession(TypedDict):
    signed_in: bool
    version: str
    # goes into X-CSRF-Token of every request but GET
    csrf: NotRequired[str]
    key_id: NotRequired[str]
    developer: NotRequired[str]
    developer_id: NotRequired[str]
    tier: NotRequired[str]
    per_minute: NotRequired[float]
    scopes: NotRequired[list[str]]
    # of a person without a key: what they may here
    role: NotRequired[str]
    # the company's provider, where people sign in
    company: NotRequired[str]


class Deleted(TypedDict):
    id: str
    deleted: Literal[True]


class Diagnostic(TypedDict):
    check: str
    level: Literal["ok", "warning", "error"]
    message: str


# a query that found nothing
class EmptySearch(TypedDict):
    query: str
    times: int
    last_at: str


class FacetObject(TypedDict):
    name: str | None
    servers: int


Facet: TypeAlias = "list[FacetObject]"


class HealthSuspicionsObject(TypedDict):
    tool: str
    kinds: list[Literal["hidden_unicode", "imperative", "shadowed_name"]]


class Health(TypedDict):
    state: HealthState
    # modern (2026-07-28), session (initialize), sse (HTTP+SSE) or stdio
    era: str | None
    auth: str | None
    latency_ms: float | None
    reason: str | None
    # looks in a row that found it not alive
    failures: int
    # share of all looks that found it alive, 0..1
    uptime: float
    checks: int
    fingerprint: str | None
    suspicions: list[HealthSuspicionsObject]
    since: str
    checked_at: str


class HealthCheck(TypedDict):
    at: str
    state: HealthState
    latency_ms: float | None


# auth: alive, and wants credentials
HealthState: TypeAlias = "Literal[\"up\", \"auth\", \"not_mcp\", \"down\"]"


# the server asks something: go on with `continuation` and `input_responses`
class InputNeeded(TypedDict):
    status: Literal["input_required"]
    input_requests: dict[str, Any]
    continuation: str


class IntrospectionObject(TypedDict):
    active: Literal[False]


class Introspection2Object(TypedDict):
    active: Literal[True]
    token_type: Literal["refresh_token"]
    sub: str
    sid: str
    exp: int
    developer_id: str


class Introspection3Object(TypedDict):
    active: Literal[True]
    token_type: Literal["Bearer"]
    iss: str
    aud: str
    sub: str
    username: str
    client_id: str
    jti: str
    sid: str
    iat: int
    exp: int
    developer_id: str


Introspection: TypeAlias = "IntrospectionObject | Introspection2Object | Introspection3Object"


class Invocation(TypedDict):
    query_log_id: NotRequired[str]
    server_id: str
    tool_name: str
    success: bool
    latency_ms: NotRequired[float]
    error_type: NotRequired[Literal["auth", "rate_limit", "timeout", "invalid_arguments", "server", "other"]]
    idempotency_key: NotRequired[str]


class Issuer(TypedDict):
    issuer_id: str
    issuer: str
    audience: str
    jwks_uri: str
    user_prefix: str
    created_at: str


class IssuerRequest(TypedDict):
    issuer: str
    audience: str
    jwks_uri: str
    user_prefix: NotRequired[str]


class KeptServerOutputObject(TypedDict):
    at: str
    line: str


class KeptServer(TypedDict):
    id: str
    name: str
    description: str
    remote_url: str | None
    auth_required: bool
    auth_type: str | None
    transport: Literal["streamable-http", "sse", "stdio"]
    category: str | None
    tags: list[str]
    verified: bool
    repository_url: str | None
    version: str | None
    source: str
    updated_at: str
    # names of the header fields that go with requests; their values are never told
    kept_headers: list[str]
    # the file that says what it is, and where it is changed
    declared_in: Literal["mcp_config", "apply"] | None
    # what its program wrote last in the process that answers, masked; the newest last
    output: list[KeptServerOutputObject]


class KeyUsage(TypedDict):
    key_id: str
    days: list[KeyUsageDay]


class KeyUsageDay(TypedDict):
    # UTC
    day: str
    searches: int
    calls: int
    failures: int


class ListedServer(TypedDict):
    id: str
    name: str
    description: str
    remote_url: str | None
    auth_required: bool
    auth_type: str | None
    transport: Literal["streamable-http", "sse", "stdio"]
    category: str | None
    tags: list[str]
    verified: bool
    repository_url: str | None
    version: str | None
    source: str
    updated_at: str
    tool_count: int
    popularity: float
    # what the last look showed; null before the first
    state: HealthState | None


class Liveness(TypedDict):
    status: Literal["ok"]


class LongWork(TypedDict):
    name: Literal["registry sync", "import", "embedding", "vault rotation"]
    # broken_off: whoever did it has not been heard of for three minutes
    state: Literal["running", "done", "failed", "broken_off"]
    done: int
    # null: nobody knows
    total: int | None
    # what is counted
    unit: str
    # why it failed; else null
    reason: str | None
    started_at: str
    told_at: str
    seconds_left: int | None


class MachineClient(TypedDict):
    client_id: str
    name: str
    key_id: str
    auth_method: Literal["client_secret_basic", "private_key_jwt"]
    created_at: str


class MachineClientRequest(TypedDict):
    name: str
    key_id: str
    jwks: NotRequired[dict[str, Any]]
    jwks_uri: NotRequired[str]


# as its server gives it
class McpTool(TypedDict):
    name: str
    description: NotRequired[str]
    inputSchema: NotRequired[dict[str, Any]]


class NewApiKey(TypedDict):
    # the key itself, shown this once
    key: str
    key_id: str
    developer_id: str
    developer: str
    name: str
    tier: str
    scopes: list[Scope]
    created_at: str
    expires_at: str | None
    # addresses and networks it may be used from; null: any
    addresses: list[str] | None
    revoked_at: str | None
    last_used_at: str | None


class NewMachineClient(TypedDict):
    client_id: str
    name: str
    key_id: str
    auth_method: Literal["client_secret_basic", "private_key_jwt"]
    created_at: str
    # shown this once; none where it has keys
    client_secret: NotRequired[str]


class NewWebhook(TypedDict):
    url: str
    secret: str


class OAuthClient(TypedDict):
    id: str
    issuer: str
    server_id: str | None
    kind: Literal["registered", "dynamic"]
    client_id: str
    auth_method: str


class OAuthClientRequest(TypedDict):
    # an http(s) URL
    issuer: str
    server_id: NotRequired[str]
    client_id: str
    client_secret: NotRequired[str]
    auth_method: NotRequired[Literal["client_secret_basic", "client_secret_post", "none"]]


# RFC 6749 section 5.2
class OAuthError(TypedDict):
    error: str
    error_description: NotRequired[str]


# of the record of calls
class OutcomeCount(TypedDict):
    outcome: Literal["ok", "denied", "waiting", "refused", "auth", "rate_limit", "timeout", "invalid_arguments", "server", "other", "cancelled"]
    # whose it is; null: it went well
    fault: Literal["caller", "server"] | None
    calls: int


class OwnCredentials(TypedDict):
    server_id: str
    account: NotRequired[str]
    # an object of texts, by the names of `user_credentials` of the server
    values: dict[str, str]


class Problem(TypedDict):
    # what was wrong, in words
    detail: str
    code: Literal["invalid_request", "invalid_grant", "invalid_api_key", "sign_in_required", "invalid_token", "not_found", "method_not_allowed", "request_timeout", "conflict", "server_gone", "too_large", "rate_limited", "internal_error", "upstream_error", "unavailable"]


# RFC 9728
class ProtectedResource(TypedDict):
    resource: str
    authorization_servers: list[str]
    scopes_supported: list[str]
    bearer_methods_supported: list[str]
    resource_name: str


class ProviderInfo(TypedDict):
    provider: str
    connected: bool
    status: Literal["active", "needs_reauth"] | None
    can_access: bool
    # the connection ends with its access token
    renewable: NotRequired[Literal[False]]


class ProviderSetup(TypedDict):
    name: str
    title: str
    # to be registered with the provider
    callback_url: str
    # asked for when a session names none
    scopes: list[str]
    # what keeps users from being connected, with where it is set; never a value
    missing: list[str]


class PutReport(TypedDict):
    ids: list[str]
    added: int
    updated: int
    unchanged: int


class Readiness(TypedDict):
    status: Literal["ready"]
    checks: dict[str, bool]


class RecentSearch(TypedDict):
    query: str
    shown: int
    latency_ms: float
    at: str


class RecordedInvocation(TypedDict):
    invocation_id: str
    recorded: Literal[True]


# with `auth_url` and `session_id` where a user can help
class RefusalDetailObject(TypedDict):
    code: Literal["missing_scope", "missing_role", "denied", "invalid_token", "cross_site", "provider_not_connected", "token_expired"]
    message: str


class Refusal(TypedDict):
    # with `auth_url` and `session_id` where a user can help
    detail: RefusalDetailObject


class RegistryEntry(TypedDict):
    server: RegistryServer
    _meta: dict[str, Any]


class RegistryPageMetadataObject(TypedDict):
    nextCursor: NotRequired[str]
    count: int


class RegistryPage(TypedDict):
    servers: list[RegistryEntry]
    metadata: RegistryPageMetadataObject


class RegistryServerRepositoryObject(TypedDict):
    url: str
    source: str


class RegistryServerRemotesObject(TypedDict):
    type: str
    url: str
    variables: NotRequired[dict[str, Any]]
    headers: NotRequired[list[dict[str, Any]]]


# as server.schema.json has it
RegistryServer = TypedDict("RegistryServer", {"$schema": "Literal[\"https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json\"]", "name": "str", "title": "str", "description": "str", "version": "str", "repository": "NotRequired[RegistryServerRepositoryObject]", "remotes": "NotRequired[list[RegistryServerRemotesObject]]", "packages": "NotRequired[list[dict[str, Any]]]"})


class RequestCounts(TypedDict):
    requests: int
    # of callers: 4xx
    client_errors: int
    # ours: 5xx but 502
    server_errors: int
    # of servers and providers behind us: 502
    upstream_errors: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class RequestCountsAt(TypedDict):
    at: str
    requests: int
    # of callers: 4xx
    client_errors: int
    # ours: 5xx but 502
    server_errors: int
    # of servers and providers behind us: 502
    upstream_errors: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class RpcCall(TypedDict):
    server_id: str
    method: str
    params: NotRequired[dict[str, Any]]
    # a string or a number
    id: NotRequired[str | float]
    query_log_id: NotRequired[str]
    continuation: NotRequired[str]
    input_responses: NotRequired[dict[str, dict[str, Any]]]


class RpcEnvelopeApprovalObject(TypedDict):
    id: str
    expires_at: str
    url: str


class RpcEnvelope(TypedDict):
    jsonrpc: Literal["2.0"]
    id: str | float | None
    result: NotRequired[dict[str, Any]]
    error: NotRequired[RpcError]
    status: NotRequired[Literal["input_required"]]
    input_requests: NotRequired[dict[str, Any]]
    approval: NotRequired[RpcEnvelopeApprovalObject]
    continuation: NotRequired[str]


class RpcError(TypedDict):
    code: int
    message: str
    data: NotRequired[Any]


class RpcMessage(TypedDict):
    jsonrpc: Literal["2.0"]
    id: NotRequired[str | float]
    method: NotRequired[str]
    params: NotRequired[dict[str, Any]]


class RpcReply(TypedDict):
    jsonrpc: Literal["2.0"]
    id: str | float | None
    result: NotRequired[dict[str, Any]]
    error: NotRequired[RpcError]


Scope: TypeAlias = "Literal[\"search\", \"invocations\", \"identity\", \"proxy\", \"mcp\", \"approve\", \"admin\"]"


class SearchExplanationUsageObject(TypedDict):
    bonus: float
    nearest: float
    sure: float
    words: float
    cosine: float
    successes: float


class SearchExplanationOutcomesObject(TypedDict):
    good: float
    bad: float
    prior: float
    posterior: float
    factor: float
    newcomer: float


class SearchExplanation(TypedDict):
    # the query in the words that were searched
    query: str
    relevance: float
    lexical: float
    cosine: float
    evidence: dict[str, float]
    popularity_factor: float
    liveness_factor: float
    usage: SearchExplanationUsageObject | None
    outcomes: SearchExplanationOutcomesObject


class SearchFilters(TypedDict):
    transport: NotRequired[list[Literal["streamable-http", "sse", "stdio"]]]
    auth: NotRequired[list[Literal["none", "api_key", "bearer", "oauth2"]]]
    category: NotRequired[list[str]]
    verified: NotRequired[bool]
    connected: NotRequired[bool]
    # whether it can be called from here by anybody; a program that no configuration starts cannot
    callable: NotRequired[bool]


class SearchHitScoresObject(TypedDict):
    semantic: float
    popularity: float


class SearchHit(TypedDict):
    id: str
    name: str
    description: str
    remote_url: str | None
    tools: list[Tool]
    scores: SearchHitScoresObject
    final_score: float
    match: Literal["strong", "weak"]
    # how the caller (with a MIT: the user) stands with it
    connection: Literal["ready", "open", "needs_auth", "needs_scope", "needs_key", "unavailable"]
    # what to do where something is missing
    connect: NotRequired[str]
    also_available_from: NotRequired[list[str]]
    explain: NotRequired[SearchExplanation]


class SearchOptions(TypedDict):
    limit: NotRequired[int]
    tool_limit: NotRequired[int]
    filters: NotRequired[SearchFilters]
    min_score: NotRequired[float]
    explain: NotRequired[bool]
    # false: misspelled words are searched as they are
    spelling: NotRequired[bool]
    # true: still being typed. It is answered and not kept: its query_log_id names nothing
    draft: NotRequired[bool]
    cursor: NotRequired[str]


class SearchQuery(TypedDict):
    query: str
    limit: NotRequired[int]
    tool_limit: NotRequired[int]
    filters: NotRequired[SearchFilters]
    min_score: NotRequired[float]
    explain: NotRequired[bool]
    # false: misspelled words are searched as they are
    spelling: NotRequired[bool]
    # true: still being typed. It is answered and not kept: its query_log_id names nothing
    draft: NotRequired[bool]
    cursor: NotRequired[str]


class SearchRequest(TypedDict):
    query: NotRequired[str]
    limit: NotRequired[int]
    tool_limit: NotRequired[int]
    filters: NotRequired[SearchFilters]
    min_score: NotRequired[float]
    explain: NotRequired[bool]
    # false: misspelled words are searched as they are
    spelling: NotRequired[bool]
    # true: still being typed. It is answered and not kept: its query_log_id names nothing
    draft: NotRequired[bool]
    cursor: NotRequired[str]
    queries: NotRequired[list[SearchQuery]]


class SearchResultMetadataObject(TypedDict):
    latency_ms: float
    cache_hit: bool
    total_candidates: int
    query_log_id: str
    next_cursor: NotRequired[str]
    # what was searched in place of a query with misspelled words
    corrected_query: NotRequired[str]


class SearchResult(TypedDict):
    servers: list[SearchHit]
    metadata: SearchResultMetadataObject


class SearchResults(TypedDict):
    results: list[SearchResult]


class Server(TypedDict):
    id: str
    name: str
    description: str
    remote_url: str | None
    auth_required: bool
    auth_type: str | None
    transport: Literal["streamable-http", "sse", "stdio"]
    category: str | None
    tags: list[str]
    verified: bool
    repository_url: str | None
    version: str | None
    source: str
    updated_at: str
    user_credentials: UserCredentials | None
    health: Health | None
    tools: list[Tool]


class ServerBasics(TypedDict):
    id: str
    name: str
    description: str
    remote_url: str | None
    auth_required: bool
    auth_type: str | None


class ServerChange(TypedDict):
    name: NotRequired[str]
    description: NotRequired[str]
    remote_url: NotRequired[str]
    transport: NotRequired[Literal["streamable-http", "sse"]]
    auth_type: NotRequired[Literal["api_key", "bearer", "oauth2"] | None]
    category: NotRequired[str | None]
    tags: NotRequired[list[str]]
    repository_url: NotRequired[str | None]
    verified: NotRequired[bool]
    headers: NotRequired[dict[str, str | None] | None]


class ServerDayHoursObject(TypedDict):
    at: str
    calls: int
    caller_faults: int
    server_faults: int


class ServerDay(TypedDict):
    server_id: str
    hours: list[ServerDayHoursObject]


class ServerHistory(TypedDict):
    health: Health | None
    looks: list[HealthCheck]
    drift: list[ToolDrift]


class ServerPageMetadataObject(TypedDict):
    next_cursor: NotRequired[str]
    count: int


class ServerPage(TypedDict):
    servers: list[ListedServer]
    metadata: ServerPageMetadataObject


class ServerRightsGrantedObject(TypedDict):
    developer: str
    credentials: bool


class ServerRights(TypedDict):
    visibility: Literal["public", "private"]
    developer: str
    granted: list[ServerRightsGrantedObject]


class ServerRightsRequestGrantedObject(TypedDict):
    developer: str
    credentials: NotRequired[bool]


class ServerRightsRequest(TypedDict):
    visibility: NotRequired[Literal["public", "private"]]
    developer: NotRequired[str]
    granted: NotRequired[list[ServerRightsRequestGrantedObject]]


class ServerSuccessStepsObject(TypedDict):
    at: str
    calls: int
    successes: int
    # calls that their callers got wrong: they say nothing of the server
    caller_faults: int


class ServerSuccess(TypedDict):
    server_id: str
    steps: list[ServerSuccessStepsObject]


class ServerUse(TypedDict):
    server_id: str
    calls: int
    successes: int
    # calls that their callers got wrong: they say nothing of the server
    caller_faults: int
    latency_ms: float | None


class Session(TypedDict):
    session_id: str
    auth_url: str
    expires_at: str


class SessionRequest(TypedDict):
    # 1 to 256 printable characters
    user_id: str
    provider: NotRequired[str]
    server_id: NotRequired[str]
    account: NotRequired[str]
    scopes: NotRequired[list[str]]
    return_url: NotRequired[str]
    require_confirmation: NotRequired[bool]
    expected_account: NotRequired[str]


class SessionStatus(TypedDict):
    session_id: str
    status: Literal["pending", "complete", "error"]
    error: NotRequired[str]
    awaiting: NotRequired[Literal["confirmation"]]
    connection_id: NotRequired[str]
    account: NotRequired[str]
    is_default: NotRequired[bool]
    granted_scopes: NotRequired[list[str]]
    missing_scopes: NotRequired[list[str]]
    # false: no refresh token came, so the user has to connect again at its end
    renewable: NotRequired[bool]


class Setting(TypedDict):
    name: str
    # secrets are masked
    value: str
    meaning: str
    default: str | None


class Settings(TypedDict):
    settings: list[Setting]
    findings: list[Diagnostic]
    process: dict[str, str | float]


class Success(TypedDict):
    success: Literal[True]


class TokenRequest(TypedDict):
    # 1 to 256 printable characters
    user_id: NotRequired[str]
    grant_type: NotRequired[Literal["urn:ietf:params:oauth:grant-type:token-exchange"]]
    subject_token: NotRequired[str]
    subject_token_type: NotRequired[Literal["urn:ietf:params:oauth:token-type:id_token", "urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:access_token"]]


class TokenSet(TypedDict):
    access_token: str
    refresh_token: str
    expires_in: int
    token_type: Literal["Bearer"]
    # of a token exchange
    issued_token_type: NotRequired[str]


class Tool(TypedDict):
    name: str
    description: str
    input_schema: dict[str, Any]


class ToolCall(TypedDict):
    server_id: str
    name: str
    arguments: NotRequired[dict[str, Any]]
    query_log_id: NotRequired[str]
    continuation: NotRequired[str]
    input_responses: NotRequired[dict[str, dict[str, Any]]]


class ToolCallOptions(TypedDict):
    query_log_id: NotRequired[str]


class ToolDrift(TypedDict):
    id: str
    at: str
    kind: Literal["appeared", "vanished", "description", "schema", "destructive"]
    tool: str
    before: str | None
    after: str | None


class ToolResult(TypedDict):
    content: list[dict[str, Any]]
    isError: bool
    structuredContent: NotRequired[Any]
    _meta: NotRequired[dict[str, Any]]


class ToolsetBudgetObject(TypedDict):
    calls_per_day: NotRequired[int]
    bytes_per_day: NotRequired[int]


class ToolsetOverridesObject(TypedDict):
    server: str
    tool: str
    title: NotRequired[str]
    description: NotRequired[str]
    # listed beside search_tools where there are too many tools to list
    pinned: NotRequired[bool]


class Toolset(TypedDict):
    name: str
    title: str | None
    rules: list[ToolsetRule]
    default: Literal["allow", "deny"]
    budget: NotRequired[ToolsetBudgetObject]
    overrides: NotRequired[list[ToolsetOverridesObject]]
    version: int


class ToolsetBindings(TypedDict):
    keys: list[str]
    developers: list[str]
    clients: NotRequired[list[str]]
    groups: NotRequired[list[str]]


class ToolsetBindingsRequest(TypedDict):
    keys: NotRequired[list[str]]
    developers: NotRequired[list[str]]
    clients: NotRequired[list[str]]
    groups: NotRequired[list[str]]


class ToolsetDecision(TypedDict):
    effect: Literal["allow", "deny", "ask"]
    # whose rule decided; null: none did
    toolset: str | None
    # with some arguments a rule decides otherwise
    depends_on: NotRequired[Literal["arguments"]]


class ToolsetPreviewServersObjectToolsObject(TypedDict):
    name: str
    decision: ToolsetDecision


class ToolsetPreviewServersObject(TypedDict):
    id: str
    visible: bool
    decision: ToolsetDecision
    tools: list[ToolsetPreviewServersObjectToolsObject]


class ToolsetPreview(TypedDict):
    servers: list[ToolsetPreviewServersObject]
    next_cursor: NotRequired[str]


class ToolsetRequestBudgetObject(TypedDict):
    calls_per_day: NotRequired[int]
    bytes_per_day: NotRequired[int]


class ToolsetRequestOverridesObject(TypedDict):
    server: str
    tool: str
    title: NotRequired[str]
    description: NotRequired[str]
    # listed beside search_tools where there are too many tools to list
    pinned: NotRequired[bool]


class ToolsetRequest(TypedDict):
    title: NotRequired[str]
    rules: list[ToolsetRuleRequest]
    default: NotRequired[Literal["allow", "deny"]]
    budget: NotRequired[ToolsetRequestBudgetObject]
    overrides: NotRequired[list[ToolsetRequestOverridesObject]]


class ToolsetRule(TypedDict):
    effect: Literal["allow", "deny", "ask"]
    server: NotRequired[str]
    tool: NotRequired[str]
    tags: NotRequired[list[str]]
    categories: NotRequired[list[str]]
    readOnly: NotRequired[bool]
    destructive: NotRequired[bool]
    openWorld: NotRequired[bool]
    changed: NotRequired[bool]
    suspicious: NotRequired[bool]
    arguments: NotRequired[list[ArgumentCondition]]
    self: NotRequired[bool]


class ToolsetRuleRequest(TypedDict):
    effect: Literal["allow", "deny", "ask"]
    server: NotRequired[str]
    tool: NotRequired[str]
    tags: NotRequired[list[str]]
    categories: NotRequired[list[str]]
    readOnly: NotRequired[bool]
    destructive: NotRequired[bool]
    openWorld: NotRequired[bool]
    changed: NotRequired[bool]
    suspicious: NotRequired[bool]
    arguments: NotRequired[list[ArgumentCondition]]
    self: NotRequired[bool]


class User(TypedDict):
    developer_id: str
    user_id: str
    created_at: str
    # refresh tokens that still work
    sessions: int


class UserCredentialsVariablesValueObject(TypedDict):
    description: str
    required: bool
    secret: bool
    default: str | None
    choices: list[str]


class UserCredentials(TypedDict):
    headers: dict[str, str]
    variables: dict[str, UserCredentialsVariablesValueObject]


class UserCredentialsRequest(TypedDict):
    # 1 to 256 printable characters
    user_id: str
    server_id: str
    account: NotRequired[str]
    # an object of texts, by the names of `user_credentials` of the server
    values: dict[str, str]


class Webhook(TypedDict):
    url: str | None
    updated_at: str | None
    # events that were not heard yet
    waiting: int
