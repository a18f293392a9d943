import type { Transaction } from 'kysely';
import type { Clock } from '../base/clock.ts';
import type { Storage } from '../storage/storage.ts';
import type {
  Bindings,
  Budget,
  Rule,
  ServerRights,
  ToolOverride,
  Toolset,
  Visibility,
} from './policy-model.ts';

/** Each list of bindings, and what a row of it is called. */
const bindingKinds = [
  ['keys', 'key'],
  ['developers', 'developer'],
  ['clients', 'client'],
  ['groups', 'group'],
] as const;
type BindingKind = (typeof bindingKinds)[number][1];
type ToolsetRow = {
  name: string;
  title: string | null;
  rules: string;
  fallback: 'allow' | 'deny';
  budget: string | null;
  overrides: string | null;
  version: number;
  updated_at: number;
};
type Tables = {
  server_rights: { server_id: string; visibility: Visibility; owner: string };
  server_grants: { server_id: string; developer: string; credentials: number };
  toolsets: ToolsetRow;
  toolset_bindings: { toolset: string; kind: BindingKind; subject: string };
  confirmed_tools: { server_id: string; tool: string; definition: string };
  /** Of the approvals' room; read alone. */
  approvals: { toolset: string; version: number };
};
type Notify = Parameters<Parameters<Storage['write']>[0]>[1];

/** Who changes rights, for the audit trail. */
export type By = { readonly actor: string; readonly developerId: string };
export type ToolsetInput = Omit<Toolset, 'name' | 'version'>;
export type ToolsetChanges = {
  /** `bindings`: null where they stay. */
  readonly put: readonly {
    readonly name: string;
    readonly input: ToolsetInput;
    readonly bindings: Bindings | null;
  }[];
  readonly removed: readonly string[];
};
/** By tool, what it was (SHA-256 of its definition) when somebody confirmed it. */
export type ConfirmedTools = ReadonlyMap<string, string>;

/** Everything there is to know of rights: small, and read whole. */
export type StoredPolicy = {
  readonly rights: ReadonlyMap<string, ServerRights>;
  readonly toolsets: ReadonlyMap<string, Toolset>;
  readonly bindings: ReadonlyMap<string, Bindings>;
  /** By server. */
  readonly confirmed: ReadonlyMap<string, ConfirmedTools>;
};

export function createPolicyStore(storage: Storage, clock: Clock) {
  const db = storage.tables<Tables>();
  const change = <R>(
    act: (trx: Transaction<Tables>, notify: Notify) => Promise<R>,
    ...entries: readonly AuditOf[]
  ) =>
    storage.write<Tables, R>(async (trx, notify, audit) => {
      const result = await act(trx, notify);
      for (const entry of entries) await audit(entry);
      await notify('policy', '');
      return result;
    });

  return {
    async read(): Promise<StoredPolicy> {
      const [rights, grants, toolsets, bindings, confirmed] = await Promise.all([
        db.selectFrom('server_rights').selectAll().execute(),
        db.selectFrom('server_grants').selectAll().orderBy('developer').execute(),
        db.selectFrom('toolsets').selectAll().orderBy('name').execute(),
        db.selectFrom('toolset_bindings').selectAll().orderBy('subject').execute(),
        db.selectFrom('confirmed_tools').selectAll().execute(),
      ]);
      return {
        rights: new Map(rights.map((row) => [row.server_id, toRights(row, grants)])),
        toolsets: new Map(toolsets.map((row) => [row.name, toToolset(row)])),
        bindings: new Map(toolsets.map(({ name }) => [name, toBindings(name, bindings)])),
        confirmed: toConfirmed(confirmed),
      };
    },

    putRights: (serverIds: readonly string[], rights: ServerRights | null, by: By): Promise<void> =>
      change(
        async (trx) => {
          for (const server_id of serverIds) await writeRights(trx, server_id, rights);
        },
        {
          ...by,
          action: 'server.rights',
          facts: { servers: [...serverIds], visibility: rights?.visibility ?? null },
        },
      ),

    /** All of it at once: nobody is ever held to a part of it. */
    changeToolsets: ({ put, removed }: ToolsetChanges, by: By): Promise<void> =>
      change(
        async (trx) => {
          for (const { name, input, bindings } of put) {
            await writeToolset(trx, { name, ...input }, clock.now());
            if (bindings !== null) await writeBindings(trx, name, bindings);
          }
          for (const name of removed) {
            await trx.deleteFrom('toolsets').where('name', '=', name).execute();
            await trx.deleteFrom('toolset_bindings').where('toolset', '=', name).execute();
          }
        },
        ...put.flatMap(({ name, bindings }) => [
          { ...by, action: 'toolset.set', subject: name } as const,
          ...(bindings === null ? [] : [boundBy(by, name, bindings)]),
        ]),
        ...removed.map((name) => ({ ...by, action: 'toolset.remove', subject: name }) as const),
      ),

    /** The whole list each time. */
    putBindings: (name: string, bindings: Bindings, by: By): Promise<void> =>
      change((trx) => writeBindings(trx, name, bindings), boundBy(by, name, bindings)),

    /** The whole list of a server each time. */
    putConfirmed: (server_id: string, confirmed: ConfirmedTools, by: By): Promise<void> =>
      change(
        async (trx) => {
          await trx.deleteFrom('confirmed_tools').where('server_id', '=', server_id).execute();
          for (const [tool, definition] of confirmed)
            await trx.insertInto('confirmed_tools').values({ server_id, tool, definition }).execute();
        },
        { ...by, action: 'server.confirm', subject: server_id, facts: { tools: [...confirmed.keys()] } },
      ),
  };
}

