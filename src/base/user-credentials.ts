import { Problem } from './problem.ts';

/**
 * What each user brings for a server of the catalogue: header fields, and parts of its URL, with `{name}` where a value of
 * theirs goes (server.json: `headers` and `variables` of a remote).
 */
export type UserCredentials = {
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  /** By name, in the order in which they are asked for. */
  readonly variables: Readonly<Record<string, UserVariable>>;
};
export type UserVariable = {
  readonly description: string;
  readonly required: boolean;
  /** Not shown while it is typed. */
  readonly secret: boolean;
  readonly default: string | null;
  /** Empty: any text. */
  readonly choices: readonly string[];
};

/** A server as one user reaches it. */
export type FilledIn = { readonly url: string; readonly headers: Readonly<Record<string, string>> };

const maxValue = 8_192;
const placeholder = /\{([^{}]*)\}/g;

/** What a server is asked with that wants a key and does not say how. */
export const usualCredentials: UserCredentials = {
  headers: { authorization: 'Bearer {api_key}' },
  variables: { api_key: { description: '', required: true, secret: true, default: null, choices: [] } },
};

/** The names that stand in braces, each once. */
export function placeholdersIn(text: string): readonly string[] {
  return [...new Set([...text.matchAll(placeholder)].map(([, name = '']) => name))];
}

/** Whether what a user types decides whom we speak to. */
export function namesHost(url: string): boolean {
  return partsOf(url).authority.includes('{');
}

/** Puts a user's values in. Throws `invalid_request`, which names the value and never shows it. */
export function fillIn(
  { headers, variables }: UserCredentials,
  url: string,
  values: Readonly<Record<string, string>>,
): FilledIn {
  const unknown = Object.keys(values).find((name) => !Object.hasOwn(variables, name));
  if (unknown !== undefined) {
    const expected = Object.keys(variables).join(', ');
    throw new Problem('invalid_request', `values.${shown(unknown)}: unknown; expected ${expected}`);
  }
  const given = new Map(
    Object.entries(variables).flatMap(([name, variable]) => {
      const sent = Object.hasOwn(values, name) ? values[name] : undefined;
      const value = checkedValue(name, variable, sent);
      return value === null ? [] : [[name, value] as const];
    }),
  );
  return { url: filledUrl(url, given), headers: filledHeaders(headers, given) };
}

function checkedValue(name: string, variable: UserVariable, sent: string | undefined): string | null {
  const value = (sent ?? '').trim() || variable.default;
  if (value === null) {
    if (variable.required) throw new Problem('invalid_request', `values.${name}: required; expected a text`);
    return null;
  }
  if (value.length > maxValue || !/^[\x20-\x7e\x80-\xff]+$/.test(value))
    throw new Problem(
      'invalid_request',
      `values.${name}: expected a text without line breaks of at most ${maxValue} characters`,
    );
  if (variable.choices.length > 0 && !variable.choices.includes(value))
    throw new Problem('invalid_request', `values.${name}: expected one of ${variable.choices.join(', ')}`);
  return value;
}

/** A field whose values the user left out is left out. */
function filledHeaders(
  headers: UserCredentials['headers'],
  given: ReadonlyMap<string, string>,
): FilledIn['headers'] {
  const filled = Object.entries(headers).flatMap(([name, template]) => {
    if (placeholdersIn(template).some((each) => !given.has(each))) return [];
    const value = template.replace(placeholder, (_, each: string) => given.get(each) ?? '');
    // A key alone is what people paste; the field has a scheme before it (RFC 9110 section 11.6.2).
    const isBare = name === 'authorization' && /^\S+$/.test(value);
    return [[name, isBare ? `Bearer ${value}` : value]];
  });
  return Object.fromEntries(filled) as Record<string, string>;
}

/** A value stays within the part of the URL in which it stands: none leads to another host or another path (threats N14). */
function filledUrl(template: string, given: ReadonlyMap<string, string>): string {
  const { scheme, authority, rest } = partsOf(template);
  const missing = placeholdersIn(template).find((name) => !given.has(name));
  if (missing !== undefined)
    throw new Problem('invalid_request', `values.${missing}: required; expected a text`);
  const host = authority.replace(placeholder, (_, name: string) => {
    const value = given.get(name) ?? '';
    if (!/^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})(?::\d{1,5})?$/.test(value))
      throw new Problem('invalid_request', `values.${name}: expected a part of a host name`);
    return value;
  });
  const path = rest.replace(placeholder, (_, name: string) => {
    const value = given.get(name) ?? '';
    if (/^\.{1,2}$/.test(value))
      throw new Problem('invalid_request', `values.${name}: expected a part of a path`);
    return encodeURIComponent(value);
  });
  const url = `${scheme}${host}${path}`;
  if (URL.parse(url) === null) throw new Problem('invalid_request', 'values: the URL that they make is none');
  return url;
}

function partsOf(url: string): { scheme: string; authority: string; rest: string } {
  const [, scheme = '', authority = '', rest = ''] = /^(https?:\/\/)([^/?#]*)(.*)$/is.exec(url) ?? [];
  return { scheme, authority, rest };
}

function shown(name: string): string {
  return name.slice(0, 64).replace(/[^\x20-\x7e]/g, '?');
}
