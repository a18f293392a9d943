import { Problem } from '../../base/problem.ts';
import type { Secret } from '../../base/secret.ts';

/** How a client shows who it is at the token endpoint (RFC 6749 section 2.3, RFC 8414). */
export type ClientAuth = 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt' | 'none';

/** Everything about one provider stands in its row. */
export type Provider = {
  readonly name: string;
  /** As people call it. */
  readonly title: string;
  readonly clientId: string | null;
  readonly clientSecret: Secret | null;
  /** A private JWK as JSON, for `private_key_jwt` (RFC 7523): the provider knows its public half. */
  readonly clientKey: Secret | null;
  /** null: by the metadata of the issuer, or `client_secret_post`. */
  readonly clientAuth: ClientAuth | null;
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
  /** `scope` everywhere but at Slack. */
  readonly scopeParameter: string;
  /** Added to the authorization URL. */
  readonly authorizationParams: Readonly<Record<string, string>>;
  readonly defaultOrigin: string | null;
  readonly routes: readonly { readonly prefix: string; readonly origin: string }[];
  /** Makes a token reply of the provider's own form a standard one (RFC 6749 section 5). */
  readonly standardReply?: (body: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>;
};

export const blankProvider: Omit<Provider, 'name' | 'title'> = {
  clientId: null,
  clientSecret: null,
  clientKey: null,
  clientAuth: null,
  issuer: null,
  authorizationUrl: null,
  tokenUrl: null,
  revocationUrl: null,
  userinfoUrl: null,
  jwksUrl: null,
  scopes: [],
  scopeParameter: 'scope',
  authorizationParams: {},
  defaultOrigin: null,
  routes: [],
};

/** The provider, if the operator has given what it takes to connect somebody; throws what to do about it otherwise. */
export function configured(provider: Provider): Provider & { readonly clientId: string } {
  const { name, clientId } = provider;
  if (clientId !== null) return { ...provider, clientId };
  const short = name === 'google' ? 'GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET, or ' : '';
  throw new Problem(
    'invalid_request',
    `provider: ${name} is not configured here: its client id and secret are missing (set ${short}its row in MCPRANK_PROVIDERS)`,
  );
}
