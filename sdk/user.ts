import type { Connection, Session, SessionRequest, SessionStatus, UserCredentialsRequest } from './api.ts';
import { ConnectError } from './errors.ts';
import { createMcpApi, type McpApi, type Send } from './mcp.ts';
import { createProxyApi, createProxyFetch, type ProxyApi } from './proxy.ts';
import { type CallOptions, type Sender, withHeader } from './sender.ts';
import { createTokens, type Tokens } from './tokens.ts';

export type ConnectRequest = Omit<SessionRequest, 'user_id'>;

export type ConnectOptions = CallOptions & {
  /** Sends the user to `auth_url`. */
  readonly open: (session: Session) => unknown;
};

/** What goes out in a user's name, by whichever of their accounts. */
export type AccountApi = {
  readonly mcp: McpApi;
  proxy(provider: string): ProxyApi;
  /** A `fetch` for the provider's own URLs: `fetchImplementation` of Google's clients, and any other client's. */
  proxyFetch(provider: string): typeof fetch;
};

/** One user of your app. Tokens come and are renewed by themselves; every call acts for this user. */
export type User = AccountApi & {
  readonly id: string;
  /** A MIT that is good for at least another minute. */
  token(options?: CallOptions): Promise<string>;
  /** By this one of several accounts, which a session or the user named; else it is their default. */
  account(name: string): AccountApi;
  readonly connections: {
    list(options?: CallOptions): Promise<readonly Connection[]>;
    /** Disconnects: gone here at once, and revoked where tokens can be. */
    remove(connectionId: string, options?: CallOptions): Promise<void>;
    /** The user's own key for an MCP server, tried there before it is kept. */
    putCredentials(
      credentials: Omit<UserCredentialsRequest, 'user_id'>,
      options?: CallOptions,
    ): Promise<Connection>;
  };
  readonly sessions: {
    create(request: ConnectRequest, options?: CallOptions): Promise<Session>;
    status(sessionId: string, options?: CallOptions): Promise<SessionStatus>;
    /** Until the session is over, whichever way; rejects with the signal's reason when that comes first. */
    wait(sessionId: string, options?: CallOptions): Promise<SessionStatus>;
    confirm(sessionId: string, completionCode: string, options?: CallOptions): Promise<SessionStatus>;
  };
  /** Opens a session, hands it to `open`, and waits until the user is connected. Throws ConnectError when that fails. */
  connect(request: ConnectRequest, options: ConnectOptions): Promise<SessionStatus>;
  /** Ends all MITs and refresh tokens of the user and deletes the stored provider tokens. */
  revoke(options?: CallOptions): Promise<void>;
  /** Nothing of the user stays. */
  delete(options?: CallOptions): Promise<void>;
};

/** How long one poll is held open. */
const pollSeconds = 25;

export function createUser(sender: Sender, userId: string): User {
  const { send } = sender;
  const tokens = createTokens(send, userId);
  const sessions: User['sessions'] = {
    create: (request, { signal } = {}) =>
      send('POST /v1/identity/sessions', { body: { ...request, user_id: userId }, signal }),
    status: (id, { signal } = {}) => send('GET /v1/identity/sessions/{id}', { params: { id }, signal }),
    async wait(id, { signal } = {}) {
      for (;;) {
        const seen = await send('GET /v1/identity/sessions/{id}', {
          params: { id },
          query: { wait: pollSeconds },
          signal,
        });
        // A code that has to be typed in is the app's next step, not the end.
        if (seen.status !== 'pending' || seen.awaiting === 'confirmation') return seen;
      }
    },
    confirm: (id, completion_code, { signal } = {}) =>
      send('POST /v1/identity/sessions/{id}/confirm', {
        params: { id },
        body: { user_id: userId, completion_code },
        signal,
      }),
  };

  return {
    id: userId,
    token: tokens.token,
    ...createAccount(sender, tokens),
    account: (name) => createAccount(withHeader(sender, 'x-mcprank-account', name), tokens),
    connections: createConnections(send, userId),
    sessions,
    async connect(request, { open, signal }) {
      const session = await sessions.create(request, { signal });
      await open(session);
      const seen = await sessions.wait(session.session_id, { signal });
      if (seen.status === 'error') throw new ConnectError(seen.error ?? 'The session failed');
      return seen;
    },
    async revoke({ signal } = {}) {
      await send('POST /v1/identity/revoke', { body: { user_id: userId }, signal });
      tokens.forget();
    },
    async delete({ signal } = {}) {
      await send('DELETE /v1/identity/users/{user_id}', { params: { user_id: userId }, signal });
      tokens.forget();
    },
  };
}

function createAccount(sender: Sender, tokens: Tokens): AccountApi {
  const asUser: Send = (operation, options) =>
    tokens.use((token) => {
      const headers = { ...options.headers, authorization: `Bearer ${token}` };
      return sender.send(operation, { ...options, headers });
    }, options);
  return {
    mcp: createMcpApi(asUser),
    proxy: (provider) => createProxyApi(sender, tokens, provider),
    proxyFetch: (provider) => createProxyFetch(sender, tokens, provider),
  };
}

function createConnections(send: Sender['send'], userId: string): User['connections'] {
  return {
    list: async ({ signal } = {}) =>
      (await send('GET /v1/identity/connections', { query: { user_id: userId }, signal })).connections,
    async remove(id, { signal } = {}) {
      await send('DELETE /v1/identity/connections/{id}', { params: { id }, signal });
    },
    putCredentials: (credentials, { signal } = {}) =>
      send('POST /v1/identity/credentials', { body: { ...credentials, user_id: userId }, signal }),
  };
}
