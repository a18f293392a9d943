import type { JsonObject } from '../../base/json.ts';

/** Who gave the consent, as the provider knows them. */
export type Account = {
  readonly id: string;
  /** For people: an e-mail address or a name. */
  readonly label: string | null;
  readonly email: string | null;
  readonly domain: string | null;
};

/** Names of the fields of an ID token or a userinfo reply; of several the first that is there. */
export type AccountFields = Readonly<Record<keyof Account, readonly string[]>>;

/** No provider told us: then there is one account per user and provider. */
export const unknownAccount: Account = { id: '', label: null, email: null, domain: null };

/** The names of OpenID Connect, GitHub, Microsoft Graph and Slack, in that order. */
export const commonAccountFields: AccountFields = {
  id: ['sub', 'id', 'user_id'],
  label: ['email', 'mail', 'userPrincipalName', 'login', 'user', 'name'],
  email: ['email', 'mail', 'userPrincipalName'],
  domain: ['hd'],
};

export function toAccount(reply: JsonObject, fields: AccountFields): Account {
  return {
    id: firstText(reply, fields.id) ?? '',
    label: firstText(reply, fields.label),
    // An address that the provider did not verify says nothing about who this is.
    email: reply.email_verified === false ? null : firstText(reply, fields.email),
    domain: firstText(reply, fields.domain),
  };
}

function firstText(reply: JsonObject, names: readonly string[]): string | null {
  for (const name of names) {
    const value = reply[name];
    if (typeof value === 'string' && value !== '') return value.slice(0, 300);
    if (typeof value === 'number') return String(value);
  }
  return null;
}
