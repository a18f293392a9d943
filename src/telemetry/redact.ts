/** Texts that are secrets whatever field they stand in: our own keys and tokens, bearer values, JWTs, passwords in URLs. */
const secretTexts: readonly (readonly [RegExp, string])[] = [
  [/sk_mcp_rank_[0-9a-f]{8,}/g, 'sk_mcp_rank_[secret]'],
  [/\brt_[A-Za-z0-9_-]{16,}/g, 'rt_[secret]'],
  [/\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g, '[jwt]'],
  [/\b(Bearer|Basic) [A-Za-z0-9._~+/=-]{8,}/gi, '$1 [secret]'],
  [/(:\/\/[^\s/:@"]*):[^\s/@"]+@/g, '$1:[secret]@'],
];

export function redactText(text: string): string {
  let redacted = text;
  for (const [pattern, replacement] of secretTexts) redacted = redacted.replace(pattern, replacement);
  return redacted;
}
