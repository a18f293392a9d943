import type { JsonObject } from '../../base/json.ts';
import { Problem } from '../../base/problem.ts';
import type { Secret } from '../../base/secret.ts';
import { type AccountFields, commonAccountFields } from './account.ts';
import { googleApiRules, type ProviderApi } from './provider-api.ts';

/** How a client shows who it is at the token endpoint (RFC 6749 section 2.3, RFC 8414). */
export type ClientAuth = 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt' | 'none';

/** Everything about one provider stands in its row. */
export type Provider = ProviderApi & {
  /** As people call it. */
  readonly title: string;
  readonly clientId: string | null;
  readonly clientSecret: Secret | null;
  /** A private JWK as JSON, for `private_key_jwt` (RFC 7523): the provider knows its public half. */
  readonly clientKey: Secret | null;
  /** null: by the metadata of the issuer, or `client_secret_post`. */
  readonly clientAuth: ClientAuth | null;
  /** Settings that name client id and secret, beside the row in MCPRANK_PROVIDERS. */
  readonly clientSettings: string | null;
  /** With an issuer and without the two URLs, they are looked up at the issuer (RFC 8414). */
  readonly issuer: string | null;
  readonly authorizationUrl: string | null;
  readonly tokenUrl: string | null;
  /** null: the provider has no RFC 7009; its tokens are only forgotten here. */
  readonly revocationUrl: string | null;
  readonly userinfoUrl: string | null;
  readonly jwksUrl: string | null;
  /** Asked for when a session names none. */
  readonly scopes: readonly string[];
  readonly scopeParameter: string;
  /** What parts the scopes that a token reply names. */
  readonly scopeSeparator: RegExp;
  /** Added to the authorization URL. */
  readonly authorizationParams: Readonly<Record<string, string>>;
  /**
   * What `offline_access` goes with (OpenID Connect Core section 11): without it, it is dropped without a word. null: this
   * provider gives refresh tokens without, and would ask users for what their administrator has agreed to.
   */
  readonly offlinePrompt: 'consent' | null;
  /** Where ID token and userinfo reply say whose account it is. */
  readonly accountFields: AccountFields;
  /** Makes a token reply of the provider's own form a standard one (RFC 6749 section 5). */
  readonly toStandardReply?: (body: JsonObject) => JsonObject;
};

export const blankProvider: Omit<Provider, 'name' | 'title'> = {
  clientId: null,
  clientSecret: null,
  clientKey: null,
  clientAuth: null,
  clientSettings: null,
  issuer: null,
  authorizationUrl: null,
  tokenUrl: null,
  revocationUrl: null,
  userinfoUrl: null,
  jwksUrl: null,
  scopes: [],
  scopeParameter: 'scope',
  // RFC 6749 section 3.3 says spaces; more than one provider says commas.
  scopeSeparator: /[ ,]+/,
  authorizationParams: {},
  offlinePrompt: 'consent',
  accountFields: commonAccountFields,
  defaultOrigin: null,
  routes: [],
  scopesByPrefix: {},
  ...googleApiRules,
};

/** Known by its row, and nobody can be connected before the operator has given a client: no user can mend that. */
export class ProviderNotConfigured extends Problem {}

/** The provider, if the operator has given what it takes to connect somebody; throws what to do about it otherwise. */
export function requireConfigured(provider: Provider): Provider & { readonly clientId: string } {
  const { name, clientId, clientSettings } = provider;
  if (clientId !== null) return { ...provider, clientId };
  const settings = clientSettings === null ? '' : `${clientSettings}, or `;
  throw new ProviderNotConfigured(
    'invalid_request',
    `provider: ${name} is not configured here: its client id and secret are missing (set ${settings}its row in MCPRANK_PROVIDERS)`,
  );
}

/** What is there for users to be connected, as its operator sees it. */
export type ProviderSetup = {
  readonly name: string;
  readonly title: string;
  /** Asked for when a session names none. */
  readonly scopes: readonly string[];
  /** Each in words, with where it is set; nobody can be connected before all of it is there. */
  readonly missing: readonly string[];
};

/** A row of MCPRANK_PROVIDERS is whole or refused at the start; a built-in one may want a client. */
export function setupOf({ name, title, scopes, clientId, clientSettings }: Provider): ProviderSetup {
  const settings = clientSettings === null ? '' : `${clientSettings}, or `;
  const missing = clientId === null ? [`client id and secret: ${settings}its row in MCPRANK_PROVIDERS`] : [];
  return { name, title, scopes, missing };
}

/** RFC 6749 section 3.3: printable ASCII without space, quote and backslash. */
export function isScope(value: string): boolean {
  return /^[\x21\x23-\x5b\x5d-\x7e]{1,300}$/.test(value);
}
