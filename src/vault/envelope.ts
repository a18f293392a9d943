import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { Problem } from '../base/problem.ts';
import { createSealedTokens, type SealedTokens } from './sealed-tokens.ts';
import { authTagLength, ivBytes, type KeyWrapper } from './wrappers/key-wrapper.ts';
import { localWrapper, type VaultKey } from './wrappers/local-key.ts';

/** Where a text belongs, part by part: purpose, developer, user, provider, account, row id, field, row version … (threats K2). */
export type Binding = readonly string[];

export type Vault = {
  /** Seals a text for one place: the binding is compared on open, never contained. Answers `v1.<kid>.<…>`. */
  seal(plain: string, binding: Binding): Promise<string>;
  /** Throws `internal` with a cause that says why, never returns wrong text. */
  open(sealed: string, binding: Binding): Promise<string>;
  /** The same text under the first key; null when it is already. Only the wrapped data key changes. */
  rewrap(sealed: string): Promise<string | null>;
  /** What every text begins with that was sealed under the first key. */
  readonly prefix: string;
  /** The ids of all keys, the one that seals first. */
  readonly kids: readonly string[];
  /** For what is handed out and comes back within minutes. */
  readonly sealedTokens: SealedTokens;
};

export type VaultOptions = {
  /** The first one seals; all of them open. */
  readonly keys: readonly (VaultKey | KeyWrapper)[];
  readonly clock: Clock;
  /** By kid, what the keys of sealed tokens are derived from where the key itself never comes to us (a key service). */
  readonly tokenSeeds?: ReadonlyMap<string, Buffer>;
};

const version = 'v1';
const dataKeyBytes = 32;
/** Keeps a data key of ours from being unwrapped as something else that the same key wrapped. */
const context = 'mcprank vault v1';

export function createVault({ keys, clock, tokenSeeds = new Map() }: VaultOptions): Vault {
  const wrappers = new Map(
    keys.map((key) => {
      const wrapper = 'key' in key ? localWrapper(key) : key;
      return [wrapper.kid, wrapper];
    }),
  );
  const [first] = wrappers.values();
  if (first === undefined) throw new Error('a vault needs a key');
  const seeds = new Map(
    keys.map((key) => [key.kid, 'key' in key ? key.key : (tokenSeeds.get(key.kid) ?? randomBytes(32))]),
  );

  const unwrapped = async (sealed: string) => {
    const { kid, wrapped, body } = parseSealed(sealed);
    const wrapper = wrappers.get(kid);
    if (wrapper === undefined)
      throw decryptFailed(`sealed under the vault key ${kid}, which is not configured`);
    return { dataKey: await wrapper.unwrap(wrapped, context).catch(toUnwrapFailure), kid, body };
  };

  return {
    async seal(plain, binding) {
      const dataKey = randomBytes(dataKeyBytes);
      const body = encrypt(dataKey, plain, binding);
      return join(first.kid, await first.wrap(dataKey, context), body);
    },
    async open(sealed, binding) {
      const { dataKey, body } = await unwrapped(sealed);
      return decrypt(dataKey, body, binding);
    },
    async rewrap(sealed) {
      if (parseSealed(sealed).kid === first.kid) return null;
      const { dataKey, body } = await unwrapped(sealed);
      return join(first.kid, await first.wrap(dataKey, context), body);
    },
    prefix: `${version}.${first.kid}.`,
    kids: [...wrappers.keys()],
    sealedTokens: createSealedTokens(seeds, clock),
  };
}

/** A JSON array tells `['ab','c']` from `['a','bc']`; the version stands before it so that forms never mix. */
function aadOf(binding: Binding): Buffer {
  return Buffer.from(`${version}\n${JSON.stringify(binding)}`);
}

function encrypt(key: Buffer, plain: string, binding: Binding): Buffer {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength });
  cipher.setAAD(aadOf(binding));
  const sealed = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), sealed]);
}

function decrypt(key: Buffer, body: Buffer, binding: Binding): string {
  if (body.length < ivBytes + authTagLength) throw decryptFailed('cut short');
  const decipher = createDecipheriv('aes-256-gcm', key, body.subarray(0, ivBytes), { authTagLength });
  decipher.setAAD(aadOf(binding));
  decipher.setAuthTag(body.subarray(ivBytes, ivBytes + authTagLength));
  try {
    return (
      decipher.update(body.subarray(ivBytes + authTagLength), undefined, 'utf8') + decipher.final('utf8')
    );
  } catch {
    throw decryptFailed('changed, or sealed for another place');
  }
}

function join(kid: string, wrapped: Buffer, body: Buffer): string {
  return [version, kid, wrapped.toString('base64url'), body.toString('base64url')].join('.');
}

function parseSealed(sealed: string): { kid: string; wrapped: Buffer; body: Buffer } {
  const [form, kid, wrapped, body, ...rest] = sealed.split('.');
  if (form !== version || !kid || !wrapped || !body || rest.length > 0)
    throw decryptFailed('not a sealed text');
  return { kid, wrapped: Buffer.from(wrapped, 'base64url'), body: Buffer.from(body, 'base64url') };
}

/** A key service that is away throws its own Problem; any other refusal to unwrap means the wrapped key is not right. */
function toUnwrapFailure(error: unknown): never {
  if (error instanceof Problem) throw error;
  throw decryptFailed('the data key does not unwrap: changed, or another key under the same kid', error);
}

function decryptFailed(why: string, cause?: unknown): Problem {
  return new Problem('internal', 'A sealed value cannot be opened', { cause: new Error(why, { cause }) });
}
