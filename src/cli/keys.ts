import type { ApiKey } from '../access/access.ts';
import { Problem } from '../base/problem.ts';
import { plain, print, table } from './output.ts';
import { withRooms } from './rooms.ts';

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
  const made = await withRooms(({ access }) =>
    access.createKey({
      developer: options.developer,
      name: options.name,
      tier: options.tier,
      expiresAt,
      ...(scopes === undefined ? {} : { scopes }),
    }),
  );
  print(json, { key: made.key, ...summary(made) }, [
    made.key,
    `${made.keyId} for ${plain(made.developer)}, tier ${made.tier}, scopes ${made.scopes.join(' ')}; keep the key: it is not shown again`,
  ]);
}

export async function listKeys(json: boolean): Promise<void> {
  const keys = await withRooms(({ access }) => access.listKeys());
  const rows = keys.map((key) => [
    key.keyId,
    plain(key.developer),
    plain(key.name),
    key.tier,
    key.scopes.join(' '),
    stateOf(key),
  ]);
  print(
    json,
    { keys: keys.map(summary) },
    table(['KEY', 'DEVELOPER', 'NAME', 'TIER', 'SCOPES', 'STATE'], rows),
  );
}

export async function revokeKey(id: string, json: boolean): Promise<void> {
  await withRooms(({ access }) => access.revokeKey(id));
  print(json, { key_id: id, revoked: true }, [`${id} is revoked`]);
}

function stateOf(key: ApiKey): string {
  if (key.revokedAt !== null) return `revoked ${isoTime(key.revokedAt)}`;
  return key.expiresAt === null ? 'active' : `until ${isoTime(key.expiresAt)}`;
}

function summary(key: ApiKey) {
  return {
    key_id: key.keyId,
    developer_id: key.developerId,
    developer: key.developer,
    name: key.name,
    tier: key.tier,
    scopes: key.scopes,
    created_at: isoTime(key.createdAt),
    expires_at: isoTime(key.expiresAt),
    revoked_at: isoTime(key.revokedAt),
    last_used_at: isoTime(key.lastUsedAt),
  };
}

function isoTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
