import { isObject, type JsonObject } from '../../base/json.ts';
import { Problem } from '../../base/problem.ts';
import { Secret } from '../../base/secret.ts';
import { keyAlgorithms } from './client-key.ts';
import { blankProvider, type ClientAuth, isScope, type Provider } from './oauth-provider.ts';

type Changes = Partial<Provider>;
/** Reads one field of the file; undefined when it is not what was expected. */
type Field = { readonly expected: string; readonly read: (value: unknown) => Changes | undefined };

/** Names are parts of URLs and are compared as they stand (threats A8); `mcp` is the callback of MCP servers. */
const namePattern = /^[a-z0-9-]{1,32}$/;
const reservedNames = new Set(['mcp']);
const clientAuths: readonly ClientAuth[] = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'none',
];

function field<T>(expected: string, fits: (value: unknown) => value is T, set: (value: T) => Changes): Field {
  return { expected, read: (value) => (fits(value) ? set(value) : undefined) };
}
const text = (set: (value: string) => Changes) => field('a text', isText, set);
const url = (set: (value: string) => Changes) =>
  field('an http(s) URL without user name or fragment', isUrl, set);

/** The fields of a row in the file; docs/connections.md shows the same. */
const fields: Readonly<Record<string, Field>> = {
  title: text((title) => ({ title })),
  client_id: text((clientId) => ({ clientId })),
  client_secret: text((secret) => ({ clientSecret: new Secret(secret) })),
  client_key: field('a private JWK with kid and alg (RS256, PS256, ES256 or EdDSA)', isPrivateJwk, (jwk) => ({
    clientKey: new Secret(JSON.stringify(jwk)),
  })),
  client_auth: field(`one of ${clientAuths.join(', ')}`, isClientAuth, (clientAuth) => ({ clientAuth })),
  issuer: url((issuer) => ({ issuer })),
  authorization_url: url((authorizationUrl) => ({ authorizationUrl })),
  token_url: url((tokenUrl) => ({ tokenUrl })),
  revocation_url: url((revocationUrl) => ({ revocationUrl })),
  userinfo_url: url((userinfoUrl) => ({ userinfoUrl })),
  jwks_url: url((jwksUrl) => ({ jwksUrl })),
  scopes: field('an array of scopes without spaces', isScopes, (scopes) => ({ scopes })),
  authorization_params: field(
    'an object of texts, without the parameters that are ours',
    isParams,
    (authorizationParams) => ({ authorizationParams }),
  ),
  default_origin: field(
    'an http(s) origin, for example https://api.example.com, or null',
    (value) => value === null || isOrigin(value),
    (defaultOrigin) => ({ defaultOrigin }),
  ),
  routes: field(
    'an array of {"prefix", "origin"}: a path without slashes at its ends, and an http(s) origin',
    isRoutes,
    (routes) => ({ routes }),
  ),
};

/** Set by us for each session; a row that could set them would switch the protection off (RFC 9700 section 2.1). */
const ourParams = new Set([
  'client_id',
  'redirect_uri',
  'response_type',
  'state',
  'nonce',
  'code_challenge',
  'code_challenge_method',
  'scope',
]);

/** The rows of a providers file over the built-in ones, by name; throws `setup` with all faults at once. */
export function mergeProviders(builtin: readonly Provider[], json: string | null): readonly Provider[] {
  const faults: string[] = [];
  const rows = new Map(builtin.map((row) => [row.name, row]));
  for (const [name, value] of Object.entries(parseFile(json, faults))) {
    const read = mergeProvider(rows.get(name), name, value);
    faults.push(...read.faults);
    rows.set(name, read.row);
  }
  if (faults.length > 0)
    throw new Problem(
      'setup',
      `MCPRANK_PROVIDERS has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${faults.map((fault) => `  ${fault}`).join('\n')}`,
    );
  return [...rows.values()];
}

/** One row over the one that is there, and what is wrong with it. */
export function mergeProvider(
  base: Provider | undefined,
  name: string,
  value: unknown,
): { readonly row: Provider; readonly faults: readonly string[] } {
  const row = base ?? { ...blankProvider, name, title: name };
  if (!namePattern.test(name) || reservedNames.has(name))
    return { row, faults: [`${name}: expected a name of 1 to 32 of a-z, 0-9 and -, other than mcp`] };
  if (!isObject(value)) return { row, faults: [`${name}: expected an object`] };
  const faults: string[] = [];
  return { row: readRow(row, value, faults), faults };
}

