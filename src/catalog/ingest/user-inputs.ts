import { isObject } from '../../base/json.ts';
import { isPrivateJwk } from '../../base/jwk.ts';
import { Problem } from '../../base/problem.ts';
import { placeholdersIn, type UserCredentials, type UserVariable } from '../../base/user-credentials.ts';
import type { MachineLogin } from '../catalog-model.ts';
import { describe, type Fields, headerEntries, headerName, refuse } from './fields.ts';
import { cleanText } from './scrub.ts';

const maxVariables = 16;
const maxTemplate = 1_000;
const maxChoices = 100;
const variableName = /^[A-Za-z0-9_.-]{1,64}$/;

/** The catalogue format's `user_credentials`; null where there is nothing for a user to bring. Throws `invalid_request`. */
export function parseUserCredentials(value: unknown, remoteUrl: string | null): UserCredentials | null {
  const given = value ?? {};
  if (!isObject(given)) return refuse('user_credentials', 'expected an object with headers and variables');
  const { headers = {}, variables = {} } = given;
  if (!isObject(headers)) return refuse('user_credentials.headers', 'expected an object of texts');
  if (!isObject(variables)) return refuse('user_credentials.variables', 'expected an object of objects');
  const templates = headerEntries(headers, 'user_credentials.headers').map(
    ([field, template]) => [field, templateOf(template, `user_credentials.headers.${field}`)] as const,
  );
  const found = toCredentials(Object.fromEntries(templates), remoteUrl, variables);
  const unused = Object.keys(variables).find((name) => !Object.hasOwn(found?.variables ?? {}, name));
  if (unused !== undefined)
    return refuse(
      `user_credentials.variables.${unused.slice(0, 64)}`,
      'expected a name that stands in braces in a header or in remote_url',
    );
  return found;
}

/** The same of a registry's remote: what of it cannot be used is left out. */
export function userCredentialsOf(
  remote: Fields | undefined,
  remoteUrl: string | null,
): UserCredentials | null {
  const { headers, variables: ofUrl } = remote ?? {};
  const variables: Record<string, unknown> = { ...(isObject(ofUrl) && ofUrl) };
  const templates: Record<string, string> = {};
  for (const header of Array.isArray(headers) ? headers.filter(isObject) : []) {
    const { name, value } = header;
    if (typeof name !== 'string') continue;
    const said = orNull(() => ({
      field: headerName(name, 'headers'),
      template: templateOf(value ?? `{${name}}`, 'headers'),
    }));
    if (said === null) continue;
    templates[said.field] = said.template;
    const inner = isObject(header.variables) ? header.variables : { [name]: header };
    for (const [each, variable] of Object.entries(inner)) variables[each] ??= withParent(variable, header);
  }
  return orNull(() => toCredentials(templates, remoteUrl, variables));
}

function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return null;
  }
}

/** What is said of a header holds for its variables, where they do not say it themselves. */
function withParent(variable: unknown, header: Fields): unknown {
  const isSecret = header.isSecret ?? header.is_secret;
  const isRequired = header.isRequired ?? header.is_required ?? false;
  return { isSecret, isRequired, ...(isObject(variable) && variable) };
}

/** null: nobody is asked for anything. */
function toCredentials(
  templates: Readonly<Record<string, string>>,
  remoteUrl: string | null,
  declared: Fields,
): UserCredentials | null {
  const headers = Object.fromEntries(
    Object.entries(templates).filter(([, template]) => placeholdersIn(template).length > 0),
  );
  const inUrl = placeholdersIn(remoteUrl ?? '');
  const names = [...new Set([...inUrl, ...Object.values(headers).flatMap(placeholdersIn)])];
  if (names.length === 0) return null;
  if (names.length > maxVariables)
    return refuse('user_credentials', `expected at most ${maxVariables} values`);
  const variables = names.map((name) => {
    if (!variableName.test(name))
      return refuse('user_credentials', `expected names in braces of letters, digits, _, . and -`);
    const said = Object.hasOwn(declared, name) ? declared[name] : undefined;
    const asked = variableOf(said, name, !inUrl.includes(name));
    // A URL with a gap in it is none.
    return [name, inUrl.includes(name) ? { ...asked, required: asked.default === null } : asked] as const;
  });
  return { headers, variables: Object.fromEntries(variables) };
}

