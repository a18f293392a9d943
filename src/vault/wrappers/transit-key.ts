import { Problem } from '../../base/problem.ts';
import type { Secret } from '../../base/secret.ts';
import type { KeyWrapper } from './key-wrapper.ts';

/** The one call this needs of the network; the outbound room offers it. */
export type Post = (request: {
  readonly method: 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly timeoutMs: number;
  readonly maxBytes: number;
}) => Promise<{ readonly status: number; readonly body: Buffer }>;

const timeoutMs = 5_000;
const maxBytes = 65_536;

/**
 * A key of HashiCorp Vault's or OpenBao's transit engine, `https://HOST/v1/MOUNT/keys/NAME`
 * (https://openbao.org/api-docs/secret/transit): the key never leaves the service.
 */
export function transitWrapper(options: {
  readonly kid: string;
  readonly keyUrl: string;
  readonly token: Secret;
  readonly post: Post;
}): KeyWrapper {
  const { kid, keyUrl, token, post } = options;
  const ask = async (verb: 'encrypt' | 'decrypt', fields: Readonly<Record<string, string>>) => {
    const reply = await post({
      method: 'POST',
      url: keyUrl.replace(/\/keys\/([^/]+)$/, `/${verb}/$1`),
      headers: { 'x-vault-token': token.reveal(), 'content-type': 'application/json' },
      body: JSON.stringify(fields),
      timeoutMs,
      maxBytes,
    }).catch((cause: unknown) => {
      throw away(kid, cause);
    });
    // 400 means the bytes are not right; anything else says that the service cannot be used now.
    if (reply.status === 400) throw new Error(`transit refuses to ${verb}: status 400`);
    if (reply.status !== 200) throw away(kid, new Error(`transit answers ${reply.status}`));
    return parseField(reply.body, verb === 'encrypt' ? 'ciphertext' : 'plaintext', kid);
  };

  return {
    kid,
    async wrap(dataKey, context) {
      const fields = { plaintext: dataKey.toString('base64'), associated_data: base64(context) };
      return Buffer.from(await ask('encrypt', fields));
    },
    async unwrap(wrapped, context) {
      const fields = { ciphertext: wrapped.toString('utf8'), associated_data: base64(context) };
      return Buffer.from(await ask('decrypt', fields), 'base64');
    },
  };
}

/** What every key service's absence reads like; the cause goes to the log. */
export function away(kid: string, cause: unknown): Problem {
  return new Problem('unavailable', `The key service of vault key ${kid} does not answer`, {
    cause,
    retryAfterMs: 1_000,
  });
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function parseField(body: Buffer, field: string, kid: string): string {
  try {
    const { data } = JSON.parse(body.toString('utf8')) as { data?: Record<string, unknown> };
    const value = data?.[field];
    if (typeof value === 'string') return value;
  } catch (cause) {
    throw away(kid, cause);
  }
  throw away(kid, new Error(`transit answers without ${field}`));
}
