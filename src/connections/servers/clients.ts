import * as oauth from 'oauth4webapi';
import type { Clock } from '../../base/clock.ts';
import { newId } from '../../base/id.ts';
import { isObject } from '../../base/json.ts';
import { Problem } from '../../base/problem.ts';
import type { Storage } from '../../storage/storage.ts';
import type { Vault } from '../../vault/vault.ts';
import { basicAuth, type CallOptions } from '../grants/authority.ts';
import type { ClientRow } from '../tables.ts';
import { createClientStore } from './client-store.ts';
import { DiscoveryRefusal } from './discovery.ts';

/** Us at one authorization server. */
export type OurClient = {
  readonly client: oauth.Client;
  readonly auth: oauth.ClientAuth;
  /** Registered on the way: its row's id, so that a client that is refused can be forgotten. */
  readonly dynamicId: string | null;
};

export type ClientView = {
  readonly id: string;
  readonly issuer: string;
  readonly server_id: string | null;
  readonly kind: 'registered' | 'dynamic';
  readonly client_id: string;
  readonly auth_method: string;
};

export type RegisteredClient = {
  readonly issuer: string;
  /** null: for every server of the issuer. */
  readonly serverId: string | null;
  readonly clientId: string;
  readonly clientSecret: string | null;
  /** null: as the issuer's metadata has it. */
  readonly authMethod: string | null;
};

export type By = { readonly developerId: string; readonly actor: string };

export type Clients = {
  /** Registered by the operator, else our metadata document, else registered on the way. Throws DiscoveryRefusal. */
  of(server: oauth.AuthorizationServer, serverId: string): Promise<OurClient>;
  /** The server refuses it: the next one who asks registers anew. */
  forget(id: string): Promise<void>;
  list(): Promise<readonly ClientView[]>;
  put(client: RegisteredClient, by: By): Promise<ClientView>;
  /** Throws not_found. */
  remove(id: string, by: By): Promise<void>;
  /** What stands at the URL that is our client id where documents are taken for one; used when that is https. */
  document(): Readonly<Record<string, unknown>>;
};

/** How far an authorization server's clock may be from ours (threats J10). */
const toleratedSkewSeconds = 300;
/** In the order of preference: out of the URL and out of the body where possible (RFC 6749 section 2.3.1). */
/** In a row: whatever the issuer's metadata says. */
const byMetadata = '';
const authMethods = ['client_secret_basic', 'client_secret_post', 'none'];