function variableOf(value: unknown, name: string, inHeader: boolean): UserVariable {
  const field = `user_credentials.variables.${name}`;
  const said = value ?? {};
  if (!isObject(said)) return refuse(field, 'expected an object');
  const secret = said.secret ?? said.isSecret ?? said.is_secret;
  const required = said.required ?? said.isRequired ?? said.is_required;
  const { choices = [] } = said;
  if (!Array.isArray(choices) || choices.length > maxChoices || !choices.every(isShortText))
    return refuse(`${field}.choices`, `expected an array of at most ${maxChoices} texts`);
  return {
    description: describe(said.description, `${field}.description`, []).slice(0, 500),
    // What is not said to be needed may still be all that a header has.
    required: typeof required === 'boolean' ? required : true,
    secret: typeof secret === 'boolean' ? secret : inHeader || /key|token|secret|passw/i.test(name),
    default: isShortText(said.default) && said.default !== '' ? cleanText(said.default) : null,
    choices,
  };
}

function isShortText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= maxTemplate;
}

function templateOf(value: unknown, field: string): string {
  if (typeof value !== 'string' || value.length > maxTemplate || !/^[\x20-\x7e]+$/.test(value))
    return refuse(field, `expected a text with {names} in it, of at most ${maxTemplate} characters`);
  return value.trim();
}

const keyAlgorithms: readonly unknown[] = ['ES256', 'RS256', 'PS256', 'EdDSA'];
const login = 'client_credentials';

/** `client_credentials`: how the operator lets us sign in at a server's authorization server. Throws `invalid_request`. */
export function parseMachineLogin(value: unknown): MachineLogin | null {
  if (value === undefined || value === null) return null;
  if (!isObject(value)) return refuse(login, 'expected an object');
  const { issuer, client_id: clientId, scopes = [] } = value;
  const { client_secret: secret, client_key: key, workload_token: workload } = value;
  if (!isShortText(issuer) || !/^https?:$/.test(URL.parse(issuer)?.protocol ?? ''))
    return refuse(`${login}.issuer`, 'expected the http(s) URL of the authorization server');
  if ([secret, key, workload].filter((each) => each !== undefined).length !== 1)
    return refuse(`${login}.client_secret`, 'expected this or client_key or workload_token, one of them');
  return {
    issuer,
    clientId: filledText(clientId, `${login}.client_id`),
    clientSecret: secret === undefined ? null : filledText(secret, `${login}.client_secret`),
    clientKey: key === undefined ? null : privateKey(key),
    ...(workload !== undefined && { workloadToken: fileName(workload) }),
    scopes: scopeList(scopes),
  };
}

function filledText(value: unknown, field: string): string {
  return isShortText(value) && value !== '' ? value : refuse(field, 'expected a text');
}

/** Of a folder that the operator named: it leads nowhere else (threats N15). */
function fileName(value: unknown): string {
  return typeof value === 'string' && /^[A-Za-z0-9][\w.-]{0,199}$/.test(value)
    ? value
    : refuse(`${login}.workload_token`, 'expected the name of a file in MCPRANK_WORKLOAD_TOKENS');
}

function privateKey(key: unknown): string {
  if (!isPrivateJwk(key) || !keyAlgorithms.includes(key.alg))
    return refuse(
      `${login}.client_key`,
      'expected a private JWK, whole, with alg ES256, RS256, PS256 or EdDSA',
    );
  return JSON.stringify(key);
}

function scopeList(scopes: unknown): readonly string[] {
  const isScope = (scope: unknown) => typeof scope === 'string' && /^[\x21-\x7e]{1,300}$/.test(scope);
  if (!Array.isArray(scopes) || !scopes.every(isScope))
    return refuse(`${login}.scopes`, 'expected an array of texts without spaces');
  return scopes;
}
