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

/**
 * What is read of it. All else is ignored (RFC 7591 section 2): a logo, contacts, what OpenID Connect knows and we do not; a value that
 * nobody uses is no reason to refuse a client.
 */
const known = new Set([
  'client_id',
  'client_secret',
  'client_name',
  'redirect_uris',
  'grant_types',
  'response_types',
  'token_endpoint_auth_method',
]);
/** Of a client that signs itself. */
const keyFields = ['jwks', 'jwks_uri', 'token_endpoint_auth_signing_alg'];

/** Why a redirect URI is none that a code may go to; null: it is fine. */
function redirectFault(text: unknown): string | null {
  const url = typeof text === 'string' && text.length <= maxUriLength ? URL.parse(text) : null;
  if (url === null) return 'must be absolute URLs of at most 2,000 characters';
  // Parsers forgive these, each in its own way (RFC 3986 section 2).
  if (!/^[!-~]+$/.test(String(text)) || String(text).includes('\\'))
    return 'must not have spaces, backslashes, control characters or letters that are not percent-encoded';
  if (url.href.includes('#')) return 'must not have a fragment';
  if (/^[^/?#]*\/\/[^/?#]*@/.test(String(text))) return 'must not have a user or password';
  if (url.protocol === 'https:') return null;
  if (url.protocol === 'http:')
    return loopback.has(url.hostname) ? null : 'over plain http may only lead to this machine (localhost)';
  return foreignSchemes.has(url.protocol) ? `must not use the scheme ${url.protocol.slice(0, -1)}` : null;
}

/**
 * Redirect URIs as clients really register them (RFC 8252): https, http to loopback, schemes of their own, all in one registration.
 * `application_type` follows from them, as half of the clients say none or the wrong one: of a native one the loopback's port varies.
 * What it may do with us is kept of its grants and response types; one that names nothing else is left to be refused.
 * Throws `invalid_request`.
 */
export function normalizeClient(metadata: ClientMetadata, servedGrants: readonly string[]): ClientMetadata {
  const { redirect_uris: uris } = metadata;
  if (!Array.isArray(uris) || uris.length === 0 || uris.length > maxUris)
    throw new Problem('invalid_request', `redirect_uris: expected a list of 1 to ${maxUris} URLs`);
  for (const uri of uris) {
    const fault = redirectFault(uri);
    if (fault !== null) throw new Problem('invalid_request', `redirect_uris: ${fault}`);
  }
  const isWeb = uris.every((uri) => new URL(String(uri)).protocol === 'https:');
  const signsItself = metadata.token_endpoint_auth_method === 'private_key_jwt';
  // Left out, null and empty are one: half of the libraries write what they do not know as null.
  const said = Object.entries(metadata).filter(
    ([name, value]) =>
      value !== null && value !== '' && (known.has(name) || (signsItself && keyFields.includes(name))),
  );
  const { client_name: name, grant_types: grants, response_types: types, ...rest } = Object.fromEntries(said);
  return {
    ...rest,
    ...listed('grant_types', withoutMachines(grants), servedGrants),
    ...listed('response_types', types, ['code']),
    application_type: isWeb ? 'web' : 'native',
    ...(typeof name === 'string' && { client_name: name.slice(0, maxNameLength) }),
  };
}

/** Who may act without a person is the operator's to say (threats P16). */
function withoutMachines(grants: unknown): unknown {
  return Array.isArray(grants) ? grants.filter((grant) => grant !== 'client_credentials') : grants;
}

/** Of a list what is served; nothing for an empty one, so that what is usual holds. */
function listed(name: string, value: unknown, served: readonly string[]): ClientMetadata {
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return {};
  const kept = Array.isArray(value) ? value.filter((each) => served.includes(each)) : [];
  return { [name]: kept.length > 0 ? kept : value };
}
