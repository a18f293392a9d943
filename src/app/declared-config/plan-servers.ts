import { isObject, type JsonObject } from '../../base/json.ts';
import { Problem } from '../../base/problem.ts';
import type { Catalog, ServerInput, ServerRecord } from '../../catalog/catalog.ts';
import { neutralPrior } from '../../catalog/invocations/popularity.ts';
import type { ServerRights } from '../../policy/policy.ts';
import type { DeclaredFile } from '../declared-file/declared-file.ts';
import type { Change, DeclaredServer } from '../declared-file/declared-model.ts';
import type { Services } from '../services.ts';
import { changeBetween } from './declared-diff.ts';
import { rightsForm, serverForm } from './declared-forms.ts';

/** The source of servers that a file made. */
export const appliedSource = 'apply';
const pageSize = 100;

/** What is to be written of a server; null: that part of it is as it is to be. */
export type ServerStep = {
  readonly change: Change;
  readonly input: ServerInput | null;
  readonly rights: ServerRights | null;
};
type Known = Pick<Services, 'catalog' | 'policy' | 'locals'>;

export async function planServers(
  file: DeclaredFile,
  servers: readonly DeclaredServer[],
  known: Known,
): Promise<ServerStep[]> {
  const steps: ServerStep[] = [];
  for (const server of servers) {
    const record = await findServer(known.catalog, server.id);
    const isLocal = known.locals.get(server.id) !== undefined || record?.source === 'config';
    if (server.input !== null && isLocal)
      file.fault([...server.path, 'id'], 'stands in the MCP configuration: expected its rights alone here');
    else if (server.input === null && record === undefined && !isLocal)
      file.fault(
        [...server.path, 'id'],
        'there is no such server; expected its name and where it is reached',
      );
    else steps.push(...(await planServer(server, record, known)));
  }
  return steps;
}

async function planServer(
  server: DeclaredServer,
  record: ServerRecord | undefined,
  { catalog, policy: { admin } }: Known,
): Promise<ServerStep[]> {
  const { id, input } = server;
  const wanted = input === null ? null : completed(input, record);
  const rights = rightsOf(server, admin);
  const credential = input?.headers ? await catalog.credential(id) : null;
  const headers = headerForms(credential?.headers ?? {}, input?.headers ?? null);
  const before = rights !== null && admin.hasRights(id) ? rightsForm(admin.rightsOf(id)) : {};
  const current = { ...(wanted && record && named(serverForm(record))), ...headers.current, ...before };
  const desired = {
    ...(wanted && named(serverForm(wanted))),
    ...headers.desired,
    ...(rights && rightsForm(rights)),
  };
  const isThere = record !== undefined || input === null;
  const change = changeBetween({ kind: 'server', name: id }, isThere ? current : undefined, desired);
  return change === undefined ? [] : [toStep(change, wanted, rights)];
}

/** A server that carries credentials is the operator's own until something else is said. */
function rightsOf(
  { id, input, rights }: DeclaredServer,
  admin: Known['policy']['admin'],
): ServerRights | null {
  if (rights !== null) return rights;
  const carries = Object.keys(input?.headers ?? {}).length > 0 && !admin.hasRights(id);
  return carries ? { ...admin.rightsOf(id), visibility: 'private' } : null;
}

function toStep(change: Change, wanted: ServerInput | null, rights: ServerRights | null): ServerStep {
  const changed = [...new Set(change.fields.map(({ field }) => field.replace(/[.[].*/s, '')))];
  const isOfRights = (field: string) => rightsFields.has(field);
  return {
    change,
    input: wanted === null || changed.every(isOfRights) ? null : withoutUnchanged(wanted, changed),
    rights: changed.some(isOfRights) ? rights : null,
  };
}

const rightsFields: ReadonlySet<string> = new Set(['visibility', 'developer', 'granted']);

/** Credentials that are the same are not sealed anew, and schemas keep their text. */
function withoutUnchanged(input: ServerInput, changed: readonly string[]): ServerInput {
  return {
    ...input,
    headers: changed.includes('headers') ? input.headers : null,
    tools: changed.includes('tools') ? input.tools : null,
  };
}

/** What the file leaves open stays as it is known: tools that a probe listed, what it found to be wanted, use. */
function completed(input: ServerInput, record: ServerRecord | undefined) {
  const tools = input.tools ?? record?.tools ?? [];
  const authType = input.authType ?? record?.authType ?? null;
  return { ...input, authType, prior: input.prior ?? record?.prior ?? neutralPrior, tools };
}

/** Tools by their names, so that one more is one line of the plan. */
function named({ tools, ...form }: JsonObject): JsonObject {
  if (!Array.isArray(tools)) return form;
  const byName = tools.filter(isObject).map(({ name, ...tool }) => [String(name), tool] as const);
  return { ...form, tools: Object.fromEntries(byName) };
}

/** Which header fields there are, and whether they differ; never what they say. */
function headerForms(
  current: Readonly<Record<string, string>>,
  desired: Readonly<Record<string, string>> | null,
): { readonly current: JsonObject; readonly desired: JsonObject } {
  if (desired === null) return { current: {}, desired: {} };
  const hide = (values: Readonly<Record<string, string>>, word: (name: string) => string) => {
    const entries = Object.keys(values).map((name) => [name, word(name)] as const);
    return entries.length === 0 ? {} : { headers: Object.fromEntries(entries) };
  };
  return {
    current: hide(current, () => 'kept secret'),
    desired: hide(desired, (name) => {
      const isSame = current[name] === desired[name] || current[name] === undefined;
      return isSame ? 'kept secret' : 'another secret';
    }),
  };
}

export async function findServer(catalog: Catalog, id: string): Promise<ServerRecord | undefined> {
  try {
    return await catalog.get(id);
  } catch (error) {
    if (error instanceof Problem && (error.kind === 'not_found' || error.kind === 'server_gone'))
      return undefined;
    throw error;
  }
}

export async function serversFrom(catalog: Catalog, source: string): Promise<ServerRecord[]> {
  const found: ServerRecord[] = [];
  let cursor: string | undefined;
  do {
    const query = { limit: pageSize, filters: { source }, ...(cursor !== undefined && { cursor }) };
    const page = await catalog.list(query);
    found.push(...page.servers);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return found;
}
