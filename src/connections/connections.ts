/**
 * One user's consent with one provider: authorization server <- tokens <- session, each folder knowing only those before it (and
 * machines, after tokens: those that we get for ourselves).
 * A *grant* is what a consent brought; the API calls it a connection.
 *
 * Promises: a consent is the user's own (a page of ours names app, user, provider and scopes; state, PKCE, issuer and
 * browser are checked before a code is spent) and belongs to one (developer, user, provider, account); tokens rest sealed
 * and are opened in memory only; of all processes one renews a token, the others find its result, and a process that
 * dies in mid-renewal holds nobody up for longer than its lease; what is disconnected is gone here at once, everywhere
 * within a second, and at the provider as soon as it answers.
 * When the provider is slow or down, tokens that are still good go on working and the rest is `unavailable`; a dead grant
 * is `token_expired`; when the store is down, tokens opened lately work for up to a minute; a vault that cannot open a
 * token is `internal`, never a wrong token.
 */
import type { SealedColumn } from '../storage/storage.ts';
import type { ClientRegistry } from './authorization-servers/client-registry.ts';
import type { Connection } from './connections-model.ts';
import { type ConnectionsDeps, openConnectionsServices } from './connections-services.ts';
import { declaredProviderSeals } from './declared-provider-store.ts';
import type { DeclaredProviders } from './declared-providers.ts';
import { callbackName } from './grant-target.ts';
import type { AssertedTokens } from './machines/asserted-tokens.ts';
import type { MachineTokens } from './machines/machine-tokens.ts';
import { blankProvider, type Provider, type ProviderSetup, setupOf } from './providers/oauth-provider.ts';
import { type ProviderApi, toProviderApi } from './providers/provider-api.ts';
import type { AuthorizationRequests } from './sessions/authorization-requests.ts';
import { type AuthorizationSessions, sessionExpired } from './sessions/authorization-sessions.ts';
import type { Confirmations } from './sessions/confirmation.ts';
import type { ConnectionAdmin } from './sessions/connection-admin.ts';
import type { ConsentFlow } from './sessions/consent-flow.ts';
import type { UserTokens } from './tokens/user-tokens.ts';

export { parseChallenges } from './authorization-servers/challenge.ts';
export { preferredAuthMethod, toClient, toClientAuth } from './authorization-servers/client-auth.ts';
export type { ClientRegistry, OAuthClient } from './authorization-servers/client-registry.ts';
export { createOAuthFetch } from './authorization-servers/oauth-fetch.ts';
export type * from './connections-model.ts';
export { type DeclaredProvider, type DeclaredProviders, splitSecrets } from './declared-providers.ts';
export type { AssertedTokens, AssertFor } from './machines/asserted-tokens.ts';
export type { MachineTokens } from './machines/machine-tokens.ts';
export { ProviderNotConfigured } from './providers/oauth-provider.ts';
export { googleParameters, type ProviderApi } from './providers/provider-api.ts';
export { sessionFacts } from './session-facts.ts';
export type { AppSettings } from './sessions/app-settings-store.ts';
export type { AuthorizationRequests } from './sessions/authorization-requests.ts';
export type { AuthorizationSessions } from './sessions/authorization-sessions.ts';
export type { Confirmations } from './sessions/confirmation.ts';
export type { ConnectionAdmin } from './sessions/connection-admin.ts';
export type { ConsentFlow } from './sessions/consent-flow.ts';
export type { RefreshLimits } from './tokens/token-refresh.ts';
export type { ServerToken, UserTokens } from './tokens/user-tokens.ts';

/** What an authorization server wants beside the standard when it is asked for consent, whoever sends users there. */
export type ConsentParameters = Pick<Provider, 'authorizationParams' | 'offlinePrompt'>;

export type Connections = {
  /** What the proxy has to know of a provider's API; undefined for one that nobody knows. */
  providerApi(name: string): ProviderApi | undefined;
  /** Of every provider there is, those that lack something too. */
  providerSetups(): readonly (ProviderSetup & { readonly callbackUrl: string })[];
  /** As people call what is connected. */
  titleOf(connection: Pick<Connection, 'provider' | 'serverId'>): string;
  parametersOf(server: {
    readonly issuer: string;
    readonly authorization_endpoint?: string | undefined;
  }): ConsentParameters;
  readonly declaredProviders: DeclaredProviders;
  readonly tokens: UserTokens;
  /** Those that we get for ourselves. */
  readonly machineTokens: MachineTokens;
  /** Those of users whom the company's provider vouches for. */
  readonly assertedTokens: AssertedTokens;
  readonly sessions: AuthorizationSessions;
  readonly confirmations: Pick<Confirmations, 'confirm'>;
  /** The browser's way through a session. */
  readonly consentFlow: ConsentFlow;
  /** Sessions for calls that an MCP server refused. */
  readonly requests: AuthorizationRequests;
  readonly admin: ConnectionAdmin;
  /** Us as a client of MCP servers' authorization servers. */
  readonly clients: Pick<ClientRegistry, 'list' | 'put' | 'remove' | 'document'>;
  /** The background work, for one process at a time: tells providers of revocations, forgets old sessions. */
  runMaintenance(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
};

/** What the vault sealed in the room's tables. */
export const connectionSeals: readonly SealedColumn[] = [
  { table: 'connections', id: 'id', sealed: 'access_sealed' },
  { table: 'connections', id: 'id', sealed: 'refresh_sealed' },
  { table: 'connections', id: 'id', sealed: 'proof_key_sealed' },
  { table: 'oauth_sessions', id: 'id', sealed: 'flow_sealed' },
  { table: 'oauth_sessions', id: 'id', sealed: 'grant_sealed' },
  { table: 'oauth_revocations', id: 'id', sealed: 'token_sealed' },
  { table: 'oauth_clients', id: 'id', sealed: 'secret_sealed' },
  ...declaredProviderSeals,
];

/** Finished sessions are kept for the apps that poll late. */
const sessionsKeptMs = 86_400_000;
const overduePerRun = 100;

export function createConnections(deps: ConnectionsDeps): Connections {
  const services = openConnectionsServices(deps);
  const { providers, store, confirmations, revocations, freshTokens } = services;
  const apis = new WeakMap<Provider, ProviderApi>();
  const apiOf = (row: Provider): ProviderApi => {
    const known = apis.get(row) ?? toProviderApi(row);
    apis.set(row, known);
    return known;
  };
  return {
    ...services,
    providerApi(name) {
      const row = providers.find(name);
      return row && apiOf(row);
    },
    providerSetups: () =>
      providers.all().map((row) => ({
        ...setupOf(row),
        callbackUrl: `${deps.publicUrl()}/v1/identity/callback/${callbackName(row.name)}`,
      })),
    titleOf: ({ provider, serverId }) => serverId ?? providers.find(provider)?.title ?? provider,
    parametersOf: (server) => providers.ofServer(server) ?? blankProvider,
    async runMaintenance(signal) {
      for (const row of await store.overdue(overduePerRun)) {
        await store.fail(row, sessionExpired, 'system');
        await confirmations.discardHeld(row);
      }
      await store.deleteExpired(deps.clock.now() - sessionsKeptMs);
      await revocations.drain(signal);
    },
    async close() {
      await Promise.all([revocations.settle(), freshTokens.settle()]);
    },
  };
}
