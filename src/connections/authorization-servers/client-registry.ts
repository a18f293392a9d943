import * as oauth from 'oauth4webapi';
import { createBoundedCache } from '../../base/bounded-cache.ts';
import type { Clock } from '../../base/clock.ts';
import { newId } from '../../base/id.ts';
import { Problem } from '../../base/problem.ts';
import type { Storage } from '../../storage/storage.ts';
import type { Vault } from '../../vault/vault.ts';
import type { ClientRow } from '../connection-rows.ts';
import { preferredAuthMethod, toClient, toClientAuth } from './client-auth.ts';
import { createClientStore } from './client-store.ts';
import {
  clientMetadata,
  documentUrl,
  hasDocument,
  isUnknownClient,
  redirectUri,
  registerDynamically,
} from './dynamic-registration.ts';
import type { CallOptions, SeenReply } from './oauth-fetch.ts';

/** Us at one authorization server. */
export type OurClient = {
  readonly client: oauth.Client;
  readonly auth: oauth.ClientAuth;
  /** Registered on the way: its row's id, so that a client that is refused can be forgotten. */
  readonly dynamicId: string | null;
  /** When; 0: not by us. */
  readonly registeredAt: number;
};

export type OAuthClient = {
  readonly id: string;
  readonly issuer: string;
  readonly serverId: string | null;
  readonly kind: 'registered' | 'dynamic';
  readonly clientId: string;
  readonly authMethod: string;
};

export type NewOAuthClient = {
  readonly issuer: string;
  /** null: for every server of the issuer. */
  readonly serverId: string | null;
  readonly clientId: string;
  readonly clientSecret: string | null;
  /** null: as the issuer's metadata has it. */
  readonly authMethod: string | null;
};

/** Who changes something, for the audit trail. */
type ChangedBy = { readonly developerId: string; readonly actor: string };

type Deps = {
  readonly storage: Storage;
  readonly vault: Pick<Vault, 'seal' | 'open'>;
  readonly clock: Clock;
  readonly publicUrl: () => string;
  /** For a call for tokens with `seen`, else for a registration. */
  readonly callOptions: (seen?: SeenReply) => CallOptions;
  /** Did a browser go to this issuer for us that may have come back after `since`, and did not (yet)? */
  readonly hasLostSession: (issuer: string, since: number) => Promise<boolean>;
  /** Does anybody have a grant of this issuer that is good? */
  readonly hasActiveGrants: (issuer: string) => Promise<boolean>;
};

/** A session that was opened for a registration is over so long after it. */
const sessionLifeMs = 300_000;
/** A client is checked at most so often. */
const checkEveryMs = 1_000;
/** What was registered just now is not doubted because a grant of before is over. */
const newForMs = 10_000;
const maxChecked = 1_000;

/** In a row: whatever the issuer's metadata says. */
const byMetadata = '';

