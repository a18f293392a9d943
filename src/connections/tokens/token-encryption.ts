import type { Vault } from '../../vault/vault.ts';
import type { GrantRow } from '../connection-rows.ts';
import { splitScopes } from '../grant-target.ts';
import type { DPoPKey } from './dpop.ts';
import type { IssueColumns } from './grant-store.ts';
import type { IssuedTokens } from './token-endpoint.ts';

/** Whose tokens, and which row's: all of it is bound to what is sealed. */
export type GrantIdentity = Pick<
  GrantRow,
  'id' | 'developer_id' | 'user_id' | 'provider' | 'account' | 'issuer' | 'resource'
>;
type TokenField = 'access' | 'refresh' | 'proof_key';

export type NextIssue = {
  readonly issued: IssuedTokens;
  readonly version: number;
  /** When the request began (threats J10). */
  readonly at: number;
  /** For the first issue: what was asked for, should the reply not say. */
  readonly asked?: readonly string[];
};

export type TokenEncryption = {
  open(row: GrantRow, field: 'access' | 'refresh'): Promise<string | null>;
  openDPoPKey(row: GrantRow): Promise<DPoPKey | null>;
  /**
   * The columns for new tokens. What a reply leaves out stays as it was: the refresh token (RFC 6749 section 6, threats
   * F12, J8), how long tokens live, the scopes.
   */
  seal(grant: GrantIdentity, next: NextIssue, previous: GrantRow | null): Promise<IssueColumns>;
};

/** Tokens fall due before they end, so that calls need not wait: a tenth of their life, five minutes at most (threats J7). */
const aheadShare = 0.1;
const aheadMaxMs = 300_000;
/** Many tokens of one hour must not all fall due in the same second. */
const jitterShare = 0.25;

/** A sealed token opens in its own row, field and version only (threats K2). */
export function createTokenEncryption(
  vault: Pick<Vault, 'seal' | 'open'>,
  random: () => number,
): TokenEncryption {
  const openField = async (row: GrantRow, field: TokenField) => {
    const sealed = row[`${field}_sealed`];
    return sealed === null ? null : vault.open(sealed, binding(row, field, row.version));
  };
  return {
    open: openField,
    async openDPoPKey(row) {
      const text = await openField(row, 'proof_key');
      return text === null ? null : (JSON.parse(text) as DPoPKey);
    },
    async seal(grant, { issued, version, at, asked = [] }, previous) {
      const seal = async (field: TokenField, text: string | null) =>
        text === null ? null : vault.seal(text, binding(grant, field, version));
      const held = async () => (previous === null ? null : openField(previous, 'refresh'));
      const lifeMs = issued.lifeMs ?? previous?.life_ms ?? null;
      const scopes = issued.scopes ?? (previous === null ? asked : splitScopes(previous.scopes));
      return {
        scopes: scopes.join(' '),
        version,
        access_sealed: await vault.seal(issued.accessToken, binding(grant, 'access', version)),
        refresh_sealed: await seal('refresh', issued.refreshToken ?? (await held())),
        proof_key_sealed: await seal(
          'proof_key',
          issued.dpopKey === null ? null : JSON.stringify(issued.dpopKey),
        ),
        issued_at: at,
        life_ms: lifeMs,
        refresh_at: lifeMs === null ? null : at + lifeMs - aheadMs(lifeMs, random()),
      };
    },
  };
}

/** When the token stops being worth sending: a little early, for the time that it takes to arrive. */
export function endsAt({ issued_at, life_ms }: Pick<GrantRow, 'issued_at' | 'life_ms'>): number {
  return life_ms === null ? Number.POSITIVE_INFINITY : issued_at + life_ms - Math.min(5_000, life_ms * 0.05);
}

function binding(grant: GrantIdentity, field: TokenField, version: number): string[] {
  return [
    'connection',
    grant.developer_id,
    grant.user_id,
    grant.provider,
    grant.account,
    grant.id,
    field,
    String(version),
    // What an MCP server's tokens are for is part of what they are (threats N4).
    ...(grant.issuer === null && grant.resource === null ? [] : [grant.issuer ?? '', grant.resource ?? '']),
  ];
}

function aheadMs(lifeMs: number, random: number): number {
  const margin = Math.min(lifeMs * aheadShare, aheadMaxMs);
  return Math.round(margin * (1 + jitterShare * (2 * random - 1)));
}
