/** What a provider's prefix needs, as far as we know: one of these scopes, or any that begins with one ending in `*`. */
type ScopeRow = { readonly provider: string; readonly prefix: string; readonly anyOf: readonly string[] };

const google = 'https://www.googleapis.com/auth/';
const wholeMail = 'https://mail.google.com/';

/**
 * Only families of scopes: which method needs which one is the provider's business, but a token without any of the
 * family is refused in every case, and here the user can be told what to do about it.
 */
const table: readonly ScopeRow[] = [
  { provider: 'google', prefix: 'gmail/v1', anyOf: [wholeMail, `${google}gmail.*`] },
  { provider: 'google', prefix: 'calendar/v3', anyOf: [`${google}calendar*`] },
  { provider: 'google', prefix: 'drive/v3', anyOf: [`${google}drive*`] },
  {
    provider: 'google',
    prefix: 'v4/spreadsheets',
    anyOf: [`${google}spreadsheets*`, `${google}drive*`],
  },
  { provider: 'google', prefix: 'v1/documents', anyOf: [`${google}documents*`, `${google}drive*`] },
  { provider: 'google', prefix: 'tasks/v1', anyOf: [`${google}tasks*`] },
  { provider: 'google', prefix: 'youtube/v3', anyOf: [`${google}youtube*`] },
];

/** The scopes one of which is missing, or null when the call may go; what is not known may go. */
export function missingScopes(
  provider: string,
  prefix: string | null,
  granted: readonly string[],
): readonly string[] | null {
  if (granted.length === 0 || prefix === null) return null;
  const api = prefix.replace(/^(resumable\/)?upload\//, '');
  const row = table.find((each) => each.provider === provider && each.prefix === api);
  if (row === undefined || granted.some((scope) => row.anyOf.some((wanted) => covers(wanted, scope))))
    return null;
  return row.anyOf;
}

function covers(wanted: string, scope: string): boolean {
  return wanted.endsWith('*') ? scope.startsWith(wanted.slice(0, -1)) : scope === wanted;
}
