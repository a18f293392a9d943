/** The room's tables; one type, because a user's revocation writes to both in one transaction. */
export type IdentityTables = {
  users: {
    developer_id: string;
    user_id: string;
    /** Milliseconds of the last revocation, or of the first token: families of an earlier epoch are dead. */
    epoch: number;
    created_at: number;
  };
  refresh_families: {
    id: string;
    developer_id: string;
    user_id: string;
    epoch: number;
    salt: string;
    generation: number;
    /** SHA-256 of the refresh token that is good now. */
    digest: string;
    rotated_at: number;
    created_at: number;
    idle_until: number;
    ends_at: number;
    revoked_at: number | null;
  };
};

/** A family of refresh tokens (RFC 9700 section 4.14.2) with the epoch its user is in, and how long ago it was turned by the store's clock. */
export type Family = IdentityTables['refresh_families'] & {
  readonly user_epoch: number;
  readonly rotated_ago: number;
};

/** Whose tokens: a user is one developer's. */
export type Owner = { readonly developerId: string; readonly userId: string };

/** Who does something: for the audit trail, and for what a user token says of its key. */
export type Actor = { readonly developerId: string; readonly keyId: string };

/** What other processes must forget: one family, or all of a user. */
export type Revocation = { readonly family?: string; readonly user?: readonly [string, string] };
