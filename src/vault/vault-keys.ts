import { randomBytes } from 'node:crypto';
import { chmodSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../base/problem.ts';
import type { Secret } from '../base/secret.ts';
import {
  type AwsKms,
  awsKmsWrapper,
  type GcpKms,
  gcpKmsWrapper,
  optionalPackage,
} from './wrappers/cloud-kms.ts';
import type { KeyWrapper } from './wrappers/key-wrapper.ts';
import type { VaultKey } from './wrappers/local-key.ts';
import { type Post, transitWrapper } from './wrappers/transit-key.ts';

const fileName = 'vault.key';

/**
 * The keys of MCPRANK_VAULT_KEYS (its form was checked when the configuration was read), or the one of the data
 * folder, made there on the first start.
 */
export function loadKeys(options: {
  readonly configured: Secret | null;
  readonly transitToken: Secret | null;
  readonly dataDir: string;
  readonly post: Post;
  /** Called when the key of the data folder is used: whoever copies that folder has key and store together. */
  readonly warn: (file: string) => void;
}): (VaultKey | KeyWrapper)[] {
  const text = options.configured?.reveal() ?? generatedKey(options.dataDir, options.warn);
  return text.split(',').map((entry) => toKeyWrapper(entry.trim(), options));
}

function toKeyWrapper(
  entry: string,
  { transitToken, post }: { readonly transitToken: Secret | null; readonly post: Post },
): VaultKey | KeyWrapper {
  const [, kid = '', kind, rest = ''] = /^([a-z0-9-]+):(?:(transit|awskms|gcpkms):)?(.+)$/.exec(entry) ?? [];
  switch (kind) {
    case 'transit':
      if (transitToken === null)
        throw new Problem('setup', `VAULT_TOKEN: required, because vault key ${kid} is a transit key`);
      return transitWrapper({ kid, keyUrl: rest, token: transitToken, post });
    case 'awskms':
      return awsKmsWrapper(kid, rest, async () => {
        const { KMS } = await optionalPackage('@aws-sdk/client-kms', kid);
        return new (KMS as new (options: object) => AwsKms)({ region: rest.split(':')[3] });
      });
    case 'gcpkms':
      return gcpKmsWrapper(kid, rest, async () => {
        const { KeyManagementServiceClient } = await optionalPackage('@google-cloud/kms', kid);
        return new (KeyManagementServiceClient as new () => GcpKms)();
      });
    default:
      return { kid, key: Buffer.from(rest, 'base64') };
  }
}

/** In the form of MCPRANK_VAULT_KEYS, so that it can be moved there as it is. */
function generatedKey(dataDir: string, warn: (file: string) => void): string {
  const file = join(dataDir, fileName);
  try {
    const known = readIfThere(file) ?? writeNew(dataDir, file);
    warn(file);
    if (!/^[a-z0-9-]{1,32}:[A-Za-z0-9+/]{43}=$/.test(known))
      throw new Problem('setup', `${file} is damaged: restore it from a backup, or set MCPRANK_VAULT_KEYS`);
    return known;
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    const detail = `The vault key ${file} cannot be read or made: mend the folder's permissions, or set MCPRANK_VAULT_KEYS`;
    throw new Problem('setup', detail, { cause });
  }
}

/** Linked into place whole: of two processes that start at once, both read the one that came first. */
function writeNew(dataDir: string, file: string): string {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const text = `g${randomBytes(4).toString('hex')}:${randomBytes(32).toString('base64')}`;
  const draft = `${file}.${randomBytes(4).toString('hex')}`;
  writeFileSync(draft, `${text}\n`, { mode: 0o600, flag: 'wx' });
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft);
  }
  return readIfThere(file) ?? text;
}

function readIfThere(file: string): string | undefined {
  try {
    const text = readFileSync(file, 'utf8').trim();
    chmodSync(file, 0o600);
    return text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
