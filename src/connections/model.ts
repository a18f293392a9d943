import type { Prover } from './servers/proof.ts';

/** The room's vocabulary; outside it is imported from `connections.ts`. */

/** Whose something is; the key of every look-up and of every cache (threats G4). */
export type Owner = { readonly developerId: string; readonly userId: string };

export type FreshToken = {
  readonly connectionId: string;
  readonly accessToken: string;
  readonly scopes: readonly string[];
  /** Rises with every issue. */
  readonly version: number;
  /** Set when the token is bound to a key: it goes with a proof for each request (RFC 9449). */
  readonly prover?: Prover | null;
  /** Of an MCP server's token: what it is for. */
  readonly resource?: string | null;
};

export type TokenRequest = {
  readonly owner: Owner;
  readonly provider: string;
  /** As `list` names it; without it the account that was connected first. An unknown one is `not_found` (threats G5). */
  readonly account?: string;
  /** The provider answered 401 to the token of this version: refresh unless a newer one is there (threats J9). The same version coming back means that nothing newer can be had now. */
  readonly refused?: number;
  /** For the audit trail: `key:key_…`; without it `system`. */
  readonly actor?: string;
};

/** Where a provider's calls go. A prefix that begins with `~` names a service: it is taken off the path, other prefixes stay. */
export type ProviderRoutes = {
  readonly name: string;
  /** For paths that no prefix fits; null: there is nothing there. */
  readonly defaultOrigin: string | null;
  readonly routes: readonly { readonly prefix: string; readonly origin: string }[];
};

export type ConnectionInfo = {
  readonly provider: string;
  readonly connected: boolean;
  readonly status: 'active' | 'needs_reauth' | null;
  readonly can_access: boolean;
};

export type SessionRequest = {
  readonly owner: Owner;
  readonly keyId: string;
  /** As the page names it: the developer's name. */
  readonly appName: string;
  /** Who is to be connected: a provider, or an MCP server of the catalogue. */
  readonly party: { readonly provider: string } | { readonly serverId: string; readonly challenge?: string };
  /** Without them, the provider's usual ones, or what the server asks for. */
  readonly scopes?: readonly string[];
  readonly returnUrl?: string;
  /** Without it, what is registered for the developer. */
  readonly requireConfirmation?: boolean;
  /** The `sub`, e-mail address or hosted domain that must come back. */
  readonly expectedAccount?: string;
};

export type OpenedSession = {
  readonly session_id: string;
  readonly auth_url: string;
  /** ISO 8601. */
  readonly expires_at: string;
};

/** What an app sees of a session; never a token. */
export type SessionView = {
  readonly session_id: string;
  readonly status: 'pending' | 'complete' | 'error';
  readonly error?: string;
  /** The user is through, and the app has to confirm with the code that the user was shown. */
  readonly awaiting?: 'confirmation';
  readonly connection_id?: string;
  readonly account?: string;
  /** false: an account besides the one that was connected first; calls have to name it (threats F13). */
  readonly is_default?: boolean;
  readonly granted_scopes?: readonly string[];
  readonly missing_scopes?: readonly string[];
};

/** What the page behind `auth_url` shows before anything happens. */
export type LandingPage = {
  readonly app: string;
  readonly user: string;
  readonly provider: string;
  readonly scopes: readonly string[];
  /** Goes back with the form, to show that it was this page that was agreed to. */
  readonly csrf: string;
  /** Where the form may lead, as sources of a Content-Security-Policy. */
  readonly formTo: string;
  /** The value of the cookie that binds the session to this browser. */
  readonly browser: string;
};

/** How the browser's way ended. */
export type Outcome = {
  readonly sessionId: string;
  readonly status: 'complete' | 'error' | 'awaiting_confirmation';
  readonly app: string;
  readonly provider: string;
  readonly account?: string | null;
  readonly error?: string;
  /** To be typed in at the app; never part of a URL (threats F7, F8). */
  readonly completionCode?: string;
  /** With `session_id` and `status`, nothing else. */
  readonly returnTo?: string;
};

export type ConnectionView = {
  readonly id: string;
  readonly developer_id: string;
  readonly user_id: string;
  /** `mcp` with an MCP server. */
  readonly provider: string;
  readonly server_id?: string;
  readonly account: string;
  readonly label: string | null;
  readonly status: 'active' | 'needs_reauth';
  readonly scopes: readonly string[];
  readonly created_at: string;
  readonly updated_at: string;
  readonly expires_at: string | null;
};

export type ConnectionQuery = {
  readonly developerId?: string;
  readonly userId?: string;
  readonly provider?: string;
  readonly serverId?: string;
  /** Connections after this id. */
  readonly after?: string;
  readonly limit: number;
};
