import { Problem } from '../base/problem.ts';
import type { Storage } from '../storage/storage.ts';
import type { AuthType, CatalogTool, ServerInput } from './catalog-model.ts';
import {
  type CatalogTrx,
  idsPerQuery,
  isOfOperator,
  type ServerRow,
  slices,
  toolsOf,
} from './catalog-store.ts';
import { neutralPrior } from './invocations/popularity.ts';

type Notify = Parameters<Parameters<Storage['write']>[0]>[1];
/** Who writes: the owner of the words (import, admin, starter), or the registry, which owns facts only. */
type Writer = 'owner' | 'registry';
export type ServerChange = {
  readonly inputs: readonly ServerInput[];
  readonly remove: readonly string[];
  readonly source: string;
  readonly by: Writer;
  readonly now: number;
  /** Changed beside their row, so they get a new revision whatever the row has. */
  readonly touched?: ReadonlySet<string>;
  /** A server that has to be as it was at that revision. */
  readonly unchanged?: { readonly id: string; readonly revision: number } | undefined;
};
export type Written = { added: number; updated: number; unchanged: number; removed: number; tools: number };

/** Rows of one multi-row insert at most; smaller batches use the powers of two below, so that few statements are compiled. */
const rowsPerInsert = 128;

/** Slices of power-of-two length: a bounded set of statement texts whatever the batch size. */
export function* insertSlices<T>(rows: readonly T[], largest: number = rowsPerInsert): Generator<T[]> {
  let size = largest;
  for (let at = 0; at < rows.length; at += size) {
    while (size > rows.length - at) size /= 2;
    yield rows.slice(at, at + size);
  }
}

/** The new rows, tools and removals of one transaction; revisions are handed out while the counter's row is locked, so they become visible in order. */
export async function writeServers(trx: CatalogTrx, notify: Notify, change: ServerChange): Promise<Written> {
  const first = await lockRevision(trx);
  if (change.unchanged !== undefined) await requireUnchanged(trx, change.unchanged);
  const revision = { value: first };
  const written: Written = { added: 0, updated: 0, unchanged: 0, removed: 0, tools: 0 };
  const unique = [...new Map(change.inputs.map((input) => [input.id, input])).values()];
  for (const inputs of slices(unique, idsPerQuery))
    await writeSlice(trx, { ...change, inputs }, revision, written);
  for (const ids of slices(change.remove, idsPerQuery)) {
    written.removed += await removeSlice(trx, { ...change, ids }, revision);
  }
  if (revision.value !== first) {
    await trx.updateTable('counters').set({ value: revision.value }).where('name', '=', 'catalog').execute();
    await notify('catalog', '');
  }
  return written;
}

/** What a probe of a server adds to what is known of it. */
export type Discovery = {
  readonly serverId: string;
  /** null: it did not list them. */
  readonly tools: readonly CatalogTool[] | null;
  readonly auth: AuthType | null;
  /** The tools that are known came from an earlier probe, whoever wrote the row. */
  readonly theirs: boolean;
};

/** Fills in tools and the kind of credentials. What the operator wrote by hand is not overwritten by a first probe. */
export async function writeDiscovery(
  trx: CatalogTrx,
  notify: Notify,
  { serverId, tools, auth, theirs }: Discovery,
  now: number,
): Promise<void> {
  const first = await lockRevision(trx);
  const row = await trx.selectFrom('servers').selectAll().where('id', '=', serverId).executeTakeFirst();
  if (row === undefined || row.deleted_at !== null) return;
  const known = (await toolsOf(trx, [serverId])).get(serverId) ?? [];
  const mayRetool = known.length === 0 || theirs || !isOfOperator(row.source);
  const retool = tools !== null && mayRetool && !sameTools(tools, known);
  const auth_type = row.auth_type ?? auth;
  if (!retool && auth_type === row.auth_type) return;
  if (retool) await replaceTools(trx, [{ id: serverId, tools }]);
  await trx
    .updateTable('servers')
    .set({ auth_type, updated_at: now, revision: first + 1 })
    .where('id', '=', serverId)
    .execute();
  await trx
    .updateTable('counters')
    .set({ value: first + 1 })
    .where('name', '=', 'catalog')
    .execute();
  await notify('catalog', '');
}

