import { randomBytes } from 'node:crypto';
import {
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
} from 'jose';
import type { Clock } from '../../base/clock.ts';
import { sha256Hex } from '../../base/id.ts';
import type { Secret } from '../../base/secret.ts';
import type { Storage } from '../../storage/storage.ts';
import type { Vault } from '../../vault/vault.ts';
import { createSigningKeyStore, keysChanged, type StoredSigningKey } from './signing-key-store.ts';

type SigningKey = {
  readonly kid: string;
  readonly publicJwk: JWK;
  readonly sign: CryptoKey;
  readonly verify: CryptoKey;
  readonly useFrom: number;
};
export type Jwks = { readonly body: string; readonly etag: string };
export type SigningKeys = {
  /** The key that signs now. */
  current(): Promise<{ readonly kid: string; readonly key: CryptoKey }>;
  /** The key of that id, published or about to be retired; undefined when there is none. */
  find(kid: string): Promise<CryptoKey | undefined>;
  published(): Promise<Jwks>;
  /** Makes the next key when its time has come, and drops those that can have signed nothing alive. */
  rotate(): Promise<void>;
  /** The root of refresh tokens. */
  refreshRoot(): Promise<Buffer>;
};

export const jwksMaxAgeSeconds = 300;
export const algorithm = 'RS256';
const modulusLength = 2048;
const dayMs = 86_400_000;
/** A key signs for a month; the next one is published well before, twice what anybody may cache (threats H9). */
const signsForMs = 30 * dayMs;
const publishAheadMs = 2 * jwksMaxAgeSeconds * 1000;
/** What it signed last lives an hour; the rest covers the skew of clocks. */
const keepAfterMs = 3_600_000 + 120_000;
/** A token with an unknown key id costs at most one read a second, however many come. */
const rereadMs = 1_000;

type Deps = {
  readonly storage: Storage;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly configured: Secret | null;
};
type Store = ReturnType<typeof createSigningKeyStore>;

/** Keys of the store, generated and rotated there, or the configured ones. */
export function createSigningKeys(deps: Deps): SigningKeys {
  const { storage, vault, clock, configured } = deps;
  const store = createSigningKeyStore(storage, clock);
  let loading: Promise<readonly SigningKey[]> | undefined;
  let readAt = Number.NEGATIVE_INFINITY;
  let root: Promise<Buffer> | undefined;
  storage.subscribe('identity', (payload) => {
    if (payload === keysChanged) loading = undefined;
  });

  const keys = () => {
    if (loading === undefined) {
      readAt = clock.monotonic();
      loading = configured === null ? loadKeys(store, deps) : configuredKeys(configured);
      loading.catch(() => {
        loading = undefined;
      });
    }
    return loading;
  };

  return {
    async current() {
      const all = await keys();
      const usable =
        configured === null ? all.filter(({ useFrom }) => useFrom <= clock.now()) : all.slice(0, 1);
      const key = usable.at(-1) ?? all[0];
      if (key === undefined) throw new Error('there is no signing key');
      return { kid: key.kid, key: key.sign };
    },
    async find(kid) {
      const known = alive(await keys(), clock.now()).find((key) => key.kid === kid);
      if (known !== undefined || clock.monotonic() - readAt < rereadMs) return known?.verify;
      loading = undefined;
      return alive(await keys(), clock.now()).find((key) => key.kid === kid)?.verify;
    },
    async published() {
      const published = alive(await keys(), clock.now());
      const jwks = published.map(({ kid, publicJwk }) => ({ ...publicJwk, kid, alg: algorithm, use: 'sig' }));
      const body = JSON.stringify({ keys: jwks });
      return { body, etag: `"${sha256Hex(body).slice(0, 32)}"` };
    },
    async rotate() {
      if (configured !== null) return;
      const now = clock.now();
      const rows = await store.all();
      const last = rows.at(-1);
      if (last !== undefined && last.use_from + signsForMs - publishAheadMs <= now)
        await createKey(store, vault, { number: last.number + 1, useFrom: now + publishAheadMs });
      const expired = rows.filter((_, i) => isOver(rows[i + 1]?.use_from, now)).map(({ kid }) => kid);
      if (expired.length > 0) await store.retire(expired);
    },
    refreshRoot() {
      root ??= loadRefreshRoot(store, vault).catch((error: unknown) => {
        root = undefined;
        throw error;
      });
      return root;
    },
  };
}

