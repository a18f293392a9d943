/** What tokens are made for: `/mcp`, `/mcp/t/{name}` and `/mcp/servers/{id}`, each a resource of its own (RFC 8707). */

export const scope = 'mcp';
export const defaultPath = '/mcp';
/** Clients ask for what is advertised here and nothing else; the second grants nothing, refresh tokens come anyway. */
const scopesSupported = [scope, 'offline_access'];

const namedPlaces = /^\/mcp\/(t|servers)\/([^/]{1,1000})$/;

/** One spelling of the path of a resource of ours; null: there is none at such a path. */
export function canonicalPath(path: string): string | null {
  const bare = path.endsWith('/') ? path.slice(0, -1) : path;
  // Clients that know only the origin mean all of it (the root document of RFC 9728).
  if (bare === '' || bare === defaultPath) return defaultPath;
  const [, place, name] = namedPlaces.exec(bare) ?? [];
  if (place === undefined || name === undefined) return null;
  try {
    return `/mcp/${place}/${encodeURIComponent(decodeURIComponent(name))}`;
  } catch {
    return null;
  }
}

/** Whether a door of MCP may stand at a path; which names there are is not told here. */
export function isDoor(path: string): boolean {
  return path !== '' && path !== '/' && canonicalPath(path) !== null;
}

/** The same of a `resource` parameter, as the URL it is kept by; null: none of ours, or no URL. */
export function canonicalResource(resource: string, isOurs: (url: URL) => boolean): string | null {
  const url = URL.parse(resource);
  if (url === null || !isOurs(url) || url.search !== '' || resource.includes('#')) return null;
  if (url.username !== '' || url.password !== '') return null;
  return canonicalPath(url.pathname);
}

/** RFC 8414 and OpenID Connect Discovery: one document for both. */
export function serverMetadata(issuer: string, takesAssertions: boolean) {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    registration_endpoint: `${issuer}/register`,
    revocation_endpoint: `${issuer}/revoke`,
    introspection_endpoint: `${issuer}/introspect`,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    scopes_supported: scopesSupported,
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: grantTypes(takesAssertions),
    ...(takesAssertions && {
      authorization_grant_profiles_supported: ['urn:ietf:params:oauth:grant-profile:id-jag'],
    }),
    token_endpoint_auth_methods_supported: authMethods,
    revocation_endpoint_auth_methods_supported: authMethods,
    introspection_endpoint_auth_methods_supported: authMethods,
    token_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    client_id_metadata_document_supported: true,
    // OpenID Connect wants these two said; there are no ID tokens here.
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
  };
}

export function grantTypes(takesAssertions: boolean): readonly string[] {
  const assertions = takesAssertions ? ['urn:ietf:params:oauth:grant-type:jwt-bearer'] : [];
  return ['authorization_code', 'refresh_token', 'client_credentials', ...assertions];
}

export const authMethods = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const;
export const assertionAlgorithms = ['ES256', 'RS256', 'PS256', 'EdDSA'] as const;

/** RFC 9728. `resource` is the very URL that was asked about: a client must not use any other. */
export function resourceMetadata(resource: string, issuer: string) {
  return {
    resource,
    authorization_servers: [issuer],
    scopes_supported: scopesSupported,
    bearer_methods_supported: ['header'],
    resource_name: 'MCP Rank',
  };
}
