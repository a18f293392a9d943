import * as oauth from 'oauth4webapi';
import { Problem } from '../../base/problem.ts';
import type { AuthorizationServer } from '../authorization-servers/authorization-servers.ts';
import type { SessionRow } from '../connection-rows.ts';
import { splitScopes } from '../grant-target.ts';

/** What is kept between the redirect and the callback, sealed. */
export type ConsentFlowState = {
  readonly verifier: string;
  readonly nonce: string;
  readonly redirectUri: string;
};

/** Words for the session and its page. */
export class ConsentRefusal extends Error {}

/** Where the browser goes to consent (RFC 6749 section 4.1.1, RFC 7636). Throws upstream_error. */
export async function authorizationUrl(
  { metadata, client, provider, resource }: AuthorizationServer,
  row: SessionRow,
  { state, flow }: { readonly state: string; readonly flow: ConsentFlowState },
): Promise<string> {
  const url = URL.parse(metadata.authorization_endpoint ?? '');
  // From metadata of others: never `javascript:` or the like (threats F14).
  // A user name before the host is there to look like another host.
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '')
    throw new Problem('upstream_error', `The metadata of ${provider.title} has no usable authorization URL`);
  const scopes = splitScopes(row.scopes);
  const isOffline = provider.offlinePrompt !== null && scopes.includes('offline_access');
  const params = {
    ...(isOffline ? { prompt: provider.offlinePrompt } : {}),
    ...provider.authorizationParams,
    client_id: client.client_id,
    response_type: 'code',
    redirect_uri: flow.redirectUri,
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(flow.verifier),
    code_challenge_method: 'S256',
    ...(resource === null ? {} : { resource }),
    ...(row.scopes === '' ? {} : { [provider.scopeParameter]: row.scopes }),
    ...(scopes.includes('openid') ? { nonce: flow.nonce } : {}),
  };
  for (const [name, value] of Object.entries(params)) url.searchParams.set(name, value);
  return url.href;
}

/** Providers send browsers on to hosts of their own and of their customers, so any https; http only where the operator has it. */
export function formSources({ metadata }: AuthorizationServer): string {
  const origin = new URL(metadata.authorization_endpoint ?? metadata.issuer).origin;
  return origin.startsWith('https:') ? "'self' https:" : `'self' https: ${origin}`;
}

/** `iss` is compared before any token call (RFC 9207, threats F3), for errors too. Throws ConsentRefusal. */
export function checkAuthorizationResponse(
  { metadata, client, provider }: AuthorizationServer,
  row: SessionRow,
  params: URLSearchParams,
): URLSearchParams {
  if (row.issuer !== metadata.issuer)
    throw new ConsentRefusal('The provider was changed while the user was away');
  const compared = new URLSearchParams(params);
  // Without an issuer in its row there is nothing to compare with.
  if (provider.issuer === null) compared.delete('iss');
  try {
    return oauth.validateAuthResponse(metadata, client, compared, oauth.skipStateCheck);
  } catch (error) {
    if (!(error instanceof oauth.AuthorizationResponseError)) throw error;
    if (error.error === 'access_denied') throw new ConsentRefusal('User denied access');
    // Whatever came in the URL is not to be trusted, least of all its description (threats F6).
    const code = /^[a-z_]{1,40}$/.test(error.error) ? error.error : 'an unknown error';
    throw new ConsentRefusal(`The provider refused: ${code}`);
  }
}
