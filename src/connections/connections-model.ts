import type { FilledIn, UserCredentials } from '../base/user-credentials.ts';

/** The room's vocabulary; outside it is imported from `connections.ts`. Times are milliseconds since 1970. */

/** Whose something is; the key of every look-up and of every cache (threats G4). */
export type Owner = { readonly developerId: string; readonly userId: string };

/** Proves possession of the key that a token is bound to, for one request to its resource (RFC 9449 section 7). */
export type SignDPoPProof = (request: {
  readonly method: string;
  readonly url: string;
  readonly nonce: string | null;
}) => string;

export type FreshToken = {
  readonly connectionId: string;
  readonly accessToken: string;
  readonly scopes: readonly string[];
  /** Rises with every issue. */
  readonly version: number;
  /** Set when the token is bound to a key: it goes with a proof for each request (RFC 9449). */
  readonly signDPoPProof?: SignDPoPProof | null;
  /** Of an MCP server's token: what it is for. */
  readonly resource?: string | null;
  /** What the user brought themselves, in place of a token. */
  readonly key?: FilledIn;
};

export type TokenRequest = {
  readonly owner: Owner;
  readonly provider: string;
  /** As `list` names it, or its label; without it the account that was connected first. An unknown one is `not_found` (threats G5). */
  readonly account?: string;
  /** The provider answered 401 to the token of this version: refresh unless a newer one is there (threats J9). The same version coming back means that nothing newer can be had now. */
  readonly refused?: number;
  /** For the audit trail: `key:key_…`; without it `system`. */
  readonly actor?: string;
};

/** How a user stands with a provider. */
export type ProviderStatus = {
  readonly provider: string;
  readonly isConnected: boolean;
  readonly status: 'active' | 'needs_reauth' | null;
  readonly canAccess: boolean;
  /** Set where no new tokens come without the user: over with its access token. */
  readonly isRenewable?: false;
};

export type SessionRequest = {
  readonly owner: Owner;
  readonly keyId: string;
  /** As the page names it: the developer's name. */
  readonly appName: string;
  /** What is to be connected: a provider, or an MCP server of the catalog. */
  readonly target: { readonly provider: string } | ServerTarget;
  /** Without them, the provider's usual ones, or what the server asks for. */
  readonly scopes?: readonly string[];
  readonly returnUrl?: string;
  /** With an MCP server: the name that the connection is kept under, beside others that the user has there. */
  readonly account?: string;
  /** Without it, what is registered for the developer. */
  readonly requireConfirmation?: boolean;
  /** The `sub`, e-mail address or hosted domain that must come back. */
  readonly expectedAccount?: string;
};

/**
 * `challenge`: the server's own WWW-Authenticate; without it the server is asked. `isDoubtful`: what the user had is over, and
 * perhaps our registration with it.
 */
export type ServerTarget = {
  readonly serverId: string;
  readonly challenge?: string;
  readonly isDoubtful?: boolean;
};

export type OpenedSession = {
  readonly sessionId: string;
  readonly authUrl: string;
  readonly expiresAt: number;
};

/** What an app sees of a session; never a token. */
export type SessionState = Partial<SessionResult> & {
  readonly sessionId: string;
  readonly status: 'pending' | 'complete' | 'error';
  readonly error?: string;
  /** The user is through, and the app has to confirm with the code that the user was shown. */
  readonly awaiting?: 'confirmation';
};

export type SessionResult = {
  readonly connectionId: string;
  readonly account: string;
  /** false: an account besides the one that was connected first; calls have to name it (threats F13). */
  readonly isDefault: boolean;
  readonly grantedScopes: readonly string[];
  readonly missingScopes: readonly string[];
  /** false: no refresh token came; once the access token is over, the user has to connect again. */
  readonly isRenewable: boolean;
};

/** What the page behind `authUrl` shows before anything happens. */
export type ConsentPage = {
  readonly app: string;
  /** A `data:` URL. */
  readonly logo: string | null;
  readonly user: string;
  readonly provider: string;
  readonly scopes: readonly string[];
  /** Goes back with the form, to show that it was this page that was agreed to. */
  readonly csrf: string;
  /** What the user is asked for, where that is a key of theirs and no sign-in elsewhere. */
  readonly asks: UserCredentials | null;
  /** Where the form may lead, as sources of a Content-Security-Policy. */
  readonly formTo: string;
  /** The value of the cookie that binds the session to this browser. */
  readonly browser: string;
};

/** How the browser's way ended. */
export type ConsentOutcome = {
  readonly sessionId: string;
  readonly status: 'complete' | 'error' | 'awaiting_confirmation';
  readonly app: string;
  readonly provider: string;
  readonly account?: string | null;
  readonly error?: string;
  /** To be typed in at the app; never part of a URL (threats F7, F8). */
  readonly completionCode?: string;
  /** Where the app wants the browser back: with the session's id and status, nothing else. */
  readonly returnUrl: string | null;
};

export type Connection = {
  readonly id: string;
  readonly developerId: string;
  readonly userId: string;
  /** `mcp` with an MCP server. */
  readonly provider: string;
  readonly serverId: string | null;
  readonly account: string;
  readonly label: string | null;
  readonly status: 'active' | 'needs_reauth';
  readonly scopes: readonly string[];
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly expiresAt: number | null;
  /** false: over with its access token. */
  readonly isRenewable: boolean;
  /** A key of the user's own, in place of tokens. */
  readonly isKey: boolean;
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

/** An MCP server as the catalog (or the operator's own file) has it. */
export type KnownServer = {
  readonly id: string;
  readonly name: string;
  /** With `{name}` where a user's value goes. */
  readonly url: string | null;
  /** What a user may bring in place of a sign-in; null: nothing is known. */
  readonly asks: UserCredentials | null;
  /** It is asked for without looking for a sign-in first. */
  readonly wantsKey: boolean;
};

/** Whether a server takes what a user brings: asked in its own protocol. `reason` is for people, and quotes no secret. */
export type TryKey = (
  serverId: string,
  filled: FilledIn,
  signal: AbortSignal | undefined,
) => Promise<
  { readonly kind: 'taken' } | { readonly kind: 'refused' | 'unreached'; readonly reason: string }
>;