export function createClients(deps: {
  readonly storage: Storage;
  readonly vault: Pick<Vault, 'seal' | 'open'>;
  readonly clock: Clock;
  readonly publicUrl: () => string;
  readonly options: () => CallOptions;
}): Clients {
  const { storage, vault, clock, publicUrl, options } = deps;
  const store = createClientStore(storage);
  const flights = new Map<string, Promise<ClientRow>>();
  const redirectUri = () => `${publicUrl()}/v1/identity/callback/mcp`;
  const documentUrl = () => `${publicUrl()}/client-metadata.json`;
  const hasDocument = () => publicUrl().startsWith('https:');

  const metadata = () => ({
    client_name: 'MCP Rank',
    client_uri: publicUrl(),
    redirect_uris: [redirectUri()],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    // A redirect to http on this machine is what only native clients may have (OpenID Connect Registration section 2, threats N8).
    application_type: hasDocument() ? 'web' : 'native',
  });

  const fromRow = async (row: ClientRow, server: oauth.AuthorizationServer): Promise<OurClient> => {
    const secret = row.secret_sealed === null ? null : await vault.open(row.secret_sealed, binding(row));
    return {
      client: clientOf(row.client_id),
      auth: authOf(row.auth_method === byMetadata ? preferred(server) : row.auth_method, secret),
      dynamicId: row.kind === 'dynamic' ? row.id : null,
    };
  };

  const register = async (server: oauth.AuthorizationServer): Promise<ClientRow> => {
    const token_endpoint_auth_method = preferred(server);
    const reply = await oauth.dynamicClientRegistrationRequest(
      server,
      { ...metadata(), token_endpoint_auth_method },
      options(),
    );
    const made = await oauth.processDynamicClientRegistrationResponse(await standardReply(reply));
    const secret = typeof made.client_secret === 'string' ? made.client_secret : null;
    const expiry = Number(made.client_secret_expires_at ?? 0);
    const told = made.token_endpoint_auth_method;
    const row = { id: newId('cli'), issuer: server.issuer, server_id: '', kind: 'dynamic' as const };
    return {
      ...row,
      client_id: made.client_id,
      secret_sealed: secret === null ? null : await vault.seal(secret, binding(row)),
      auth_method: secret === null ? 'none' : typeof told === 'string' ? told : token_endpoint_auth_method,
      redirect_uri: redirectUri(),
      expires_at: secret !== null && expiry > 0 ? expiry * 1_000 : null,
      created_at: clock.now(),
    };
  };

  const registerOnce = async (server: oauth.AuthorizationServer, outdated: ClientRow | undefined) => {
    if (server.registration_endpoint === undefined)
      throw new DiscoveryRefusal(
        'its authorization server registers no clients: register one there and put it under /v1/admin/oauth-clients',
      );
    const made = await register(server).catch((error: unknown) => {
      throw refusalOf(error);
    });
    if (outdated !== undefined) await store.drop(outdated.id);
    await store.keep(made);
    const stored = (await store.of(server.issuer, '')).find(({ kind }) => kind === 'dynamic');
    return stored ?? made;
  };

  /** A client for another callback, or with a secret that is over, is no use any more. */
  const isGood = (row: ClientRow) =>
    row.redirect_uri === redirectUri() && (row.expires_at === null || row.expires_at > clock.now());

  return {
    async of(server, serverId) {
      const rows = await store.of(server.issuer, serverId);
      const registered = rows
        .filter(({ kind }) => kind === 'registered')
        .sort((a, b) => b.server_id.length - a.server_id.length);
      if (registered[0] !== undefined) return fromRow(registered[0], server);
      if (hasDocument() && server.client_id_metadata_document_supported === true)
        return { client: clientOf(documentUrl()), auth: oauth.None(), dynamicId: null };
      const known = rows.find(({ kind }) => kind === 'dynamic');
      if (known !== undefined && isGood(known)) return fromRow(known, server);
      let flight = flights.get(server.issuer);
      if (flight === undefined) {
        flight = registerOnce(server, known).finally(() => flights.delete(server.issuer));
        flights.set(server.issuer, flight);
      }
      return fromRow(await flight, server);
    },
    forget: store.drop,
    list: async () => (await store.list()).map(viewOf),
    async put({ issuer, serverId, clientId, clientSecret, authMethod }, by) {
      if (clientSecret === null && authMethod !== null && authMethod !== 'none')
        throw new Problem('invalid_request', 'auth_method: only none goes without a client_secret');
      const place = { id: newId('cli'), issuer, server_id: serverId ?? '', kind: 'registered' as const };
      const row: ClientRow = {
        ...place,
        client_id: clientId,
        secret_sealed: clientSecret === null ? null : await vault.seal(clientSecret, binding(place)),
        auth_method: clientSecret === null ? 'none' : (authMethod ?? byMetadata),
        redirect_uri: null,
        expires_at: null,
        created_at: clock.now(),
      };
      await store.put(row, by);
      return viewOf(row);
    },
    async remove(id, by) {
      if (!(await store.remove(id, by))) throw new Problem('not_found', 'OAuth client not found');
    },
    document: () => ({ client_id: documentUrl(), ...metadata(), token_endpoint_auth_method: 'none' }),
  };
}

function clientOf(clientId: string): oauth.Client {
  return { client_id: clientId, [oauth.clockTolerance]: toleratedSkewSeconds };
}

function authOf(method: string, secret: string | null): oauth.ClientAuth {
  if (secret === null || method === 'none') return oauth.None();
  return method === 'client_secret_post' ? oauth.ClientSecretPost(secret) : basicAuth(secret);
}

/** RFC 8414 section 2: without a word it is client_secret_basic. */
function preferred(server: oauth.AuthorizationServer): string {
  const offered = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
  return authMethods.find((method) => offered.includes(method)) ?? 'none';
}

/** Client and issuer belong together: credentials of one are never opened for another (threats N3). */
function binding({ id, issuer, server_id }: Pick<ClientRow, 'id' | 'issuer' | 'server_id'>): string[] {
  return ['oauth client', issuer, server_id, id];
}

/** As RFC 7591 section 3.2.1 wants it: servers in the wild say 200, and leave out that a secret does not expire. */
async function standardReply(reply: Response): Promise<Response> {
  if (reply.status !== 200 && reply.status !== 201) return reply;
  const text = await reply.text();
  try {
    const body: unknown = JSON.parse(text);
    if (isObject(body)) return Response.json({ client_secret_expires_at: 0, ...body }, { status: 201 });
  } catch {
    // Said below.
  }
  throw new DiscoveryRefusal('its authorization server answers a registration with something else');
}

function refusalOf(error: unknown): unknown {
  if (!(error instanceof oauth.ResponseBodyError)) return error;
  // Whatever stands in a reply is not to be trusted; its error code is a name (RFC 7591 section 3.2.2).
  const code = /^[a-z_]{1,60}$/.test(error.error) ? error.error : 'an unknown error';
  return new DiscoveryRefusal(`its authorization server refuses to register us: ${code}`, { cause: error });
}

function viewOf(row: ClientRow): ClientView {
  const { id, issuer, kind, client_id, auth_method } = row;
  return { id, issuer, server_id: row.server_id === '' ? null : row.server_id, kind, client_id, auth_method };
}
