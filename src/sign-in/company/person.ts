import { type Role, roles } from '../../access/access.ts';
import { isObject } from '../../base/json.ts';
import type { Secret } from '../../base/secret.ts';

/** The company's OpenID provider, as the operator set it up. */
export type CompanyConfig = {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: Secret | null;
  readonly groupsClaim: string;
  readonly domains: readonly string[];
  readonly developer: string;
  /** Its assertions are taken for tokens. */
  readonly takesAssertions: boolean;
  /** Role in the console by group; `*`: everybody. */
  readonly roles: ReadonlyMap<string, Role>;
};

/** Who it says somebody is. */
export type Person = {
  readonly subject: string;
  readonly name: string | null;
  /** null: it did not say. */
  readonly groups: readonly string[] | null;
  readonly sid: string | null;
};
/** Its people changed, or it is the person who has to sign in again. */
export class PersonGone extends Error {}

/** Throws `PersonGone` for whoever may not come in (any more). */
export function describePerson(config: CompanyConfig, claims: Readonly<Record<string, unknown>>): Person {
  const { sub, email, email_verified: verified, name, preferred_username: login, sid } = claims;
  const address = typeof email === 'string' && verified !== false && verified !== 'false' ? email : null;
  if (!isAtDomain(address, config.domains))
    throw new PersonGone('This account is of no e-mail domain that may sign in here');
  const shown = [address, login, name].find((each) => typeof each === 'string');
  return {
    subject: String(sub),
    name: shown === undefined ? null : String(shown).slice(0, 200),
    groups: groupsOf(config, claims),
    sid: typeof sid === 'string' ? sid : null,
  };
}

function isAtDomain(address: string | null, domains: readonly string[]): boolean {
  if (domains.length === 0) return true;
  const at = address?.lastIndexOf('@') ?? -1;
  return address !== null && at > 0 && domains.includes(address.slice(at + 1).toLowerCase());
}

/** The largest role that one of the groups gives; undefined: none. */
export function roleOf(config: CompanyConfig, groups: readonly string[]): Role | undefined {
  const given = ['*', ...groups].map((group) => config.roles.get(group));
  return roles.findLast((role) => given.includes(role));
}

/** Each is kept with each of their tokens. */
const maxGroups = 5_000;

/**
 * By the claim's whole name, or by a path with dots; Keycloak's groups begin with a slash. null: there is no such claim. Of groups that are
 * not all known those that deny may be missing: throws `PersonGone`.
 */
export function groupsOf(
  { groupsClaim: claim }: Pick<CompanyConfig, 'groupsClaim'>,
  claims: Readonly<Record<string, unknown>>,
): readonly string[] | null {
  const nested = claim
    .split('.')
    .reduce<unknown>((value, name) => (isObject(value) ? value[name] : undefined), claims);
  const found = claims[claim] ?? nested;
  if (found === undefined || found === null) {
    // Entra says so of more than 200 (OpenID Connect Core section 5.6.2).
    if (isObject(claims._claim_names) && Object.hasOwn(claims._claim_names, claim)) throw tooMany();
    return null;
  }
  const names = [found].flat().filter((each) => typeof each === 'string' && each !== '');
  const groups = [...new Set(names.map((each) => String(each).replace(/^\//, '')))].sort();
  if (groups.length > maxGroups) throw tooMany();
  return groups;
}

function tooMany(): PersonGone {
  return new PersonGone(
    'Your company names too many groups of yours: whoever runs its sign-in lets it name those that are for this service',
  );
}
