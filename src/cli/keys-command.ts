import { type ApiKey, describeKey } from '../access/access.ts';
import { Problem } from '../base/problem.ts';
import { withServices } from './open-services.ts';
import { print, stripControl, table } from './output.ts';

type NewKeyOptions = {
  readonly developer: string;
  readonly name: string;
  readonly tier: string;
  readonly scopes?: string;
  readonly expires?: string;
};

export async function createKey(options: NewKeyOptions, json: boolean): Promise<void> {
  const expiresAt = options.expires === undefined ? null : Date.parse(options.expires);
  if (Number.isNaN(expiresAt))
    throw new Problem('invalid_request', '--expires: expected ISO 8601, for example 2027-01-31');
  const scopes = options.scopes?.split(',').map((scope) => scope.trim());
  const { made, store } = await withServices(async ({ access, storage }) => ({
    store: storage.place,
    made: await access.createKey({
      developer: options.developer,
      name: options.name,
      tier: options.tier,
      expiresAt,
      ...(scopes === undefined ? {} : { scopes }),
    }),
  }));
  print(json, { key: made.key, ...describeKey(made), store }, [
    made.key,
    `${made.keyId} for ${stripControl(made.developer)}, tier ${made.tier}, scopes ${made.scopes.join(' ')}; keep the key: it is not shown again`,
    inStore(store),
  ]);
}

export async function listKeys(json: boolean): Promise<void> {
  const { keys, store } = await withServices(async ({ access, storage }) => ({
    store: storage.place,
    keys: await access.listKeys(),
  }));
  const rows = keys.map((key) => [
    key.keyId,
    stripControl(key.developer),
    stripControl(key.name),
    key.tier,
    key.scopes.join(' '),
    stateOf(key),
  ]);
  print(json, { keys: keys.map(describeKey), store }, [
    ...table(['KEY', 'DEVELOPER', 'NAME', 'TIER', 'SCOPES', 'STATE'], rows),
    inStore(store),
  ]);
}

export async function revokeKey(id: string, json: boolean): Promise<void> {
  const store = await withServices(async ({ access, storage }) => {
    await access.revokeKey(id);
    return storage.place;
  });
  print(json, { key_id: id, revoked: true, store }, [`${id} is revoked`, inStore(store)]);
}

/** A service beside this command is another one's where its store is. */
function inStore(place: string): string {
  return `Store: ${place}`;
}

function stateOf(key: ApiKey): string {
  const { revoked_at: revokedAt, expires_at: expiresAt } = describeKey(key);
  if (revokedAt !== null) return `revoked ${revokedAt}`;
  return expiresAt === null ? 'active' : `until ${expiresAt}`;
}