function parseFile(json: string | null, faults: string[]): JsonObject {
  if (json === null) return {};
  try {
    const value: unknown = JSON.parse(json);
    if (isObject(value)) return value;
  } catch {
    // Reported below: a parser's message would show a piece of the file, secrets included.
  }
  faults.push('the file: expected a JSON object of providers by name');
  return {};
}

function readRow(row: Provider, value: JsonObject, faults: string[]): Provider {
  const changes = readChanges(row.name, value, faults);
  const base = movesAuthorizationServer(changes) ? withoutAuthorizationServer(row) : row;
  const made = { ...base, ...changes };
  checkRow(made, faults);
  return made;
}

function readChanges(name: string, value: JsonObject, faults: string[]): Changes {
  let changes: Changes = {};
  for (const [key, each] of Object.entries(value)) {
    const known = Object.hasOwn(fields, key) ? fields[key] : undefined;
    const change = known?.read(each);
    if (known === undefined)
      faults.push(`${name}.${key}: unknown field; expected ${Object.keys(fields).join(', ')}`);
    else if (change === undefined) faults.push(`${name}.${key}: expected ${known.expected}`);
    else changes = { ...changes, ...change };
  }
  return changes;
}

function checkRow(row: Provider, faults: string[]): void {
  const { name, clientAuth } = row;
  const isReachable = row.issuer !== null || (row.authorizationUrl !== null && row.tokenUrl !== null);
  if (!isReachable) faults.push(`${name}: expected an issuer, or authorization_url and token_url`);
  const isSecretless = clientAuth === 'none' || clientAuth === 'private_key_jwt';
  if (row.clientId !== null && row.clientSecret === null && !isSecretless)
    faults.push(`${name}.client_secret: required, or client_auth "none" for a public client`);
  if (clientAuth === 'private_key_jwt' && row.clientKey === null)
    faults.push(`${name}.client_key: required with client_auth "private_key_jwt"`);
}

function movesAuthorizationServer({ issuer, authorizationUrl, tokenUrl }: Changes): boolean {
  return issuer !== undefined || authorizationUrl !== undefined || tokenUrl !== undefined;
}

/**
 * The URLs of a row belong together: half of Google's and half of somebody else's would send one's tokens to the other.
 * So does what is known of the replies.
 */
function withoutAuthorizationServer(row: Provider): Provider {
  const { issuer, authorizationUrl, tokenUrl, revocationUrl, userinfoUrl, jwksUrl } = blankProvider;
  const { accountFields, scopeSeparator } = blankProvider;
  const urls = { issuer, authorizationUrl, tokenUrl, revocationUrl, userinfoUrl, jwksUrl };
  return { ...row, ...urls, accountFields, scopeSeparator };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isClientAuth(value: unknown): value is ClientAuth {
  return clientAuths.some((each) => each === value);
}

function isPrivateJwk(value: unknown): value is JsonObject {
  return (
    isObject(value) &&
    typeof value.d === 'string' &&
    typeof value.kid === 'string' &&
    Object.hasOwn(keyAlgorithms, String(value.alg))
  );
}

function isUrl(value: unknown): value is string {
  const parsed = typeof value === 'string' ? URL.parse(value) : null;
  // Also keeps `javascript:` and the like out of the page's redirect (threats F14).
  return parsed !== null && /^https?:$/.test(parsed.protocol) && parsed.username === '' && parsed.hash === '';
}

function isOrigin(value: unknown): value is string {
  return isUrl(value) && URL.parse(value)?.origin === value;
}

function isScopes(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string' && isScope(each));
}

function isParams(value: unknown): value is Record<string, string> {
  return (
    isObject(value) &&
    Object.entries(value).every(([name, each]) => typeof each === 'string' && !ourParams.has(name))
  );
}

function isRoutes(value: unknown): value is { prefix: string; origin: string }[] {
  return (
    Array.isArray(value) &&
    value.every(
      (each: unknown) =>
        isObject(each) &&
        Object.keys(each).length === 2 &&
        typeof each.prefix === 'string' &&
        /^~?[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/.test(each.prefix) &&
        isOrigin(each.origin),
    )
  );
}
