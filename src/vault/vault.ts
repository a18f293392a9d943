/**
 * Seal and open: authenticated encryption of small texts that leave our hands and come back.
 *
 * Promises: what is sealed cannot be read or changed by whoever holds it; it opens only under the very binding it
 * was sealed under (principal, request, purpose), and not after its time. Stores nothing.
 * The key is random and lives as long as the process: after a restart, or in another process, nothing opens, and the
 * caller is told in words that the thing has expired. Nothing else can fail here.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';

export type Vault = {
  /** `binding` is compared, not contained: whoever opens must know it. */
  seal(text: string, binding: string, lifeMs: number): string;
  /** The text, or null when it is not ours, was changed, is bound to something else, or is over. */
  open(sealed: string, binding: string): string | null;
};

const version = 'v1';
const ivBytes = 12;
/** The whole tag: Node would also accept a truncated one (threats K1). */
const authTagLength = 16;
const timeBytes = 6;

export function createVault(clock: Clock): Vault {
  const key = randomBytes(32);
  const aad = (binding: string, time: Buffer) =>
    Buffer.concat([Buffer.from(`${version}\n${binding}\n`), time]);

  return {
    seal(text, binding, lifeMs) {
      const time = Buffer.alloc(timeBytes);
      time.writeUIntBE(clock.now() + lifeMs, 0, timeBytes);
      const iv = randomBytes(ivBytes);
      const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength });
      cipher.setAAD(aad(binding, time));
      const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return `${version}.${Buffer.concat([time, iv, cipher.getAuthTag(), sealed]).toString('base64url')}`;
    },
    open(sealed, binding) {
      const [prefix, text = ''] = sealed.split('.');
      const bytes = Buffer.from(text, 'base64url');
      const start = timeBytes + ivBytes + authTagLength;
      if (prefix !== version || bytes.length < start || bytes.toString('base64url') !== text) return null;
      const time = bytes.subarray(0, timeBytes);
      if (time.readUIntBE(0, timeBytes) < clock.now()) return null;
      const iv = bytes.subarray(timeBytes, timeBytes + ivBytes);
      const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength });
      decipher.setAAD(aad(binding, time));
      decipher.setAuthTag(bytes.subarray(timeBytes + ivBytes, start));
      try {
        return decipher.update(bytes.subarray(start), undefined, 'utf8') + decipher.final('utf8');
      } catch {
        return null;
      }
    },
  };
}
