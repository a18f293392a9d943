import type { Vault } from '../../vault/vault.ts';
import type { GrantRow } from '../tables.ts';
import type { Issue } from './grant-store.ts';
import type { Issued } from './tokens.ts';

type Place = Pick<
  GrantRow,
  'id' | 'developer_id' | 'user_id' | 'provider' | 'account' | 'issuer' | 'resource'
>;
type Field = 'access' | 'refresh' | 'proof_key';

/** Tokens fall due before they end, so that calls need not wait: a tenth of their life, five minutes at most (threats J7). */
const aheadShare = 0.1;
const aheadMaxMs = 300_000;
/** Many tokens of one hour must not all fall due in the same second. */
const jitterShare = 0.25;

export type Sealing = {
  open(row: GrantRow, field: Field): Promise<string | null>;
  /**
   * The columns for new tokens. What a reply leaves out stays as it was: the refresh token (RFC 6749 section 6, threats
   * F12, J8), how long tokens live, the scopes.
   */
  issue(place: Place, next: Next, previous: GrantRow | null): Promise<Issue>;
};

export type Next = {
  readonly issued: Issued;
  readonly version: number;
  /** When the request began (threats J10). */
  readonly at: number;
  /** For the first issue: what was asked for, should the reply not say. */
  readonly asked?: readonly string[];
};

/** A sealed token opens in its own row, field and version only (threats K2). */
export function createSealing(vault: Pick<Vault, 'seal' | 'open'>, random: () => number): Sealing {
  const binding = (place: Place, field: Field, version: number) => [
    'connection',
    place.developer_id,
    place.user_id,
    place.provider,
    place.account,
    place.id,
    field,
    String(version),
    // What an MCP server's tokens are for is part of what they are (threats N4).
    ...(place.issuer === null ? [] : [place.issuer, place.resource ?? '']),
  ];
  const open: Sealing['open'] = async (row, field) => {
    const sealed = row[`${field}_sealed`];
    return sealed === null ? null : vault.open(sealed, binding(row, field, row.version));
  };

  return {
    open,
    async issue(place, { issued, version, at, asked = [] }, previous) {
      const refreshToken =
        issued.refreshToken ?? (previous === null ? null : await open(previous, 'refresh'));
      const lifeMs = issued.lifeMs ?? previous?.life_ms ?? null;
      const scopes = issued.scopes ?? (previous === null ? asked : scopesOf(previous));
      return {
        scopes: scopes.join(' '),
        version,
        access_sealed: await vault.seal(issued.accessToken, binding(place, 'access', version)),
        refresh_sealed:
          refreshToken === null ? null : await vault.seal(refreshToken, binding(place, 'refresh', version)),
        proof_key_sealed:
          issued.proofKey === null
            ? null
            : await vault.seal(JSON.stringify(issued.proofKey), binding(place, 'proof_key', version)),
        issued_at: at,
        life_ms: lifeMs,
        refresh_at: lifeMs === null ? null : at + lifeMs - aheadMs(lifeMs, random()),
      };
    },
  };
}

export function scopesOf(row: Pick<GrantRow, 'scopes'>): string[] {
  return row.scopes === '' ? [] : row.scopes.split(' ');
}

/** When the token stops being worth sending: a little early, for the time that it takes to arrive. */
export function endOf({ issued_at, life_ms }: Pick<GrantRow, 'issued_at' | 'life_ms'>): number {
  return life_ms === null ? Number.POSITIVE_INFINITY : issued_at + life_ms - Math.min(5_000, life_ms * 0.05);
}

function aheadMs(lifeMs: number, random: number): number {
  const margin = Math.min(lifeMs * aheadShare, aheadMaxMs);
  return Math.round(margin * (1 + jitterShare * (2 * random - 1)));
}
