import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** What a refresh token says: its family, and which of the family's tokens it is. */
export type RefreshToken = { readonly family: string; readonly generation: number; readonly mac: Buffer };

const familyBytes = 16;
const generationBytes = 4;
const macBytes = 32;
const familyPrefix = 'fam_';
const tokenPrefix = 'rt_';

/**
 * A refresh token is `rt_` and 52 bytes: family, generation, and 256 bits that only who holds the root key *and* the
 * family's salt (it rests in the store) can make. So the successor of a token can be told again after a lost reply
 * without being stored anywhere in clear (threats I1, I3).
 */
export function refreshTokenText(root: Buffer, salt: string, family: string, generation: number): string {
  const head = headOf(family, generation);
  return tokenPrefix + Buffer.concat([head, macOf(root, salt, head)]).toString('base64url');
}

/** Null when the text has not the form of one. */
export function parseRefreshToken(text: string): RefreshToken | null {
  if (!/^rt_[A-Za-z0-9_-]{70}$/.test(text)) return null;
  const bytes = Buffer.from(text.slice(tokenPrefix.length), 'base64url');
  if (bytes.length !== familyBytes + generationBytes + macBytes) return null;
  return {
    family: familyPrefix + bytes.toString('hex', 0, familyBytes),
    generation: bytes.readUInt32BE(familyBytes),
    mac: bytes.subarray(familyBytes + generationBytes),
  };
}

export function isGenuine(token: RefreshToken, root: Buffer, salt: string): boolean {
  return timingSafeEqual(token.mac, macOf(root, salt, headOf(token.family, token.generation)));
}

export function newSalt(): string {
  return randomBytes(macBytes).toString('base64url');
}

function headOf(family: string, generation: number): Buffer {
  const head = Buffer.alloc(familyBytes + generationBytes);
  head.write(family.slice(familyPrefix.length), 0, 'hex');
  head.writeUInt32BE(generation, familyBytes);
  return head;
}

function macOf(root: Buffer, salt: string, head: Buffer): Buffer {
  return createHmac('sha256', root).update(Buffer.from(salt, 'base64url')).update(head).digest();
}