async function loadKeys(store: Store, { vault, clock }: Deps): Promise<readonly SigningKey[]> {
  let rows = await store.all();
  if (rows.length === 0) {
    await createKey(store, vault, { number: 1, useFrom: clock.now() });
    rows = await store.all();
  }
  return Promise.all(rows.map((row) => openKey(vault, row)));
}

async function createKey(
  store: Store,
  vault: Vault,
  { number, useFrom }: { readonly number: number; readonly useFrom: number },
): Promise<void> {
  const pair = await generateKeyPair(algorithm, { modulusLength, extractable: true });
  const publicJwk = await exportJWK(pair.publicKey);
  const kid = await calculateJwkThumbprint(publicJwk);
  const privateJwk = JSON.stringify(await exportJWK(pair.privateKey));
  await store.add({
    kid,
    number,
    public_jwk: JSON.stringify(publicJwk),
    private_sealed: await vault.seal(privateJwk, bindingOf('signing key', kid)),
    use_from: useFrom,
  });
}

async function loadRefreshRoot(store: Store, vault: Vault): Promise<Buffer> {
  const binding = bindingOf('refresh root', 'refresh');
  const sealed = await store.secret('refresh', () => vault.seal(randomBytes(32).toString('base64'), binding));
  return Buffer.from(await vault.open(sealed, binding), 'base64');
}

/** All but those whose successor has signed for longer than a token lives. */
function alive(keys: readonly SigningKey[], now: number): readonly SigningKey[] {
  return keys.filter((_, i) => !isOver(keys[i + 1]?.useFrom, now));
}

function isOver(successorFrom: number | undefined, now: number): boolean {
  return successorFrom !== undefined && successorFrom + keepAfterMs < now;
}

function bindingOf(what: string, id: string): readonly string[] {
  return ['identity', what, id];
}

async function openKey(vault: Vault, row: StoredSigningKey): Promise<SigningKey> {
  const text = await vault.open(row.private_sealed, bindingOf('signing key', row.kid));
  const publicJwk = JSON.parse(row.public_jwk) as JWK;
  return importKey({ kid: row.kid, useFrom: row.use_from }, JSON.parse(text) as JWK, publicJwk);
}

/** In the order they stand in: all are published for ever, as the operator decides when one goes. */
async function configuredKeys(text: Secret): Promise<readonly SigningKey[]> {
  const parsed = JSON.parse(text.reveal()) as JWK[] | { readonly keys: JWK[] };
  const jwks = Array.isArray(parsed) ? parsed : parsed.keys;
  return Promise.all(
    jwks.map(async (jwk) => {
      const publicJwk: JWK = { kty: 'RSA', n: jwk.n ?? '', e: jwk.e ?? '' };
      const kid = jwk.kid ?? (await calculateJwkThumbprint(publicJwk));
      return importKey({ kid, useFrom: Number.POSITIVE_INFINITY }, jwk, publicJwk);
    }),
  );
}

async function importKey(
  { kid, useFrom }: Pick<SigningKey, 'kid' | 'useFrom'>,
  privateJwk: JWK,
  publicJwk: JWK,
): Promise<SigningKey> {
  const [sign, verify] = await Promise.all([
    importJWK(privateJwk, algorithm),
    importJWK(publicJwk, algorithm),
  ]);
  return { kid, publicJwk, sign: sign as CryptoKey, verify: verify as CryptoKey, useFrom };
}