/** Of two who change the same at once, on whichever replica, the second starts from what the first made. */
async function requireUnchanged(
  trx: CatalogTrx,
  { id, revision }: { readonly id: string; readonly revision: number },
): Promise<void> {
  const row = await trx.selectFrom('servers').select('revision').where('id', '=', id).executeTakeFirst();
  if (Number(row?.revision) !== revision)
    throw new Problem('conflict', `${id} was changed meanwhile: send the change again`);
}

async function lockRevision(trx: CatalogTrx): Promise<number> {
  await trx
    .insertInto('counters')
    .values({ name: 'catalog', value: 0 })
    .onConflict((clash) => clash.doNothing())
    .execute();
  const row = await trx
    .updateTable('counters')
    .set((is) => ({ value: is.ref('value') }))
    .where('name', '=', 'catalog')
    .returning('value')
    .executeTakeFirstOrThrow();
  return row.value;
}

async function writeSlice(
  trx: CatalogTrx,
  change: Omit<ServerChange, 'remove'>,
  revision: { value: number },
  written: Written,
): Promise<void> {
  const ids = change.inputs.map((input) => input.id);
  const known = await trx.selectFrom('servers').selectAll().where('id', 'in', ids).execute();
  const rows = new Map(known.map((row) => [row.id, row]));
  const tools = await toolsOf(trx, [...rows.keys()]);
  const newRows: ServerRow[] = [];
  const newTools: { id: string; tools: readonly CatalogTool[] }[] = [];
  for (const input of change.inputs) {
    const old = rows.get(input.id);
    const row = merge(old, input, change);
    // Unknown tools (a registry entry) never wipe known ones.
    const retool = row !== null && input.tools !== null && !sameTools(input.tools, tools.get(input.id) ?? []);
    const touched = change.touched?.has(input.id) === true;
    if (row === null || (old !== undefined && !retool && !touched && sameRow(old, row))) {
      written.unchanged += 1;
      continue;
    }
    revision.value += 1;
    newRows.push({ ...row, revision: revision.value, updated_at: change.now });
    if (retool) newTools.push({ id: input.id, tools: input.tools ?? [] });
    if (old === undefined || old.deleted_at !== null) written.added += 1;
    else written.updated += 1;
  }
  await upsertRows(trx, newRows);
  written.tools += await replaceTools(trx, newTools);
}

/** The row to store, or null to leave what is there: sync touches nothing of the operator's, and of others' only the facts. */
function merge(
  old: ServerRow | undefined,
  input: ServerInput,
  change: { source: string; by: Writer; now: number },
): ServerRow | null {
  const fresh: ServerRow = {
    id: input.id,
    name: input.name,
    description: input.description,
    version: input.version,
    remote_url: input.remoteUrl,
    transport: input.transport,
    auth_type: input.authType,
    category: input.category,
    tags: JSON.stringify(input.tags),
    verified: input.verified ? 1 : 0,
    repository_url: input.repositoryUrl,
    launch: input.launch === null ? null : JSON.stringify(input.launch),
    protocol_revision: input.protocolRevision ?? null,
    user_credentials: input.userCredentials == null ? null : JSON.stringify(input.userCredentials),
    source: change.source,
    prior: input.prior ?? old?.prior ?? neutralPrior,
    revision: 0,
    created_at: old?.created_at ?? change.now,
    updated_at: change.now,
    deleted_at: null,
  };
  if (change.by === 'owner' || old === undefined || old.source === change.source) return fresh;
  if (isOfOperator(old.source)) return null;
  return {
    ...old,
    version: fresh.version ?? old.version,
    ...(fresh.remote_url === null
      ? {}
      : {
          remote_url: fresh.remote_url,
          transport: fresh.transport,
          user_credentials: fresh.user_credentials,
        }),
    repository_url: fresh.repository_url ?? old.repository_url,
    launch: fresh.launch ?? old.launch,
    deleted_at: null,
  };
}

