import type { Clock } from '../../base/clock.ts';
import { newId } from '../../base/id.ts';
import type { Storage } from '../../storage/storage.ts';

type IssuerRow = {
  id: string;
  developer_id: string;
  issuer: string;
  audience: string;
  jwks_uri: string;
  user_prefix: string;
  created_at: number;
};
type IssuerTables = { identity_issuers: IssuerRow };

export type NewIssuer = {
  readonly issuer: string;
  readonly audience: string;
  readonly jwksUri: string;
  readonly userPrefix: string;
};
/** An identity provider that a developer trusts to name users. */
export type Issuer = NewIssuer & { readonly id: string; readonly createdAt: number };

export function createIssuerStore(storage: Storage, clock: Clock) {
  const db = storage.tables<IssuerTables>();
  const of = (developerId: string) =>
    db.selectFrom('identity_issuers').selectAll().where('developer_id', '=', developerId);
  return {
    async list(developerId: string): Promise<Issuer[]> {
      return (await of(developerId).orderBy('created_at').orderBy('id').execute()).map(toIssuer);
    },

    async find(developerId: string, issuer: string): Promise<Issuer | undefined> {
      const row = await of(developerId).where('issuer', '=', issuer).executeTakeFirst();
      return row === undefined ? undefined : toIssuer(row);
    },

    /** Undefined when the issuer or its prefix is there already. */
    add(developerId: string, actor: string, added: NewIssuer): Promise<Issuer | undefined> {
      return storage.write<IssuerTables, Issuer | undefined>(async (trx, _notify, audit) => {
        const row = {
          id: newId('iss'),
          developer_id: developerId,
          issuer: added.issuer,
          audience: added.audience,
          jwks_uri: added.jwksUri,
          user_prefix: added.userPrefix,
          created_at: clock.now(),
        };
        const done = await trx
          .insertInto('identity_issuers')
          .values(row)
          .onConflict((c) => c.doNothing())
          .executeTakeFirst();
        if (done.numInsertedOrUpdatedRows !== 1n) return undefined;
        const facts = { issuer: added.issuer, audience: added.audience };
        await audit({ developerId, actor, action: 'issuer.add', subject: row.id, facts });
        return toIssuer(row);
      });
    },

    remove(developerId: string, actor: string, id: string): Promise<boolean> {
      return storage.write<IssuerTables, boolean>(async (trx, _notify, audit) => {
        const done = await trx
          .deleteFrom('identity_issuers')
          .where('developer_id', '=', developerId)
          .where('id', '=', id)
          .executeTakeFirst();
        if (done.numDeletedRows === 0n) return false;
        await audit({ developerId, actor, action: 'issuer.remove', subject: id });
        return true;
      });
    },
  };
}

function toIssuer(row: IssuerRow): Issuer {
  return {
    id: row.id,
    issuer: row.issuer,
    audience: row.audience,
    jwksUri: row.jwks_uri,
    userPrefix: row.user_prefix,
    createdAt: row.created_at,
  };
}
