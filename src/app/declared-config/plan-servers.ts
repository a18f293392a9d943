import { isObject, type JsonObject } from '../../base/json.ts';
import { Problem } from '../../base/problem.ts';
import type { Catalog, Credential, MachineLogin, ServerInput, ServerRecord } from '../../catalog/catalog.ts';
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
  const saysCredential = input !== null && (input.headers !== null || input.machineLogin != null);
  const credentials = saysCredential ? credentialForms(await catalog.credential(id), input) : nothingSaid;
  const before = rights !== null && admin.hasRights(id) ? rightsForm(admin.rightsOf(id)) : {};
  const current = { ...(wanted && record && named(serverForm(record))), ...credentials.current, ...before };
  const desired = {
    ...(wanted && named(serverForm(wanted))),
    ...credentials.desired,
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
  const isKept = input?.machineLogin != null || Object.keys(input?.headers ?? {}).length > 0;
  const carries = isKept && !admin.hasRights(id);
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
function withoutUnchanged({ machineLogin, ...input }: ServerInput, changed: readonly string[]): ServerInput {
  const isSame = !changed.includes('headers') && !changed.includes('client_credentials');
  return {
    ...input,
    headers: isSame ? null : input.headers,
    ...(!isSame && machineLogin != null && { machineLogin }),
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

type Forms = { readonly current: JsonObject; readonly desired: JsonObject };
const nothingSaid: Forms = { current: {}, desired: {} };
const [keptSecret, anotherSecret] = ['kept secret', 'another secret'];

/** Which credentials there are, and whether they differ; never what they say. Whoever says one kind says both. */
function credentialForms(kept: Credential | null, { headers, machineLogin = null }: ServerInput): Forms {
  const [current, desired] = [kept?.headers ?? {}, headers ?? {}];
  const login = kept?.machineLogin ?? null;
  const isOther = login !== null && machineLogin !== null && !hasSecretOf(machineLogin, login);
  return {
    current: { ...headersForm(current, () => keptSecret), ...loginForm(login, keptSecret) },
    desired: {
      ...headersForm(desired, (name) =>
        current[name] === desired[name] || current[name] === undefined ? keptSecret : anotherSecret,
      ),
      ...loginForm(machineLogin, isOther ? anotherSecret : keptSecret),
    },
  };
}

function headersForm(values: Readonly<Record<string, string>>, word: (name: string) => string): JsonObject {
  const entries = Object.keys(values).map((name) => [name, word(name)] as const);
  return entries.length === 0 ? {} : { headers: Object.fromEntries(entries) };
}

function loginForm(login: MachineLogin | null, word: string): JsonObject {
  if (login === null) return {};
  const { issuer, clientId, clientKey, workloadToken, scopes } = login;
  const secret =
    workloadToken == null
      ? { [clientKey === null ? 'client_secret' : 'client_key']: word }
      : { workload_token: workloadToken };
  return { client_credentials: { issuer, client_id: clientId, ...secret, scopes } };
}

function hasSecretOf(a: MachineLogin, b: MachineLogin): boolean {
  return a.clientSecret === b.clientSecret && a.clientKey === b.clientKey;
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
