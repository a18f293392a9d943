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
  const made = await withServices(({ access }) =>
    access.createKey({
      developer: options.developer,
      name: options.name,
      tier: options.tier,
      expiresAt,
      ...(scopes === undefined ? {} : { scopes }),
    }),
  );
  print(json, { key: made.key, ...describeKey(made) }, [
    made.key,
    `${made.keyId} for ${stripControl(made.developer)}, tier ${made.tier}, scopes ${made.scopes.join(' ')}; keep the key: it is not shown again`,
  ]);
}

export async function listKeys(json: boolean): Promise<void> {
  const keys = await withServices(({ access }) => access.listKeys());
  const rows = keys.map((key) => [
    key.keyId,
    stripControl(key.developer),
    stripControl(key.name),
    key.tier,
    key.scopes.join(' '),
    stateOf(key),
  ]);
  print(
    json,
    { keys: keys.map(describeKey) },
    table(['KEY', 'DEVELOPER', 'NAME', 'TIER', 'SCOPES', 'STATE'], rows),
  );
}

export async function revokeKey(id: string, json: boolean): Promise<void> {
  await withServices(({ access }) => access.revokeKey(id));
  print(json, { key_id: id, revoked: true }, [`${id} is revoked`]);
}

function stateOf(key: ApiKey): string {
  const { revoked_at: revokedAt, expires_at: expiresAt } = describeKey(key);
  if (revokedAt !== null) return `revoked ${revokedAt}`;
  return expiresAt === null ? 'active' : `until ${expiresAt}`;
}
