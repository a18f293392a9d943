/** Names of a user's accounts go by a header field: visible ASCII, spaces within. */
export const accountNameForm = 'expected 1 to 100 ASCII characters, without spaces around them';

export function isAccountName(name: string): boolean {
  return name.length <= 100 && /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(name);
}
