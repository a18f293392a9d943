/** How an app may name a user: opaque to us, but not blank, and nothing that could hide in a log or a page. */
export const userIdPattern = '^(?=.*\\S)[^\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}]{1,256}$';
/** The same in words. */
export const userIdForm = '1 to 256 printable characters';

const form = new RegExp(userIdPattern, 'u');

export function isUserId(text: string): boolean {
  return form.test(text);
}