type AuditOf = Parameters<Parameters<Parameters<Storage['write']>[0]>[2]>[0];

async function writeRights(
  trx: Transaction<Tables>,
  server_id: string,
  rights: ServerRights | null,
): Promise<void> {
  await trx.deleteFrom('server_rights').where('server_id', '=', server_id).execute();
  await trx.deleteFrom('server_grants').where('server_id', '=', server_id).execute();
  if (rights === null) return;
  const { visibility, owner, granted } = rights;
  await trx.insertInto('server_rights').values({ server_id, visibility, owner }).execute();
  const grants = new Map(granted.map(({ developer, credentials }) => [developer, Number(credentials)]));
  for (const [developer, credentials] of grants)
    await trx.insertInto('server_grants').values({ server_id, developer, credentials }).execute();
}

function boundBy(by: By, name: string, bindings: Bindings): AuditOf {
  return { ...by, action: 'toolset.bind', subject: name, facts: { ...bindings } };
}

async function writeBindings(trx: Transaction<Tables>, name: string, bindings: Bindings): Promise<void> {
  await trx.deleteFrom('toolset_bindings').where('toolset', '=', name).execute();
  const rows = bindingKinds.flatMap(([list, kind]) =>
    [...new Set(bindings[list])].map((subject) => ({ toolset: name, kind, subject })),
  );
  if (rows.length > 0) await trx.insertInto('toolset_bindings').values(rows).execute();
}

async function writeToolset(
  trx: Transaction<Tables>,
  { name, title, rules, fallback, budget, overrides }: ToolsetInput & { readonly name: string },
  now: number,
): Promise<void> {
  const fields = {
    title,
    rules: JSON.stringify(rules),
    fallback,
    budget: budget === null ? null : JSON.stringify(budget),
    overrides: overrides.length === 0 ? null : JSON.stringify(overrides),
    updated_at: now,
  };
  const changed = await trx
    .updateTable('toolsets')
    .set((is) => ({ ...fields, version: is('version', '+', 1) }))
    .where('name', '=', name)
    .executeTakeFirst();
  if (changed.numUpdatedRows > 0n) return;
  // Approvals may be about one that was there before under this name: it goes on above those.
  const { last } = await trx
    .selectFrom('approvals')
    .select((is) => is.fn.max('version').as('last'))
    .where('toolset', '=', name)
    .executeTakeFirstOrThrow();
  await trx
    .insertInto('toolsets')
    .values({ name, ...fields, version: Number(last ?? 0) + 1 })
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

function toToolset({ name, title, rules, fallback, budget, overrides, version }: ToolsetRow): Toolset {
  return {
    name,
    title,
    rules: JSON.parse(rules) as Rule[],
    fallback,
    budget: budget === null ? null : (JSON.parse(budget) as Budget),
    overrides: JSON.parse(overrides ?? '[]') as ToolOverride[],
    version: Number(version),
  };
}

function toBindings(name: string, rows: readonly Tables['toolset_bindings'][]): Bindings {
  const of = (kind: BindingKind) =>
    rows.filter((row) => row.toolset === name && row.kind === kind).map(({ subject }) => subject);
  return { keys: of('key'), developers: of('developer'), clients: of('client'), groups: of('group') };
}

function toConfirmed(rows: readonly Tables['confirmed_tools'][]): StoredPolicy['confirmed'] {
  const byServer = new Map<string, Map<string, string>>();
  for (const { server_id, tool, definition } of rows) {
    const ofServer = byServer.get(server_id) ?? new Map<string, string>();
    byServer.set(server_id, ofServer.set(tool, definition));
  }
  return byServer;
}
