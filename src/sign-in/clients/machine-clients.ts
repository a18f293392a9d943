import { generateRandomCodeVerifier } from 'oauth4webapi';
import type { Access } from '../../access/access.ts';
import { newId, sha256Hex } from '../../base/id.ts';
import { isObject } from '../../base/json.ts';
import { Problem } from '../../base/problem.ts';
import { type AccountRow, accountIdOf, type ClientRow, type SignInStore } from '../sign-in-store.ts';
import { isSigningKey, publicKeyForm } from './public-keys.ts';

/** A program that signs itself in (`client_credentials`), with the rights of one API key. */
export type MachineClient = {
  readonly clientId: string;
  readonly name: string;
  readonly keyId: string;
  readonly authMethod: 'client_secret_basic' | 'private_key_jwt';
  /** Milliseconds since 1970. */
  readonly createdAt: number;
};
export type MachineRequest = {
  readonly name: string;
  readonly keyId: string;
  /** Its public keys, or where they are; null for both: it is given a secret. */
  readonly jwks: unknown;
  readonly jwksUri: string | null;
};
type By = { readonly actor: string; readonly developerId: string };

export type MachineClients = {
  /** The secret is told this once. Throws `invalid_request`. */
  add(request: MachineRequest, by: By): Promise<MachineClient & { readonly secret: string | null }>;
  list(): Promise<readonly MachineClient[]>;
  /** Its tokens are dead at once here, elsewhere within a second. Throws `not_found`. */
  remove(clientId: string, by: By): Promise<void>;
  /** For whom it acts. Throws `invalid_api_key` where it is no such client, or the key behind it is over. */
  accountOf(clientId: string): Promise<string>;
};

const maxKeys = 10;

export function createMachineClients({
  store,
  access,
  checkUrl,
}: {
  readonly store: SignInStore;
  readonly access: Pick<Access, 'holder'>;
  /** Throws for a URL that we would not dial. */
  readonly checkUrl: (url: string) => void;
}): MachineClients {
  return {
    async add({ name, keyId, jwks, jwksUri }, by) {
      const { principal } = await access.holder(keyId).catch(asUnknownKey);
      if (!principal.scopes.has('mcp'))
        throw new Problem('invalid_request', 'key_id: expected a key with the scope mcp');
      if (name.trim() === '') throw new Problem('invalid_request', 'name: expected one that can be read');
      const keys = jwksUri === null ? await keysIn(jwks) : keysAt(jwks, jwksUri, checkUrl);
      const secret = keys === null ? `mcs_${generateRandomCodeVerifier()}` : null;
      const id = newId('mach');
      const metadata = {
        client_id: id,
        client_name: name,
        grant_types: ['client_credentials'],
        response_types: [],
        redirect_uris: [],
        token_endpoint_auth_method: keys === null ? 'client_secret_basic' : 'private_key_jwt',
        ...keys,
      };
      const client = {
        id,
        metadata: JSON.stringify(metadata),
        secret_digest: secret === null ? null : secretDigest(secret),
        registered_from: '',
        key_id: keyId,
      };
      await store.putAccount(accountFor(id, principal));
      return { ...toMachine(await store.putMachine(client, by)), secret };
    },
    list: async () => (await store.machines()).map(toMachine),
    async remove(clientId, by) {
      // First its tokens: where it breaks off in between, it is still there to be removed.
      await store.endAccounts([accountId(clientId)], { wholly: true });
      if (!(await store.removeMachine(clientId, by)))
        throw new Problem('not_found', 'Machine client not found');
    },
    async accountOf(clientId) {
      const account = await store.account(accountId(clientId));
      if (account === undefined || account.ended_at !== null || account.key_id === null)
        throw new Problem('invalid_api_key', 'This client may not act by itself');
      await access.holder(account.key_id);
      await store.markClientUsed(clientId);
      return account.id;
    },
  };
}

export function secretDigest(secret: string): string {
  return sha256Hex(`sign-in client secret\n${secret}`);
}

function accountId(clientId: string): string {
  return accountIdOf('machine', clientId);
}

function accountFor(
  clientId: string,
  { developerId, keyId }: { readonly developerId: string; readonly keyId: string },
): Omit<AccountRow, 'created_at' | 'ended_at' | 'checked_at'> {
  const nobody = { user_id: null, issuer: null, subject: null, sid: null, name: null, sealed: null };
  return { id: accountId(clientId), developer_id: developerId, key_id: keyId, groups: '[]', ...nobody };
}

/** Where they are, as the library reads it. */
function keysAt(jwks: unknown, jwksUri: string, checkUrl: (url: string) => void) {
  if (jwks != null) throw new Problem('invalid_request', 'jwks: expected this or jwks_uri, and not both');
  if (URL.parse(jwksUri)?.protocol !== 'https:')
    throw new Problem('invalid_request', 'jwks_uri: expected an https URL');
  try {
    checkUrl(jwksUri);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    throw new Problem('invalid_request', `jwks_uri: ${error.detail.replace(/^url: /, '')}`);
  }
  return { jwks_uri: jwksUri };
}

/** As the library reads them; null: none were said. */
async function keysIn(jwks: unknown): Promise<{ readonly jwks: unknown } | null> {
  if (jwks == null) return null;
  const keys = isObject(jwks) ? jwks.keys : undefined;
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > maxKeys)
    throw new Problem('invalid_request', `jwks: expected {"keys": […]} with 1 to ${maxKeys} keys`);
  const wrong = (await Promise.all(keys.map(isSigningKey))).indexOf(false);
  if (wrong >= 0) throw new Problem('invalid_request', `jwks.keys[${wrong}]: expected ${publicKeyForm}`);
  return { jwks: { keys } };
}

function toMachine({ id, metadata, key_id: keyId, created_at: createdAt }: ClientRow): MachineClient {
  const { client_name: name, token_endpoint_auth_method: authMethod } = JSON.parse(metadata) as {
    client_name: string;
    token_endpoint_auth_method: MachineClient['authMethod'];
  };
  return { clientId: id, name, keyId: keyId ?? '', authMethod, createdAt };
}

function asUnknownKey(error: unknown): never {
  if (!(error instanceof Problem) || error.kind !== 'invalid_api_key') throw error;
  throw new Problem('invalid_request', 'key_id: expected a key that there is, and that is not over');
}
