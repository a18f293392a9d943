import { isObject } from '../../base/json.ts';
import type { UserCredentials } from '../../base/user-credentials.ts';
import type { AuthType, Launch, ServerInput, Transport } from '../catalog-model.ts';
import { priorOf } from '../invocations/popularity.ts';
import {
  describe,
  type Fields,
  lineText,
  optionalLine,
  type Parsed,
  parseUrl,
  printableText,
  refuse,
} from './fields.ts';
import { cleanText } from './scrub.ts';
import { userCredentialsOf } from './user-inputs.ts';

/** Where the registry keeps its own facts about an entry (and, before 2025-09, its two other places for them). */
const officialMeta = 'io.modelcontextprotocol.registry/official';

/** A registry's `{server, _meta}` or a bare server.json, of any schema from 2025-07-09 to 2025-12-11; the catalog format has an `id`. */
export function isRegistryEntry(row: Fields): boolean {
  if (isObject(row.server)) return true;
  return (
    row.id === undefined && ['$schema', 'remotes', 'packages', 'version_detail'].some((key) => key in row)
  );
}

export function parseRegistryEntry(row: Fields): Parsed {
  const server = isObject(row.server) ? row.server : row;
  const id = printableText(server.name, 'server.name', 200);
  const official = officialFacts(row, server);
  const status = official.status ?? server.status ?? 'active';
  if (status === 'deleted') return { kind: 'gone', id };
  const versionDetail = isObject(server.version_detail) ? server.version_detail : {};
  if ((either(official, 'isLatest') ?? either(versionDetail, 'isLatest')) === false)
    return { kind: 'superseded', id };
  const notes: string[] = [];
  const remote = pickRemote(listOf(server.remotes));
  const remoteUrl = remote === undefined ? null : parseUrl(remote.url, 'remotes.url', notes);
  const userCredentials = userCredentialsOf(remote, remoteUrl);
  const input: ServerInput = {
    id,
    name: optionalLine(server.title, 'server.title', 200) ?? id,
    description: describe(server.description, 'server.description', notes),
    version: optionalLine(server.version ?? versionDetail.version, 'server.version', 255),
    remoteUrl,
    transport: remoteUrl === null ? 'stdio' : transportOf(remote),
    authType: remote === undefined ? null : authOf(listOf(remote.headers), userCredentials),
    category: null,
    tags: status === 'deprecated' ? ['deprecated'] : [],
    verified: remoteUrl !== null && isOwnDomain(id, remoteUrl),
    repositoryUrl: isObject(server.repository)
      ? parseUrl(server.repository.url, 'repository.url', notes, 'or nothing')
      : null,
    launch: launchOf(listOf(server.packages)),
    ...(userCredentials !== null && { userCredentials }),
    prior: priorOf(row.popularity),
    headers: null,
    // An entry does not list its tools: what is known of them from elsewhere stays.
    tools: null,
  };
  return { kind: 'server', id, input, notes };
}

function officialFacts(row: Fields, server: Fields): Fields {
  for (const holder of [row._meta, server._meta]) {
    if (isObject(holder) && isObject(holder[officialMeta])) return holder[officialMeta];
  }
  const early = row['x-io.modelcontextprotocol.registry'];
  return isObject(early) ? early : {};
}

/** Streamable HTTP before SSE; anything else is not spoken here. */
function pickRemote(remotes: readonly Fields[]): Fields | undefined {
  return (
    remotes.find((remote) => transportOf(remote) === 'streamable-http') ??
    remotes.find((remote) => transportOf(remote) === 'sse')
  );
}

function transportOf(remote: Fields | undefined): Transport {
  const type = remote?.type ?? remote?.transport_type;
  if (type === 'sse') return 'sse';
  return type === 'streamable-http' || type === 'streamable' || type === 'http' ? 'streamable-http' : 'stdio';
}

/** What the declared headers say about authorisation; none declared may still mean OAuth, which only a probe tells. */
function authOf(headers: readonly Fields[], asked: UserCredentials | null): AuthType | null {
  const secret = headers.find(
    (header) => either(header, 'isSecret') === true || String(header.name).toLowerCase() === 'authorization',
  );
  if (secret === undefined)
    return Object.values(asked?.variables ?? {}).some(({ required }) => required) ? 'api_key' : null;
  return String(secret.name).toLowerCase() === 'authorization' ? 'bearer' : 'api_key';
}

/** The registry proves a namespace by DNS or HTTP: `com.notion/…` served from notion.com is its publisher's own. */
function isOwnDomain(id: string, remoteUrl: string): boolean {
  const domain = (id.split('/')[0] ?? '').split('.').reverse().join('.').toLowerCase();
  const host = URL.parse(remoteUrl.replace(/\{[^{}]*\}/g, 'x'))?.hostname ?? '';
  return domain.includes('.') && domain !== 'github.io' && (host === domain || host.endsWith(`.${domain}`));
}

function launchOf(packages: readonly Fields[]): Launch | null {
  const stdio = packages.find((each) => !isObject(each.transport) || each.transport.type === 'stdio');
  const chosen = stdio ?? packages[0];
  const identifier = chosen?.identifier ?? chosen?.name;
  if (chosen === undefined || identifier === undefined) return null;
  const type = either(chosen, 'registryType') ?? chosen.registry_name;
  return {
    registryType: lineText(type, 'packages.registryType', 50),
    identifier: lineText(identifier, 'packages.identifier', 2_048),
    version: optionalLine(chosen.version, 'packages.version', 255),
    runtimeHint: optionalLine(either(chosen, 'runtimeHint'), 'packages.runtimeHint', 100),
    args: listOf(either(chosen, 'packageArguments')).flatMap(argumentOf),
    env: listOf(either(chosen, 'environmentVariables')).flatMap(({ name }) =>
      typeof name === 'string' && name !== '' && name.length <= 200 ? [cleanText(name)] : [],
    ),
  };
}

/** Arguments with a fixed value; the others are for the user to fill in. */
function argumentOf(argument: Fields): string[] {
  const value = argument.value ?? argument.default;
  if (typeof value !== 'string' || value.length > 1_000) return [];
  const name = argument.name;
  return argument.type === 'named' && typeof name === 'string'
    ? [name, cleanText(value)]
    : [cleanText(value)];
}

/** A field under its present name or its older snake_case one. */
function either(fields: Fields, name: string): unknown {
  return fields[name] ?? fields[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)];
}

function listOf(value: unknown): Fields[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value))
    return refuse('server', 'expected remotes, packages, headers and arguments as arrays');
  return value.filter(isObject);
}