/** Us as a client of MCP servers' authorization servers. */
export class ClientRegistry {
  readonly #deps: Deps;
  readonly #store: ReturnType<typeof createClientStore>;
  readonly #flights = new Map<string, Promise<ClientRow>>();
  readonly #checks = new Map<string, Promise<void>>();
  /** When a client that we registered on the way was last checked, by its row. */
  readonly #checkedAt = createBoundedCache<number>(maxChecked);

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#store = createClientStore(deps.storage);
  }

  /** Registered by the operator, else our metadata document, else registered on the way. Throws DiscoveryRefusal. */
  async find(server: oauth.AuthorizationServer, serverId: string): Promise<OurClient> {
    const { vault } = this.#deps;
    const publicUrl = this.#deps.publicUrl();
    const rows = await this.#store.of(server.issuer, serverId);
    const registered = rows
      .filter(({ kind }) => kind === 'registered')
      .sort((a, b) => b.server_id.length - a.server_id.length);
    if (registered[0] !== undefined) return toOurClient(vault, registered[0], server);
    if (hasDocument(publicUrl) && server.client_id_metadata_document_supported === true)
      return {
        client: toClient(documentUrl(publicUrl)),
        auth: oauth.None(),
        dynamicId: null,
        registeredAt: 0,
      };
    const known = rows.find(({ kind }) => kind === 'dynamic');
    const isGood = known !== undefined && isUsable(known, this.#deps);
    return toOurClient(vault, isGood ? known : await this.#registerOnce(server, known), server);
  }

  /**
   * For a new consent: a server that forgot us (its clients were in memory, and it was restarted) shows the user an error
   * and never sends the browser back. So where one did not come back, or where the user's grant is over (`isDoubtful`), our
   * registration is checked, and made anew.
   */
  async findForConsent(
    server: oauth.AuthorizationServer,
    serverId: string,
    isDoubtful = false,
  ): Promise<OurClient> {
    const ours = await this.find(server, serverId);
    const id = ours.dynamicId;
    if (id === null || !(await this.#isToBeChecked(server.issuer, ours, { id, isDoubtful }))) return ours;
    let check = this.#checks.get(id);
    if (check === undefined) {
      check = this.#check(server, ours, id).finally(() => this.#checks.delete(id));
      this.#checks.set(id, check);
    }
    await check;
    return this.find(server, serverId);
  }

  async #isToBeChecked(
    issuer: string,
    ours: OurClient,
    { id, isDoubtful }: { id: string; isDoubtful: boolean },
  ): Promise<boolean> {
    const { clock, hasLostSession } = this.#deps;
    const now = clock.now();
    const since = this.#checkedAt.get(id) ?? 0;
    if (now < since + checkEveryMs) return false;
    return (isDoubtful && now >= ours.registeredAt + newForMs) || hasLostSession(issuer, since);
  }

  /**
   * Some servers look at the code before the client (better-auth), so that the check tells nothing. Where a browser went
   * there for this very registration and did not come back, and no grant hangs on it, a new one can only help.
   */
  async #isUseless(issuer: string, { registeredAt }: OurClient): Promise<boolean> {
    const { hasLostSession, hasActiveGrants } = this.#deps;
    return (await hasLostSession(issuer, registeredAt + sessionLifeMs)) && !(await hasActiveGrants(issuer));
  }

  /** Replaces a registration that its server has forgotten. */
  async #check(server: oauth.AuthorizationServer, ours: OurClient, id: string): Promise<void> {
    const { vault, clock, callOptions, publicUrl } = this.#deps;
    const how = { redirectUri: redirectUri(publicUrl()), callOptions };
    this.#checkedAt.set(id, clock.now());
    const isUnknown = await isUnknownClient(server, ours, how);
    if (!isUnknown && !(await this.#isUseless(server.issuer, ours))) return;
    const row = await this.#register(server);
    this.#checkedAt.set(row.id, clock.now());
    // A server that says the same of a client that it has just made says nothing by it.
    if (isUnknown && (await isUnknownClient(server, await toOurClient(vault, row, server), how))) return;
    await this.#store.drop(id);
    await this.#store.keep(row);
  }

  /** The server refuses it: the next one who asks registers anew. */
  forget(id: string): Promise<void> {
    return this.#store.drop(id);
  }

  async list(): Promise<readonly OAuthClient[]> {
    return (await this.#store.list()).map(toOAuthClient);
  }

  async put(client: NewOAuthClient, by: ChangedBy): Promise<OAuthClient> {
    const row = await toRow(this.#deps, client);
    await this.#store.put(row, by);
    return toOAuthClient(row);
  }

  /** Throws not_found. */
  async remove(id: string, by: ChangedBy): Promise<void> {
    if (!(await this.#store.remove(id, by))) throw new Problem('not_found', 'OAuth client not found');
  }

  /** What stands at the URL that is our client id where documents are taken for one; used when that is https. */
  document() {
    const publicUrl = this.#deps.publicUrl();
    const metadata = clientMetadata(publicUrl);
    return { client_id: documentUrl(publicUrl), ...metadata, token_endpoint_auth_method: 'none' as const };
  }

  /** Single flight: calls of this process share one registration; of two processes that register at once the first one's stays. */
  #registerOnce(server: oauth.AuthorizationServer, outdated: ClientRow | undefined): Promise<ClientRow> {
    let flight = this.#flights.get(server.issuer);
    if (flight === undefined) {
      flight = this.#replace(server, outdated).finally(() => this.#flights.delete(server.issuer));
      this.#flights.set(server.issuer, flight);
    }
    return flight;
  }

  /** A new registration, not stored yet. */
  async #register(server: oauth.AuthorizationServer): Promise<ClientRow> {
    const { vault, clock, callOptions } = this.#deps;
    const publicUrl = this.#deps.publicUrl();
    const made = await registerDynamically(server, clientMetadata(publicUrl), callOptions());
    const identity = { id: newId('cli'), issuer: server.issuer, server_id: '', kind: 'dynamic' as const };
    return {
      ...identity,
      client_id: made.clientId,
      secret_sealed: made.secret === null ? null : await vault.seal(made.secret, binding(identity)),
      auth_method: made.authMethod,
      redirect_uri: redirectUri(publicUrl),
      expires_at: made.expiresAt,
      created_at: clock.now(),
    };
  }

  async #replace(server: oauth.AuthorizationServer, outdated: ClientRow | undefined): Promise<ClientRow> {
    const row = await this.#register(server);
    if (outdated !== undefined) await this.#store.drop(outdated.id);
    await this.#store.keep(row);
    const stored = (await this.#store.of(server.issuer, '')).find(({ kind }) => kind === 'dynamic');
    return stored ?? row;
  }
}

/** A client for another callback, or with a secret that is over, is no use any more. */
function isUsable(row: ClientRow, { publicUrl, clock }: Deps): boolean {
  return (
    row.redirect_uri === redirectUri(publicUrl()) && (row.expires_at === null || row.expires_at > clock.now())
  );
}

async function toRow({ vault, clock }: Deps, client: NewOAuthClient): Promise<ClientRow> {
  const { issuer, serverId, clientId, clientSecret, authMethod } = client;
  if (clientSecret === null && authMethod !== null && authMethod !== 'none')
    throw new Problem('invalid_request', 'auth_method: only none goes without a client_secret');
  const identity = { id: newId('cli'), issuer, server_id: serverId ?? '', kind: 'registered' as const };
  return {
    ...identity,
    client_id: clientId,
    secret_sealed: clientSecret === null ? null : await vault.seal(clientSecret, binding(identity)),
    auth_method: clientSecret === null ? 'none' : (authMethod ?? byMetadata),
    redirect_uri: null,
    expires_at: null,
    created_at: clock.now(),
  };
}

async function toOurClient(
  vault: Deps['vault'],
  row: ClientRow,
  server: oauth.AuthorizationServer,
): Promise<OurClient> {
  const secret = row.secret_sealed === null ? null : await vault.open(row.secret_sealed, binding(row));
  const method = row.auth_method === byMetadata ? preferredAuthMethod(server) : row.auth_method;
  return {
    client: toClient(row.client_id),
    auth: toClientAuth(method, secret),
    dynamicId: row.kind === 'dynamic' ? row.id : null,
    registeredAt: row.created_at,
  };
}

function toOAuthClient(row: ClientRow): OAuthClient {
  return {
    id: row.id,
    issuer: row.issuer,
    serverId: row.server_id === '' ? null : row.server_id,
    kind: row.kind,
    clientId: row.client_id,
    authMethod: row.auth_method,
  };
}

/** Client and issuer belong together: credentials of one are never opened for another (threats N3). */
function binding({ id, issuer, server_id }: Pick<ClientRow, 'id' | 'issuer' | 'server_id'>): string[] {
  return ['oauth client', issuer, server_id, id];
}
