import { Problem } from '../../base/problem.ts';
import type { KeyWrapper } from './key-wrapper.ts';
import { away } from './transit-key.ts';

/** What we use of the two clouds' clients; tests hand in one of their own. */
export type AwsKms = {
  encrypt(request: {
    KeyId: string;
    Plaintext: Uint8Array;
    EncryptionContext: Record<string, string>;
  }): Promise<{ CiphertextBlob?: Uint8Array }>;
  decrypt(request: {
    KeyId: string;
    CiphertextBlob: Uint8Array;
    EncryptionContext: Record<string, string>;
  }): Promise<{ Plaintext?: Uint8Array }>;
};
export type GcpKms = {
  encrypt(request: {
    name: string;
    plaintext: Uint8Array;
    additionalAuthenticatedData: Uint8Array;
  }): Promise<readonly [{ ciphertext?: Uint8Array | string | null }, ...unknown[]]>;
  decrypt(request: {
    name: string;
    ciphertext: Uint8Array;
    additionalAuthenticatedData: Uint8Array;
  }): Promise<readonly [{ plaintext?: Uint8Array | string | null }, ...unknown[]]>;
};

/** A key of AWS KMS by its ARN; credentials come from where the AWS client looks for them. */
export function awsKmsWrapper(kid: string, arn: string, load: () => Promise<AwsKms>): KeyWrapper {
  const client = once(load);
  return {
    kid,
    async wrap(dataKey, context) {
      const kms = await client();
      const request = { KeyId: arn, Plaintext: dataKey, EncryptionContext: { context } };
      const { CiphertextBlob } = await kms.encrypt(request).catch((cause) => refuse(kid, cause));
      return toBytes(CiphertextBlob, kid);
    },
    async unwrap(wrapped, context) {
      const kms = await client();
      const request = { KeyId: arn, CiphertextBlob: wrapped, EncryptionContext: { context } };
      const { Plaintext } = await kms.decrypt(request).catch((cause) => refuse(kid, cause));
      return toBytes(Plaintext, kid);
    },
  };
}

/** A key of Google Cloud KMS by its resource name. */
export function gcpKmsWrapper(kid: string, name: string, load: () => Promise<GcpKms>): KeyWrapper {
  const client = once(load);
  return {
    kid,
    async wrap(dataKey, context) {
      const kms = await client();
      const request = { name, plaintext: dataKey, additionalAuthenticatedData: Buffer.from(context) };
      const [{ ciphertext }] = await kms.encrypt(request).catch((cause) => refuse(kid, cause));
      return toBytes(ciphertext, kid);
    },
    async unwrap(wrapped, context) {
      const kms = await client();
      const request = { name, ciphertext: wrapped, additionalAuthenticatedData: Buffer.from(context) };
      const [{ plaintext }] = await kms.decrypt(request).catch((cause) => refuse(kid, cause));
      return toBytes(plaintext, kid);
    },
  };
}

/** Loads a package that is none of our dependencies: who uses a cloud's keys installs its client. */
export async function optionalPackage(name: string, kid: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(name)) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    const detail = `MCPRANK_VAULT_KEYS: ${kid} needs the package ${name}: npm install ${name}`;
    throw new Problem('setup', detail, { cause });
  }
}

/** AWS names it InvalidCiphertextException, gRPC says INVALID_ARGUMENT (3): the bytes are not right. Else the service is away. */
function refuse(kid: string, cause: unknown): never {
  const { name, code } = (cause ?? {}) as { name?: unknown; code?: unknown };
  if (name === 'InvalidCiphertextException' || code === 3) throw cause;
  throw away(kid, cause);
}

function toBytes(value: Uint8Array | string | null | undefined, kid: string): Buffer {
  if (value === null || value === undefined)
    throw away(kid, new Error('the key service answers without a value'));
  return typeof value === 'string' ? Buffer.from(value, 'base64') : Buffer.from(value);
}

/** A failed load is tried again by the next call. */
function once<T>(load: () => Promise<T>): () => Promise<T> {
  let loading: Promise<T> | undefined;
  return () => {
    loading ??= load().catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
    return loading;
  };
}
