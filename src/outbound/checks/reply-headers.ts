import type { ReplyHeaders } from '../outbound-model.ts';

type Fields = Record<string, string | string[] | undefined>;

/**
 * What undici's parser lets pass and we do not (RFC 9112 section 11.2): a reply that two readers might end in different
 * places, and another protocol. It refuses by itself two lengths, a length beside a transfer-encoding, bare line feeds,
 * folded lines and whatever is no field.
 */
export function checkReply(status: number, headers: ReplyHeaders): void {
  if (status === 101) throw new Error('it switches protocols unasked');
  trimValues(headers as Fields);
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && (typeof coding !== 'string' || coding.toLowerCase() !== 'chunked'))
    throw new Error('its transfer-encoding is not chunked');
}

/** Space at the end of a value is not part of it (RFC 9112 section 5); the parser leaves it there. */
function trimValues(headers: Fields): void {
  for (const name in headers) {
    const value = headers[name];
    if (typeof value === 'string') headers[name] = trimmed(value);
    else if (value !== undefined) headers[name] = value.map(trimmed);
  }
}

function trimmed(value: string): string {
  let end = value.length;
  while (end > 0 && isSpace(value.charCodeAt(end - 1))) end--;
  return end === value.length ? value : value.slice(0, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
