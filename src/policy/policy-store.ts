import type { Transaction } from 'kysely';
import type { Clock } from '../base/clock.ts';
import type { Storage } from '../storage/storage.ts';
import type { Bindings, Rule, ServerRights, Toolset, Visibility } from './policy-model.ts';

type BindingKind = 'key' | 'developer';
type ToolsetRow = {
  name: string;
  title: string | null;
  rules: string;
  fallback: 'allow' | 'deny';
  version: number;
  updated_at: number;
};
type Tables = {
  server_rights: { server_id: string; visibility: Visibility; owner: string };
  server_grants: { server_id: string; developer: string; credentials: number };
  toolsets: ToolsetRow;
  toolset_bindings: { toolset: string; kind: BindingKind; subject: string };
};
type Notify = Parameters<Parameters<Storage['write']>[0]>[1];

/** Who changes rights, for the audit trail. */
export type By = { readonly actor: string; readonly developerId: string };
export type ToolsetInput = Pick<Toolset, 'title' | 'rules' | 'fallback'>;

/** Everything there is to know of rights: small, and read whole. */
export type StoredPolicy = {
  readonly rights: ReadonlyMap<string, ServerRights>;
  readonly toolsets: ReadonlyMap<string, Toolset>;
  readonly bindings: ReadonlyMap<string, Bindings>;
};

export function createPolicyStore(storage: Storage, clock: Clock) {
  const db = storage.tables<Tables>();
  const change = <R>(act: (trx: Transaction<Tables>, notify: Notify) => Promise<R>, entry: AuditOf) =>
    storage.write<Tables, R>(async (trx, notify, audit) => {
      const result = await act(trx, notify);
      await audit(entry);
      await notify('policy', '');
      return result;
    });

  return {
    async read(): Promise<StoredPolicy> {
      const [rights, grants, toolsets, bindings] = await Promise.all([
        db.selectFrom('server_rights').selectAll().execute(),
        db.selectFrom('server_grants').selectAll().orderBy('developer').execute(),
        db.selectFrom('toolsets').selectAll().orderBy('name').execute(),
        db.selectFrom('toolset_bindings').selectAll().orderBy('subject').execute(),
      ]);
      return {
        rights: new Map(rights.map((row) => [row.server_id, toRights(row, grants)])),
        toolsets: new Map(toolsets.map((row) => [row.name, toToolset(row)])),
        bindings: new Map(toolsets.map(({ name }) => [name, toBindings(name, bindings)])),
      };
    },

    putRights: (serverIds: readonly string[], rights: ServerRights, by: By): Promise<void> =>
      change(
        async (trx) => {
          for (const server_id of serverIds) await writeRights(trx, server_id, rights);
        },
        { ...by, action: 'server.rights', facts: { servers: [...serverIds], visibility: rights.visibility } },
      ),

    putToolset: (name: string, input: ToolsetInput, by: By): Promise<void> =>
      change((trx) => writeToolset(trx, { name, ...input }, clock.now()), {
        ...by,
        action: 'toolset.set',
        subject: name,
      }),

    removeToolset: (name: string, by: By): Promise<void> =>
      change(
        async (trx) => {
          await trx.deleteFrom('toolsets').where('name', '=', name).execute();
          await trx.deleteFrom('toolset_bindings').where('toolset', '=', name).execute();
        },
        { ...by, action: 'toolset.remove', subject: name },
      ),

    /** The whole list each time. */
    putBindings: (name: string, { keys, developers }: Bindings, by: By): Promise<void> =>
      change(
        async (trx) => {
          await trx.deleteFrom('toolset_bindings').where('toolset', '=', name).execute();
          const row = (kind: BindingKind) => (subject: string) => ({ toolset: name, kind, subject });
          const rows = [...new Set(keys)]
            .map(row('key'))
            .concat([...new Set(developers)].map(row('developer')));
          if (rows.length > 0) await trx.insertInto('toolset_bindings').values(rows).execute();
        },
        {
          ...by,
          action: 'toolset.bind',
          subject: name,
          facts: { keys: [...keys], developers: [...developers] },
        },
      ),
  };
}

type AuditOf = Parameters<Parameters<Parameters<Storage['write']>[0]>[2]>[0];

async function writeRights(
  trx: Transaction<Tables>,
  server_id: string,
  { visibility, owner, granted }: ServerRights,
): Promise<void> {
  await trx.deleteFrom('server_rights').where('server_id', '=', server_id).execute();
  await trx.deleteFrom('server_grants').where('server_id', '=', server_id).execute();
  await trx.insertInto('server_rights').values({ server_id, visibility, owner }).execute();
  const grants = new Map(granted.map(({ developer, credentials }) => [developer, Number(credentials)]));
  for (const [developer, credentials] of grants)
    await trx.insertInto('server_grants').values({ server_id, developer, credentials }).execute();
}

async function writeToolset(
  trx: Transaction<Tables>,
  { name, title, rules, fallback }: ToolsetInput & { readonly name: string },
  now: number,
): Promise<void> {
  const fields = { title, rules: JSON.stringify(rules), fallback, updated_at: now };
  const changed = await trx
    .updateTable('toolsets')
    .set((is) => ({ ...fields, version: is('version', '+', 1) }))
    .where('name', '=', name)
    .executeTakeFirst();
  if (changed.numUpdatedRows === 0n)
    await trx
      .insertInto('toolsets')
      .values({ name, ...fields, version: 1 })
      .execute();
}

function toRights(
  { server_id, visibility, owner }: Tables['server_rights'],
  grants: readonly Tables['server_grants'][],
): ServerRights {
  const granted = grants
    .filter((grant) => grant.server_id === server_id)
    .map(({ developer, credentials }) => ({ developer, credentials: credentials === 1 }));
  return { visibility, owner, granted };
}

function toToolset({ name, title, rules, fallback, version }: ToolsetRow): Toolset {
  return { name, title, rules: JSON.parse(rules) as Rule[], fallback, version: Number(version) };
}

function toBindings(name: string, rows: readonly Tables['toolset_bindings'][]): Bindings {
  const of = (kind: BindingKind) =>
    rows.filter((row) => row.toolset === name && row.kind === kind).map(({ subject }) => subject);
  return { keys: of('key'), developers: of('developer') };
}
