/** How an app may name a user: opaque to us, but not blank, and nothing that could hide in a log or a page. */
export const userIdPattern = printablePattern(256);
/** The same in words. */
export const userIdForm = printableForm(256);

const form = new RegExp(userIdPattern, 'u');

export function isUserId(text: string): boolean {
  return form.test(text);
}

/** Neither blank, nor with what hides or turns around what stands beside it. */
export function printablePattern(maxLength: number): string {
  return `^(?=.*\\S)[^\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}]{1,${maxLength}}$`;
}

export function printableForm(maxLength: number): string {
  return `1 to ${maxLength} printable characters`;
}
