import type { Kysely, Transaction } from 'kysely';
import type { Clock } from '../base/clock.ts';
import { newId, newLogId } from '../base/id.ts';

/** One thing that was done with a key, a token, a consent or a setting; never holds a secret. */
export type AuditEntry = {
  readonly developerId: string;
  /** Who did it: `key:key_…`, `user` (in a browser), or `system` (a job). */
  readonly actor: string;
  /** `subject.verb`, e.g. `token.issue`, `grant.refresh`, `key.revoke`. */
  readonly action: string;
  /** The user it was done for. Kept as a pseudonym whose link is cut when the user is forgotten. */
  readonly userId?: string;
  /** Id of what it was done to. */
  readonly subject?: string;
  readonly facts?: Readonly<Record<string, string | number | boolean | null | readonly string[]>>;
  /** Developers whose apps are told of it as well. */
  readonly announceTo?: readonly string[];
};

export type AuditRow = Omit<AuditEntry, 'userId'> & {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** null: concerns no user, or one who was forgotten. */
  readonly userId: string | null;
};

export type AuditQuery = {
  readonly developerId?: string;
  readonly userId?: string;
  /** Entries before this id (the last one of the page before); newest come first. */
  readonly before?: string;
  readonly limit: number;
};

export type AuditTables = {
  audit: {
    id: string;
    at: number;
    developer_id: string;
    actor: string;
    action: string;
    user_ref: string | null;
    subject: string | null;
    facts: string;
  };
  webhook_outbox: { id: string; developer_id: string; body: string; attempts: number; next_at: number };
  audit_users: { ref: string; developer_id: string; user_id: string };
};

/** The trail of who did what: rows are added in the transaction of the deed, so neither exists without the other, and never changed. */
export type Audit = {
  append(trx: Transaction<AuditTables>, entry: AuditEntry): Promise<void>;
  read(query: AuditQuery): Promise<readonly AuditRow[]>;
  /** Cuts the link between a user and the entries about them; the entries stay. */
  forget(trx: Transaction<AuditTables>, developerId: string, userId: string): Promise<void>;
};

/** Entries that the developer's app is told of (webhooks/), and as what: it may have to act, and nobody asked it. */
const announced: ReadonlyMap<string, string> = new Map([
  ['token.reuse', 'token.reuse'],
  ['grant.expire', 'grant.expire'],
  ['approval.request', 'approval.requested'],
  ['consent.grant', 'connection.changed'],
  ['connection.import', 'connection.changed'],
  ['connection.revoke', 'connection.changed'],
]);

/** `reports` answers what goes over many rows. */
export function createAudit(reports: Kysely<AuditTables>, clock: Clock): Audit {
  const refOf = async (trx: Transaction<AuditTables>, developer_id: string, user_id: string) => {
    const find = () =>
      trx
        .selectFrom('audit_users')
        .select('ref')
        .where('developer_id', '=', developer_id)
        .where('user_id', '=', user_id);
    const known = await find().executeTakeFirst();
    if (known !== undefined) return known.ref;
    await trx
      .insertInto('audit_users')
      .values({ ref: newId('ref'), developer_id, user_id })
      .onConflict((c) => c.columns(['developer_id', 'user_id']).doNothing())
      .execute();
    const { ref } = await find().executeTakeFirstOrThrow();
    return ref;
  };

  return {
    async append(trx, { developerId, actor, action, userId, subject, facts = {}, announceTo = [] }) {
      const at = clock.now();
      const id = newLogId('aud', at);
      await trx
        .insertInto('audit')
        .values({
          id,
          at,
          developer_id: developerId,
          actor,
          action,
          user_ref: userId === undefined ? null : await refOf(trx, developerId, userId),
          subject: subject ?? null,
          facts: JSON.stringify(facts),
        })
        .execute();
      const type = announced.get(action);
      if (type === undefined) return;
      const data = { user_id: userId ?? null, subject: subject ?? null, ...facts };
      const body = JSON.stringify({ type, timestamp: new Date(at).toISOString(), data });
      const others = [...new Set(announceTo)].filter((other) => other !== developerId);
      const rows = [
        { id, developer_id: developerId },
        ...others.map((developer_id) => ({ id: newLogId('aud', at), developer_id })),
      ];
      await trx
        .insertInto('webhook_outbox')
        .values(rows.map((row) => ({ ...row, body, attempts: 0, next_at: at })))
        .execute();
    },
    async read({ developerId, userId, before, limit }) {
      let query = reports
        .selectFrom('audit')
        .leftJoin('audit_users', 'audit_users.ref', 'audit.user_ref')
        .selectAll('audit')
        .select('audit_users.user_id');
      if (developerId !== undefined) query = query.where('audit.developer_id', '=', developerId);
      if (userId !== undefined) query = query.where('audit_users.user_id', '=', userId);
      if (before !== undefined) query = query.where('audit.id', '<', before);
      const rows = await query.orderBy('audit.id', 'desc').limit(limit).execute();
      return rows.map(({ id, at, developer_id, actor, action, user_id, subject, facts }) => ({
        id,
        at,
        developerId: developer_id,
        actor,
        action,
        userId: user_id,
        ...(subject === null ? {} : { subject }),
        facts: JSON.parse(facts) as NonNullable<AuditEntry['facts']>,
      }));
    },
    async forget(trx, developerId, userId) {
      await trx
        .deleteFrom('audit_users')
        .where('developer_id', '=', developerId)
        .where('user_id', '=', userId)
        .execute();
    },
  };
}
