import { Problem } from '../../base/problem.ts';

/** What a client says of itself, by registration (RFC 7591) or in a document at its id. */
export type ClientMetadata = Readonly<Record<string, unknown>>;

const maxUris = 50;
const maxUriLength = 2_000;
const maxNameLength = 200;
const loopback = new Set(['localhost', '127.0.0.1', '[::1]']);
/** Schemes that run something, open a file or start another program: no app owns them (threats P4). */
const foreignSchemes = new Set(
  'javascript data file ftp ftps ws wss mailto intent blob about vbscript view-source chrome filesystem tel sms ssh ldap jar resource'
    .split(' ')
    .map((scheme) => `${scheme}:`),
);

/** Why a redirect URI is none that a code may go to; null: it is fine. */
function redirectFault(text: unknown): string | null {
  const url = typeof text === 'string' && text.length <= maxUriLength ? URL.parse(text) : null;
  if (url === null) return 'must be absolute URLs of at most 2,000 characters';
  if (url.href.includes('#')) return 'must not have a fragment';
  if (url.username !== '' || url.password !== '') return 'must not have a user or password';
  if (url.protocol === 'https:') return null;
  if (url.protocol === 'http:')
    return loopback.has(url.hostname) ? null : 'over plain http may only lead to this machine (localhost)';
  return foreignSchemes.has(url.protocol) ? `must not use the scheme ${url.protocol.slice(0, -1)}` : null;
}

/**
 * Redirect URIs as clients really register them (RFC 8252): https, http to loopback, schemes of their own, all in one registration.
 * `application_type` follows from them, as half of the clients say none or the wrong one: of a native one the loopback's port varies.
 * Throws `invalid_request`.
 */
export function normalizeClient(metadata: ClientMetadata): ClientMetadata {
  const {
    redirect_uris: uris,
    scope: _scope,
    application_type: _type,
    client_name: name,
    grant_types: grants,
    ...rest
  } = metadata;
  if (!Array.isArray(uris) || uris.length === 0 || uris.length > maxUris)
    throw new Problem('invalid_request', `redirect_uris: expected a list of 1 to ${maxUris} URLs`);
  for (const uri of uris) {
    const fault = redirectFault(uri);
    if (fault !== null) throw new Problem('invalid_request', `redirect_uris: ${fault}`);
  }
  const isWeb = uris.every((uri) => new URL(String(uri)).protocol === 'https:');
  return {
    ...rest,
    // Who may act without a person is the operator's to say (threats P16).
    ...(Array.isArray(grants)
      ? { grant_types: grants.filter((grant) => grant !== 'client_credentials') }
      : grants !== undefined && { grant_types: grants }),
    redirect_uris: uris,
    application_type: isWeb ? 'web' : 'native',
    ...(typeof name === 'string' && { client_name: name.slice(0, maxNameLength) }),
  };
}
