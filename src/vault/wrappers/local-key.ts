import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { authTagLength, ivBytes, type KeyWrapper } from './key-wrapper.ts';

/** A key held by this process: 32 bytes. */
export type VaultKey = { readonly kid: string; readonly key: Buffer };

/** AES-256-GCM under our own key. */
export function localWrapper({ kid, key }: VaultKey): KeyWrapper {
  return {
    kid,
    async wrap(dataKey, context) {
      const iv = randomBytes(ivBytes);
      const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength });
      cipher.setAAD(Buffer.from(context));
      const wrapped = Buffer.concat([cipher.update(dataKey), cipher.final()]);
      return Buffer.concat([iv, cipher.getAuthTag(), wrapped]);
    },
    async unwrap(wrapped, context) {
      if (wrapped.length <= ivBytes + authTagLength) throw new Error('a wrapped key is cut short');
      const decipher = createDecipheriv('aes-256-gcm', key, wrapped.subarray(0, ivBytes), { authTagLength });
      decipher.setAAD(Buffer.from(context));
      decipher.setAuthTag(wrapped.subarray(ivBytes, ivBytes + authTagLength));
      return Buffer.concat([decipher.update(wrapped.subarray(ivBytes + authTagLength)), decipher.final()]);
    },
  };
}
