/** The room's tables; one type, because a consent writes to several of them in one transaction. */
export type ConnectionTables = {
  connections: {
    id: string;
    developer_id: string;
    user_id: string;
    provider: string;
    account: string;
    label: string | null;
    status: 'active' | 'needs_reauth';
    scopes: string;
    version: number;
    used_version: number;
    access_sealed: string;
    refresh_sealed: string | null;
    /** When the request began that these tokens came from. */
    issued_at: number;
    life_ms: number | null;
    refresh_at: number | null;
    holder: string | null;
    lease_until: number;
    failures: number;
    retry_at: number;
    created_at: number;
    updated_at: number;
    /** Of an MCP server's grant: who issued it and for what (threats N3, N4); null with providers. */
    issuer: string | null;
    resource: string | null;
    /** What the user was asked for, and what the server asked for beyond it since. */
    asked: string | null;
    wanted: string | null;
    /** The key that the tokens are bound to (RFC 9449); null: bearer tokens. */
    proof_key_sealed: string | null;
  };
  oauth_sessions: {
    id: string;
    developer_id: string;
    user_id: string;
    key_id: string;
    app_name: string;
    provider: string;
    scopes: string;
    return_url: string | null;
    require_confirmation: number;
    expected_account: string | null;
    status: SessionStatus;
    error: string | null;
    link_digest: string;
    browser_digest: string | null;
    state_digest: string | null;
    flow_sealed: string | null;
    issuer: string | null;
    grant_sealed: string | null;
    tries: number;
    result: string | null;
    created_at: number;
    expires_at: number;
    /** Of an MCP server's session: what the tokens will be for, how the page names it, and whether they are bound to a key. */
    resource: string | null;
    title: string | null;
    proof: number;
    /** The name that its connection is kept under; null: the usual one. */
    account: string | null;
  };
  oauth_apps: {
    developer_id: string;
    return_urls: string;
    require_confirmation: number;
    display_name: string | null;
    logo: string | null;
  };
  oauth_revocations: {
    id: string;
    developer_id: string;
    provider: string;
    token_sealed: string;
    attempts: number;
    next_at: number;
    issuer: string | null;
    resource: string | null;
  };
  oauth_clients: {
    id: string;
    issuer: string;
    server_id: string;
    kind: 'registered' | 'dynamic';
    client_id: string;
    secret_sealed: string | null;
    auth_method: string;
    redirect_uri: string | null;
    expires_at: number | null;
    created_at: number;
  };
};

/**
 * open -> sent (the browser went to the provider) -> exchanging (it came back) -> complete, or awaiting (the app has to
 * confirm) -> complete; from each of them to error.
 */
export type SessionStatus = 'open' | 'sent' | 'exchanging' | 'awaiting' | 'complete' | 'error';

export type GrantRow = ConnectionTables['connections'];
export type SessionRow = ConnectionTables['oauth_sessions'];
export type ClientRow = ConnectionTables['oauth_clients'];
export type RevocationRow = ConnectionTables['oauth_revocations'];
