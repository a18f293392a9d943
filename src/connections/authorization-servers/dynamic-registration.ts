import * as oauth from 'oauth4webapi';
import { parseObject, withoutEmpty } from '../providers/token-reply.ts';
import { preferredAuthMethod } from './client-auth.ts';
import { DiscoveryRefusal } from './metadata-documents.ts';
import type { CallOptions, SeenReply } from './oauth-fetch.ts';

export type RegisteredDynamically = {
  readonly clientId: string;
  readonly secret: string | null;
  readonly authMethod: string;
  /** When the secret ends; null: never. */
  readonly expiresAt: number | null;
};

/** Registers us at an authorization server (RFC 7591). Throws DiscoveryRefusal where it does not take us. */
export async function registerDynamically(
  server: oauth.AuthorizationServer,
  metadata: Readonly<Record<string, unknown>>,
  options: CallOptions,
): Promise<RegisteredDynamically> {
  if (server.registration_endpoint === undefined)
    throw new DiscoveryRefusal(
      'its authorization server registers no clients: register one there and put it under /v1/admin/oauth-clients',
    );
  const asked = { ...metadata, token_endpoint_auth_method: preferredAuthMethod(server) };
  const made = await requestRegistration(server, asked, options).catch((error: unknown) => {
    throw toRefusal(error);
  });
  const secret = typeof made.client_secret === 'string' ? made.client_secret : null;
  const expiry = Number(made.client_secret_expires_at ?? 0);
  const granted = made.token_endpoint_auth_method;
  const authMethod = typeof granted === 'string' ? granted : asked.token_endpoint_auth_method;
  return {
    clientId: made.client_id,
    secret,
    authMethod: secret === null ? 'none' : authMethod,
    expiresAt: secret !== null && expiry > 0 ? expiry * 1_000 : null,
  };
}

const unknownClient =
  /\b(unknown|unregistered|no such|invalid) client|\bclient(_id)?\b[^.]{0,40}(unknown|not found|not registered|not exist|invalid)/i;

/**
 * Whether a server has forgotten a client: who knows it refuses a code that is none (`invalid_grant`), who does not
 * refuses the client (`invalid_client`, RFC 6749 section 5.2). Whatever else it answers says nothing against it.
 */
export async function isUnknownClient(
  server: oauth.AuthorizationServer,
  { client, auth }: { readonly client: oauth.Client; readonly auth: oauth.ClientAuth },
  how: {
    readonly redirectUri: string;
    readonly callOptions: (seen: SeenReply) => CallOptions;
  },
): Promise<boolean> {
  const seen: SeenReply = {};
  const parameters = {
    code: oauth.generateRandomState(),
    redirect_uri: how.redirectUri,
    code_verifier: oauth.generateRandomCodeVerifier(),
  };
  await oauth
    .genericTokenEndpointRequest(
      server,
      client,
      auth,
      'authorization_code',
      parameters,
      how.callOptions(seen),
    )
    .catch(() => undefined);
  if (seen.reply?.kind !== 'error') return false;
  const { error } = seen.reply;
  return error.name === 'invalid_client' || (error.status < 500 && unknownClient.test(error.description));
}

async function requestRegistration(
  server: oauth.AuthorizationServer,
  asked: Parameters<typeof oauth.dynamicClientRegistrationRequest>[1],
  options: CallOptions,
): Promise<oauth.OmitSymbolProperties<oauth.Client>> {
  const reply = await oauth.dynamicClientRegistrationRequest(server, asked, options);
  return oauth.processDynamicClientRegistrationResponse(await toStandardResponse(reply));
}

/** As RFC 7591 section 3.2.1 wants it: servers in the wild say 200, write null for what there is not, and numbers as texts. */
async function toStandardResponse(reply: Response): Promise<Response> {
  const read = parseObject(await reply.text());
  const body = read === undefined ? {} : withoutEmpty(read);
  if (!reply.ok) {
    if (typeof body.error === 'string') return Response.json(body, { status: 400 });
    throw new DiscoveryRefusal(`its authorization server refuses to register us: status ${reply.status}`);
  }
  const { client_id, client_secret, client_secret_expires_at, token_endpoint_auth_method } = body;
  const id = typeof client_id === 'number' ? String(client_id) : client_id;
  if (typeof id !== 'string')
    throw new DiscoveryRefusal('its authorization server answers a registration with something else');
  const standard = {
    client_id: id,
    token_endpoint_auth_method,
    client_secret: typeof client_secret === 'string' ? client_secret : undefined,
    // Absent means that it does not expire, and so does 0.
    client_secret_expires_at: Math.max(0, Number(client_secret_expires_at) || 0),
  };
  return Response.json(standard, { status: 201 });
}

function toRefusal(error: unknown): unknown {
  if (!(error instanceof oauth.ResponseBodyError)) return error;
  // Whatever stands in a reply is not to be trusted; its error code is a name (RFC 7591 section 3.2.2).
  const code = /^[a-z_]{1,60}$/.test(error.error) ? error.error : 'an unknown error';
  return new DiscoveryRefusal(`its authorization server refuses to register us: ${code}`, { cause: error });
}

/** As which client we register, and what our metadata document says. */
export function clientMetadata(publicUrl: string) {
  return {
    client_name: 'MCP Rank',
    client_uri: publicUrl,
    redirect_uris: [redirectUri(publicUrl)],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    // A redirect to http on this machine is what only native clients may have (OpenID Connect Registration section 2, threats N8).
    application_type: hasDocument(publicUrl) ? ('web' as const) : ('native' as const),
  };
}

export function redirectUri(publicUrl: string): string {
  return `${publicUrl}/v1/identity/callback/mcp`;
}

export function documentUrl(publicUrl: string): string {
  return `${publicUrl}/client-metadata.json`;
}

export function hasDocument(publicUrl: string): boolean {
  return publicUrl.startsWith('https:');
}