function sameRow(old: ServerRow, row: ServerRow): boolean {
  return (Object.keys(row) as (keyof ServerRow)[]).every(
    (key) => key === 'revision' || key === 'updated_at' || old[key] === row[key],
  );
}

function sameTools(a: readonly CatalogTool[], b: readonly CatalogTool[]): boolean {
  return (
    a.length === b.length &&
    a.every((tool, i) => {
      const other = b[i];
      return (
        tool.name === other?.name &&
        tool.description === other.description &&
        tool.inputSchema === other.inputSchema &&
        tool.details === other.details
      );
    })
  );
}

async function upsertRows(trx: CatalogTrx, rows: readonly ServerRow[]): Promise<void> {
  for (const values of insertSlices(rows)) {
    await trx
      .insertInto('servers')
      .values(values)
      .onConflict((clash) =>
        clash.column('id').doUpdateSet((is) => ({
          name: is.ref('excluded.name'),
          description: is.ref('excluded.description'),
          version: is.ref('excluded.version'),
          remote_url: is.ref('excluded.remote_url'),
          transport: is.ref('excluded.transport'),
          auth_type: is.ref('excluded.auth_type'),
          category: is.ref('excluded.category'),
          tags: is.ref('excluded.tags'),
          verified: is.ref('excluded.verified'),
          repository_url: is.ref('excluded.repository_url'),
          launch: is.ref('excluded.launch'),
          protocol_revision: is.ref('excluded.protocol_revision'),
          user_credentials: is.ref('excluded.user_credentials'),
          source: is.ref('excluded.source'),
          prior: is.ref('excluded.prior'),
          revision: is.ref('excluded.revision'),
          updated_at: is.ref('excluded.updated_at'),
          deleted_at: is.ref('excluded.deleted_at'),
        })),
      )
      .execute();
  }
}

async function replaceTools(
  trx: CatalogTrx,
  changes: readonly { id: string; tools: readonly CatalogTool[] }[],
): Promise<number> {
  if (changes.length === 0) return 0;
  await trx
    .deleteFrom('tools')
    .where(
      'server_id',
      'in',
      changes.map((change) => change.id),
    )
    .execute();
  const rows = changes.flatMap(({ id, tools }) =>
    tools.map((tool, position) => ({
      server_id: id,
      name: tool.name,
      position,
      description: tool.description,
      input_schema: tool.inputSchema,
      details: tool.details ?? null,
    })),
  );
  for (const values of insertSlices(rows)) await trx.insertInto('tools').values(values).execute();
  return rows.length;
}

/** Marks servers as gone; their tools stay, so that a server that comes back is whole again. */
async function removeSlice(
  trx: CatalogTrx,
  change: { ids: readonly string[]; source: string; by: Writer; now: number },
  revision: { value: number },
): Promise<number> {
  const rows = await trx
    .selectFrom('servers')
    .select(['id', 'source'])
    .where('id', 'in', change.ids)
    .where('deleted_at', 'is', null)
    .orderBy('id')
    .execute();
  const doomed = rows.filter((row) => change.by === 'owner' || !isOfOperator(row.source));
  for (const { id, source } of doomed) {
    revision.value += 1;
    await trx
      .updateTable('servers')
      .set({
        deleted_at: change.now,
        updated_at: change.now,
        revision: revision.value,
        // What the operator removed by hand stays removed: marked as the operator's, no sync brings it back.
        source: isOfOperator(change.source) ? change.source : source,
      })
      .where('id', '=', id)
      .execute();
  }
  return doomed.length;
}
