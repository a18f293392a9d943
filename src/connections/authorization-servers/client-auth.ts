import * as oauth from 'oauth4webapi';
import { keyAuth } from '../providers/client-key.ts';
import type { Provider } from '../providers/oauth-provider.ts';

/** How far an authorization server's clock may be from ours (threats J10). */
const toleratedSkewSeconds = 300;
/** In the order of preference: out of the URL and out of the body where possible (RFC 6749 section 2.3.1). */
const authMethods = ['client_secret_basic', 'client_secret_post', 'none'];

export function toClient(clientId: string): oauth.Client {
  return { client_id: clientId, [oauth.clockTolerance]: toleratedSkewSeconds };
}

/** How we show that we are a provider's client: as its row says, else as its metadata does, else in the body. */
export async function providerClientAuth(
  { clientAuth, clientSecret, clientKey }: Provider,
  server: oauth.AuthorizationServer,
): Promise<oauth.ClientAuth> {
  if (clientAuth === 'private_key_jwt' && clientKey !== null) return keyAuth(clientKey);
  if (clientSecret === null) return oauth.None();
  const offered = server.token_endpoint_auth_methods_supported;
  const method = clientAuth ?? (offered?.includes('client_secret_basic') ? 'client_secret_basic' : null);
  return toClientAuth(method ?? 'client_secret_post', clientSecret.reveal());
}

export function toClientAuth(method: string, secret: string | null): oauth.ClientAuth {
  if (secret === null || method === 'none') return oauth.None();
  return method === 'client_secret_post' ? oauth.ClientSecretPost(secret) : basicAuth(secret);
}

/** RFC 8414 section 2: without a word it is client_secret_basic. */
export function preferredAuthMethod(server: oauth.AuthorizationServer): string {
  const offered = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
  return authMethods.find((method) => offered.includes(method)) ?? 'none';
}

/**
 * RFC 6749 section 2.3.1: form-encoded, and no more than that. The library's own encodes `-` and `_` as well, which
 * servers that do not decode take for another client.
 */
function basicAuth(secret: string): oauth.ClientAuth {
  const encoded = (text: string) => new URLSearchParams({ '': text }).toString().slice(1);
  return (_server, { client_id }, _body, headers) => {
    const pair = `${encoded(client_id)}:${encoded(secret)}`;
    headers.set('authorization', `Basic ${Buffer.from(pair).toString('base64')}`);
  };
}
