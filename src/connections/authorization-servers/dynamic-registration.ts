import * as oauth from 'oauth4webapi';
import { isObject } from '../../base/json.ts';
import { preferredAuthMethod } from './client-auth.ts';
import { DiscoveryRefusal } from './metadata-documents.ts';
import type { CallOptions } from './oauth-fetch.ts';

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

async function requestRegistration(
  server: oauth.AuthorizationServer,
  asked: Parameters<typeof oauth.dynamicClientRegistrationRequest>[1],
  options: CallOptions,
): Promise<oauth.OmitSymbolProperties<oauth.Client>> {
  const reply = await oauth.dynamicClientRegistrationRequest(server, asked, options);
  return oauth.processDynamicClientRegistrationResponse(await toStandardResponse(reply));
}

/** As RFC 7591 section 3.2.1 wants it: servers in the wild say 200, and leave out that a secret does not expire. */
async function toStandardResponse(reply: Response): Promise<Response> {
  if (reply.status !== 200 && reply.status !== 201) return reply;
  const text = await reply.text();
  try {
    const body: unknown = JSON.parse(text);
    if (isObject(body)) return Response.json({ client_secret_expires_at: 0, ...body }, { status: 201 });
  } catch {
    // Reported below.
  }
  throw new DiscoveryRefusal('its authorization server answers a registration with something else');
}

function toRefusal(error: unknown): unknown {
  if (!(error instanceof oauth.ResponseBodyError)) return error;
  // Whatever stands in a reply is not to be trusted; its error code is a name (RFC 7591 section 3.2.2).
  const code = /^[a-z_]{1,60}$/.test(error.error) ? error.error : 'an unknown error';
  return new DiscoveryRefusal(`its authorization server refuses to register us: ${code}`, { cause: error });
}
