import { accountNameForm, isAccountName } from '../../base/account-name.ts';
import type { Clock } from '../../base/clock.ts';
import { Problem } from '../../base/problem.ts';
import type { Storage } from '../../storage/storage.ts';
import type { AuthorizationServers } from '../authorization-servers/authorization-servers.ts';
import type { ConnectionTables, GrantRow } from '../connection-rows.ts';
import type { Connection, ConnectionQuery, Owner } from '../connections-model.ts';
import { isOfKey, parseServerId, serverProviderName, splitScopes } from '../grant-target.ts';
import { type GrantStore, notifyGrant, ownerOf } from '../tokens/grant-store.ts';
import type { RevocationQueue } from '../tokens/revocation-queue.ts';
import type { IssuedTokens } from '../tokens/token-endpoint.ts';
import type { TokenRefresher } from '../tokens/token-refresh.ts';
import type { AppSettings, AppSettingsStore } from './app-settings-store.ts';
import { checkScopes } from './authorization-sessions.ts';
import type { Confirmations } from './confirmation.ts';
import type { ConnectionWriter } from './connection-writer.ts';
import type { Brought, OwnKeys } from './own-keys.ts';
import type { SessionStore } from './session-store.ts';

type Deps = {
  readonly storage: Storage;
  readonly grants: GrantStore;
  readonly revocations: RevocationQueue;
  readonly refresher: TokenRefresher;
  readonly store: SessionStore;
  readonly appSettings: AppSettingsStore;
  readonly confirmations: Confirmations;
  readonly servers: AuthorizationServers;
  readonly writer: ConnectionWriter;
  readonly ownKeys: OwnKeys;
  readonly clock: Clock;
};

/** A user's tokens from elsewhere: who they are of, for what, and what came with them. */
export type ImportedConnection = {
  readonly owner: Owner;
  readonly target: { readonly provider: string } | { readonly serverId: string };
  readonly account: string;
  readonly label: string | null;
  readonly issued: IssuedTokens;
};

/** Tokens that are being renewed at this moment have a newer version: they are read again. */
const maxReads = 20;
const loopback = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * What an operator, and whoever revokes a user, does with connections. What is disconnected is gone here at once and for
 * good; the provider is told as soon as it can be reached (threats K8).
 */
export class ConnectionAdmin {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  async list({ serverId, ...query }: ConnectionQuery): Promise<readonly Connection[]> {
    const named = serverId === undefined ? query : { ...query, provider: serverProviderName(serverId) };
    return (await this.#deps.grants.list(named)).map(toConnection);
  }

