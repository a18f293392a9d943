import { type Static, Type } from 'typebox';
import { isAtLeast } from '../access/access.ts';
import { Problem } from '../base/problem.ts';
import { placeholdersIn, type UserCredentials } from '../base/user-credentials.ts';
import type { Catalog, ServerInput, ServerRecord } from '../catalog/catalog.ts';
import { json, type Route, route } from '../http/route.ts';
import type { Mcp } from '../mcp/mcp.ts';
import type { Policy } from '../policy/policy.ts';
import { by, urlFault, withRights } from './catalog-admin-routes.ts';
import { idPath, orNull, strict, text, textOrNull, time } from './field-schemas.ts';
import { isoTime } from './iso-time.ts';
import { refuseRights } from './server-rights.ts';
import { describeServer } from './server-routes.ts';
import { serverFields } from './server-schemas.ts';

const keptServerSchema = Type.Object(
  {
    ...serverFields,
    kept_headers: Type.Array(Type.String(), {
      description: 'names of the header fields that go with requests; their values are never told',
    }),
    declared_in: Type.Union([Type.Enum(['mcp_config', 'apply']), Type.Null()], {
      description: 'the file that says what it is, and where it is changed',
    }),
    output: Type.Array(Type.Object({ at: time, line: Type.String() }), {
      description: 'what its program wrote last in the process that answers, masked; the newest last',
    }),
  },
  { $id: 'KeptServer' },
);

/** What is not said stays; null takes away. The values are checked as those of a server that is added. */
const serverChangeSchema = Type.Object(
  {
    name: Type.Optional(text(200)),
    description: Type.Optional(Type.String()),
    remote_url: Type.Optional(text(2_000)),
    transport: Type.Optional(Type.Enum(['streamable-http', 'sse'])),
    auth_type: Type.Optional(orNull(Type.Enum(['api_key', 'bearer', 'oauth2']))),
    category: Type.Optional(textOrNull),
    tags: Type.Optional(Type.Array(text(100), { maxItems: 50 })),
    repository_url: Type.Optional(textOrNull),
    verified: Type.Optional(Type.Boolean()),
    headers: Type.Optional(
      orNull(
        Type.Record(Type.String(), textOrNull, {
          description: 'by name; null takes one away, those that are not named stay',
        }),
      ),
    ),
  },
  { ...strict, $id: 'ServerChange' },
);
type ServerChange = Static<typeof serverChangeSchema>;
type Headers = Readonly<Record<string, string>>;
type Kept = Pick<NonNullable<Awaited<ReturnType<Catalog['credential']>>>, 'headers' | 'machineLogin'>;
const nothingKept: Kept = { headers: {}, machineLogin: null };

/** One server of the catalogue as its operator keeps and changes it. */
export function serverEditRoutes(deps: {
  readonly catalog: Catalog;
  readonly policy: Pick<Policy, 'admin'>;
  /** Throws for a URL that we would not dial. */
  readonly checkUrl: (url: string) => void;
  readonly outputOf: Mcp['outputOf'];
}): Route[] {
  const { catalog, policy, checkUrl, outputOf } = deps;
  const describe = async (id: string) => {
    const [record, credential] = await Promise.all([catalog.get(id), catalog.credential(id)]);
    return json({
      ...describeServer(record),
      kept_headers: Object.keys(credential?.headers ?? {}),
      declared_in: fileOf(record),
      output: outputOf(id).map(({ at, line }) => ({ at: isoTime(at), line })),
    });
  };
  return [
    route({
      method: 'GET',
      url: '/v1/admin/servers/:id',
      summary:
        'One server as its operator keeps it: also which header fields go with its requests, never their values',
      scope: 'admin',
      params: idPath,
      reply: keptServerSchema,
      problems: ['not_found', 'server_gone'],
      handle: ({ params }) => describe(params.id),
    }),
    route({
      method: 'PATCH',
      url: '/v1/admin/servers/:id',
      summary: 'Change what is said of a server; what is not named stays, who may see it too',
      scope: 'admin',
      params: idPath,
      body: serverChangeSchema,
      reply: keptServerSchema,
      problems: ['not_found', 'server_gone', 'conflict'],
      handle: async ({ params: { id }, body, caller }) => {
        const [record, credential] = await Promise.all([catalog.get(id), catalog.credential(id)]);
        refuseDeclared(record);
        const kept = credential ?? nothingKept;
        const input = changed(catalog, { record, kept, change: body });
        const fault = urlFault(input.remoteUrl, checkUrl);
        if (fault !== null) throw new Problem('invalid_request', fault);
        if (caller.role !== undefined && !isAtLeast(caller.role, 'admin'))
          await refuseRights(catalog, policy.admin, [{ input: asRefused(input, kept), rights: null }]);
        await withRights({ catalog, policy }, [{ input, rights: null }], caller, () =>
          catalog.put([input], 'admin', by(caller), record),
        );
        return describe(id);
      },
    }),
  ];
}

