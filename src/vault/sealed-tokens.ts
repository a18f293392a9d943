import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, randomBytes } from 'node:crypto';
import { createBoundedCache } from '../base/bounded-cache.ts';
import type { Clock } from '../base/clock.ts';
import { authTagLength, ivBytes } from './wrappers/key-wrapper.ts';

/** Short-lived sealed texts that we hand out and take back: cookies, session ids, continuations. */
export type SealedTokens = {
  /** `binding` is compared, not contained: whoever opens must know it. */
  seal(text: string, binding: string, lifeMs: number): string;
  /** The text, or null when it is not ours, was changed, is bound to something else, or is over. */
  open(sealed: string, binding: string): string | null;
};

/** What opening one said, and until when that holds. */
type Opened = { readonly text: string | null; readonly endsAt: number };

/** A session's id comes with each of its requests. A thousand idle sessions fit; larger tokens than these are used once. */
const rememberedTokens = 2_000;
const rememberedLength = 2_000;
const never: Opened = { text: null, endsAt: Number.POSITIVE_INFINITY };

const version = 't1';
const timeBytes = 6;
/** Part of every key: another text would make every token that is out unreadable. */
const keyInfo = 'mcprank tickets v1';

/** Keys by kid; a sealed token's key is derived from the vault's (RFC 5869), so it is the same after a restart and in every replica. */
export function createSealedTokens(seeds: ReadonlyMap<string, Buffer>, clock: Clock): SealedTokens {
  const keys = new Map(
    [...seeds].map(([kid, seed]) => [
      kid,
      // Made once: from a buffer, each use would make one anew.
      createSecretKey(Buffer.from(hkdfSync('sha256', seed, Buffer.alloc(0), keyInfo, 32))),
    ]),
  );
  const [first = ['', createSecretKey(Buffer.alloc(32))] as const] = keys;
  const aad = (kid: string, binding: string, time: Buffer) =>
    Buffer.concat([Buffer.from(`${version}\n${kid}\n${binding}\n`), time]);

  const remembered = createBoundedCache<Opened>(rememberedTokens);
  const openAnew = (sealed: string, binding: string): Opened => {
    const [prefix, kid = '', text = ''] = sealed.split('.');
    const key = keys.get(kid);
    const bytes = Buffer.from(text, 'base64url');
    const start = timeBytes + ivBytes + authTagLength;
    const isWhole = `${version}.${kid}.${bytes.toString('base64url')}` === sealed;
    if (prefix !== version || key === undefined || bytes.length < start || !isWhole) return never;
    const time = bytes.subarray(0, timeBytes);
    const iv = bytes.subarray(timeBytes, timeBytes + ivBytes);
    const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength });
    decipher.setAAD(aad(kid, binding, time));
    decipher.setAuthTag(bytes.subarray(timeBytes + ivBytes, start));
    try {
      const opened = decipher.update(bytes.subarray(start), undefined, 'utf8') + decipher.final('utf8');
      return { text: opened, endsAt: time.readUIntBE(0, timeBytes) };
    } catch {
      return never;
    }
  };

  return {
    seal(text, binding, lifeMs) {
      const [kid, key] = first;
      const time = Buffer.alloc(timeBytes);
      time.writeUIntBE(clock.now() + lifeMs, 0, timeBytes);
      const iv = randomBytes(ivBytes);
      const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength });
      cipher.setAAD(aad(kid, binding, time));
      const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      const bytes = Buffer.concat([time, iv, cipher.getAuthTag(), sealed]);
      return `${version}.${kid}.${bytes.toString('base64url')}`;
    },
    open(sealed, binding) {
      // The length keeps one pair from reading as another.
      const name = `${binding.length} ${binding}${sealed}`;
      let opened = remembered.get(name);
      if (opened === undefined) {
        opened = openAnew(sealed, binding);
        if (name.length <= rememberedLength) remembered.set(name, opened);
      }
      return opened.endsAt < clock.now() ? null : opened.text;
    },
  };
}