  /** Throws not_found; with `developerId` also for one of another developer (threats G1). */
  async disconnect(id: string, actor: string, developerId?: string): Promise<void> {
    const { grants, revocations } = this.#deps;
    const find = async () =>
      [(await grants.findById(id)) ?? []]
        .flat()
        .filter((row) => developerId === undefined || row.developer_id === developerId);
    if (!(await this.#removeAll(find, actor))) throw new Problem('not_found', 'Connection not found');
    revocations.drainBehind();
  }

  /** Every connection of a user, and every session under way; false when there was nothing. */
  async disconnectUser(owner: Owner, actor = 'system'): Promise<boolean> {
    const { store, grants, confirmations, revocations } = this.#deps;
    // Sessions first: a consent that is just coming in finds its session over, and stores nothing.
    const open = await store.unfinishedOf(owner);
    await store.failAll(owner, open, 'Access was revoked');
    for (const row of open) await confirmations.discardHeld(row);
    const hadGrants = await this.#removeAll(() => grants.ofUser(owner), actor);
    if (!hadGrants && open.length === 0) return false;
    revocations.drainBehind();
    return true;
  }

  /** The same, and the sessions that are over: nothing here names the user any more. */
  async forgetUser(owner: Owner, actor?: string): Promise<boolean> {
    const wasConnected = await this.disconnectUser(owner, actor);
    return (await this.#deps.store.deleteOf(owner)) || wasConnected;
  }

  /**
   * Takes in tokens that a user gave elsewhere. Throws not_found for a provider that nobody knows, and what `serverTarget` throws.
   */
  async import(
    imported: ImportedConnection,
    actor: string,
    /** Called once it is known that they can be taken in. */
    onAccepted: () => Promise<void>,
  ): Promise<Connection> {
    const { servers, writer, grants, clock } = this.#deps;
    const { owner, account, label, issued } = imported;
    checkScopes(issued.scopes ?? undefined);
    // Calls choose by it, in a header field; a provider's own is what the provider says.
    if ('serverId' in imported.target && !isAccountName(account))
      throw new Problem('invalid_request', `account: ${accountNameForm}`);
    const target =
      'serverId' in imported.target
        ? await servers.serverTarget(imported.target, issued.scopes ?? undefined)
        : servers.providerTarget(imported.target.provider, issued.scopes ?? undefined);
    if (isOfKey(target))
      throw new Problem(
        'invalid_request',
        'server_id: users bring a key there (POST /v1/identity/credentials)',
      );
    await onAccepted();
    const { provider, issuer, resource, scopes: asked } = target;
    const known = { id: account, label, email: null, domain: null };
    const consent = { owner, provider, account: known, issued, at: clock.now(), asked, issuer, resource };
    const row = await grants.findById(await writer.take(consent, actor));
    if (row === undefined) throw new Problem('conflict', 'The connection was removed meanwhile');
    return toConnection(row);
  }

  /** Takes in a key that a user brings for a server, once the server took it. Throws as `OwnKeys.tryOut`. */
  async bring(
    brought: Brought,
    { actor, signal }: { readonly actor: string; readonly signal: AbortSignal },
    /** Called once the server took it. */
    onAccepted: () => Promise<void>,
  ): Promise<Connection> {
    const { ownKeys, writer, grants } = this.#deps;
    if (brought.account !== null && !isAccountName(brought.account))
      throw new Problem('invalid_request', `account: ${accountNameForm}`);
    const consent = await ownKeys.tryOut(brought, signal);
    await onAccepted();
    const row = await grants.findById(await writer.take(consent, actor));
    if (row === undefined) throw new Problem('conflict', 'The connection was removed meanwhile');
    return toConnection(row);
  }

  appSettings(developerId: string): Promise<AppSettings> {
    return this.#deps.appSettings.read(developerId);
  }

  /** Throws invalid_request. */
  async changeAppSettings(developerId: string, settings: AppSettings, actor: string): Promise<void> {
    const wrong = settings.returnUrls.findIndex((url) => !isReturnUrl(url));
    if (wrong !== -1)
      throw new Problem(
        'invalid_request',
        `return_urls[${wrong}]: expected https, or http on this machine; no user name, query, fragment or wildcard`,
      );
    await this.#deps.appSettings.put(developerId, settings, actor);
  }

  /** Providers that refuse us as a client. */
  countMisconfigured(): number {
    return this.#deps.refresher.countMisconfigured();
  }

  /** False: there were none. */
  async #removeAll(read: () => Promise<readonly GrantRow[]>, actor: string): Promise<boolean> {
    for (let reads = 0; reads < maxReads; reads++) {
      const rows = await read();
      if (rows.length === 0) return reads > 0;
      for (const row of rows) await this.#remove(row, actor);
    }
    throw new Problem('unavailable', 'The connection is being renewed', { retryAfterMs: 1_000 });
  }

  async #remove(row: GrantRow, actor: string): Promise<void> {
    const { storage, grants, revocations } = this.#deps;
    const queued = await revocations.prepareGrant(row);
    await storage.write<ConnectionTables, void>(async (trx, notify, audit) => {
      if (!(await grants.remove(trx, row))) return;
      await revocations.add(trx, queued);
      await notifyGrant(notify, row);
      const facts = { provider: row.provider, change: 'disconnected' };
      await audit({ ...ownerOf(row), actor, action: 'connection.revoke', subject: row.id, facts });
    });
  }
}

/** RFC 9700 section 2.1: exact matching; so a URL must be in the form that a browser would make of it. */
function isReturnUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.href !== text || text.includes('*')) return false;
  const isSafe = url.protocol === 'https:' || (url.protocol === 'http:' && loopback.has(url.hostname));
  return isSafe && url.username === '' && url.password === '' && !/[?#]/.test(text);
}

function toConnection(row: GrantRow): Connection {
  const serverId = parseServerId(row.provider);
  return {
    id: row.id,
    developerId: row.developer_id,
    userId: row.user_id,
    provider: serverId === null ? row.provider : 'mcp',
    serverId,
    account: row.account,
    label: row.label,
    status: row.status,
    scopes: splitScopes(row.scopes),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    expiresAt: row.life_ms === null ? null : row.issued_at + row.life_ms,
    isRenewable: row.refresh_sealed !== null,
    isKey: isOfKey(row),
  };
}