function fileOf({ source }: ServerRecord): 'mcp_config' | 'apply' | null {
  if (source === 'config') return 'mcp_config';
  return source === 'apply' ? 'apply' : null;
}

/** The file would say otherwise at its next reading. */
function refuseDeclared(record: ServerRecord): void {
  const file = fileOf(record);
  if (file === null) return;
  const where = file === 'apply' ? 'the file of mcprank apply' : 'the file of --mcp-config';
  throw new Problem('conflict', `${record.id} stands in ${where}: change it there`);
}

function changed(
  catalog: Pick<Catalog, 'parse'>,
  { record, kept, change }: { record: ServerRecord; kept: Kept; change: ServerChange },
): ServerInput {
  const { headers, ...said } = change;
  const entry: Record<string, unknown> = { ...entryOf(record), ...said };
  entry.user_credentials = stillAsked(record, String(entry.remote_url));
  if (headers !== undefined) entry.headers = merged(kept.headers, headers);
  // An address makes a program of the registry a remote server.
  if (record.remoteUrl === null && said.remote_url !== undefined) entry.transport = said.transport;
  const parsed = catalog.parse(entry);
  if (!parsed.ok) throw new Problem('invalid_request', parsed.reason);
  // Our own login is kept with the header fields, and is none of them.
  const input = headers === undefined ? parsed.input : { ...parsed.input, machineLogin: kept.machineLogin };
  const isElsewhere = input.remoteUrl !== record.remoteUrl;
  // What was listed is another server's: the next probe fills in what this one has.
  return isElsewhere && record.remoteUrl !== null ? { ...input, tools: [] } : input;
}

/** What users bring; not what stood in an address that it no longer has. */
function stillAsked({ userCredentials }: ServerRecord, remoteUrl: string): UserCredentials | null {
  if (userCredentials == null) return null;
  const { headers, variables } = userCredentials;
  const named = new Set([remoteUrl, ...Object.values(headers)].flatMap(placeholdersIn));
  return {
    headers,
    variables: Object.fromEntries(Object.entries(variables).filter(([name]) => named.has(name))),
  };
}

/** As it would be added, without what stays where nothing is said: tools, headers, popularity. */
function entryOf(record: ServerRecord): Record<string, unknown> {
  return {
    id: record.id,
    name: record.name,
    description: record.description,
    version: record.version,
    remote_url: record.remoteUrl,
    transport: record.transport,
    auth_type: record.authType,
    category: record.category,
    tags: record.tags,
    // From now on the operator vouches for what it says: not by the mark of a registry.
    verified: record.trusted === true,
    repository_url: record.repositoryUrl,
    launch: record.launch,
    revision: record.protocolRevision,
  };
}

/** Names are compared as HTTP does. */
function merged(kept: Headers, said: Readonly<Record<string, string | null>> | null): Headers {
  const all = new Map(said === null ? [] : Object.entries(kept));
  for (const [name, value] of Object.entries(said ?? {}))
    if (value === null) all.delete(name.toLowerCase());
    else all.set(name.toLowerCase(), value);
  return Object.fromEntries(all);
}

/** What is kept and goes along counts as if nothing was said of it: no other address without the role for it. */
function asRefused(input: ServerInput, kept: Kept): ServerInput {
  const { headers } = input;
  const someStay =
    kept.machineLogin !== null ||
    Object.entries(kept.headers).some(([name, value]) => headers?.[name] === value);
  return someStay ? { ...input, headers: null, machineLogin: null } : input;
}
