/**
 * One user's consent with one provider: session -> grant -> fresh token.
 */
import type {
  ConnectionInfo,
  ConnectionQuery,
  ConnectionView,
  FreshToken,
  OpenedSession,
  Owner,
  ProviderRoutes,
  SessionRequest,
  SessionView,
  TokenRequest,
} from './model.ts';

export type * from './model.ts';

export type Connections = {
  providers(): readonly ProviderRoutes[];
  provider(name: string): ProviderRoutes | undefined;
  info(owner: Owner, provider: string): Promise<ConnectionInfo>;
  /** Throws provider_not_connected | token_expired, or upstream_error | unavailable when the provider is down and the token dead. */
  freshToken(request: TokenRequest): Promise<FreshToken>;
  openSession(request: SessionRequest): Promise<OpenedSession>;
  session(developerId: string, id: string): Promise<SessionView>;
  waitSession(developerId: string, id: string, waitMs: number, signal: AbortSignal): Promise<SessionView>;
  revokeUser(owner: Owner): Promise<void>;
  list(query: ConnectionQuery): Promise<readonly ConnectionView[]>;
  remove(id: string, actor: string): Promise<void>;
  connectedServices(owner: Owner): Promise<string[]>;
  close(): Promise<void>;
};
