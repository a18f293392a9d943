import { basename } from 'node:path';
import { sha256Hex } from '../../base/id.ts';
import { isObject } from '../../base/json.ts';
import { Problem } from '../../base/problem.ts';
import type { Program } from '../mcp-model.ts';
import { modernRevision, sessionRevisions } from '../messages/rpc-message.ts';
import {
  expandPlaceholders,
  namesCaller,
  PlaceholderFault,
  type PlaceholderSource,
} from './config-placeholders.ts';
import { parseConfigText } from './config-text.ts';

/** A server of the operator's own file. Its secrets (headers, environment, arguments, query) live here, in memory, and nowhere else. */
export type LocalServer = {
  readonly id: string;
  readonly transport: 'streamable-http' | 'sse' | 'stdio';
  readonly url: string | null;
  /** Of the URL what the catalogue may know. */
  readonly publicUrl: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly program: Program | null;
  /** The revision that the operator wants it spoken to in; null: what it speaks itself. */
  readonly revision: string | null;
  /** Changes with its address, its program, and any of their values: part of the pool's key, and of what an approval is bound to. */
  readonly credentialVersion: string;
};

/** What of a file was not taken: an entry, or a field of one that serves without it. */
export type ConfigWarning = { readonly entry: string; readonly reason: string; readonly isLeftOut: boolean };

export type ConfigSource = Partial<PlaceholderSource> & {
  readonly warn?: ((warning: ConfigWarning) => void) | undefined;
};

type Entry = Readonly<Record<string, unknown>>;
/** Why an entry cannot be used; its message names the field. */
class EntryFault extends Error {}

const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const headerValue = /^[\t\x20-\x7e\x80-\xff]*$/;
/** What the transport itself says; a file that sets them would break the exchange or the address guard's promises. */
const ownHeaders =
  /^(host|connection|content-length|transfer-encoding|te|upgrade|expect|content-type|accept|accept-encoding|mcp-.*|proxy-.*)$/i;

/** Under which name clients keep their servers: Claude, Cursor, Windsurf, Gemini CLI; VS Code; Zed; OpenCode. */
const serverLists = ['mcpServers', 'servers', 'context_servers', 'mcp'];

/**
 * A desktop client's file as it is. What can be understood of it is; an entry that cannot is left out, with one warning
 * that names it and its fields and none of its values. Throws `setup` where the file is no JSON or holds no servers.
 */
export function parseMcpConfig(text: string | Buffer, source: ConfigSource = {}): readonly LocalServer[] {
  const { file = 'MCP configuration', environment = {}, warn = () => undefined } = source;
  return entriesIn(parseConfigText(text, file), file).flatMap(([id, entry]) => {
    const ignored: string[] = [];
    try {
      if (isObject(entry) && isDisabled(entry)) return [];
      const server = parseServer(id, entry, { file, environment, ignored });
      if (ignored.length > 0) warn({ entry: id, reason: ignored.join(', '), isLeftOut: false });
      return [server];
    } catch (error) {
      if (!(error instanceof EntryFault)) throw error;
      warn({ entry: id.slice(0, 200), reason: error.message, isLeftOut: true });
      return [];
    }
  });
}

function entriesIn(value: unknown, file: string): readonly (readonly [string, unknown])[] {
  const root = isObject(value) ? value : {};
  const lists = serverLists.map((name) => root[name]).filter((list) => list !== undefined && list !== null);
  // VS Code's settings keep the list one deeper; some files are the list itself.
  const found = lists.map((list) => (isObject(list) && isObject(list.servers) ? list.servers : list));
  if (found.length === 0 && Object.keys(root).length > 0 && Object.values(root).every(isServer))
    found.push(root);
  if (found.length === 0 || !found.every(isObject))
    throw new Problem(
      'setup',
      `${file}: the MCP configuration has no servers; expected {"mcpServers": {"name": {"command": …} or {"url": …}}}`,
    );
  return found.flatMap((list) => Object.entries(list));
}

function isServer(entry: unknown): boolean {
  return isObject(entry) && (given(entry.command) || urlIn(entry) !== undefined);
}

/** Absent, null and empty say the same. */
function given(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}

function isDisabled({ disabled, enabled, isActive }: Entry): boolean {
  return disabled === true || enabled === false || isActive === false;
}

type Reading = PlaceholderSource & { readonly ignored: string[] };

function parseServer(id: string, value: unknown, reading: Reading): LocalServer {
  if (!/^[^\p{C}]{1,200}$/u.test(id))
    throw new EntryFault('expected a name of 1 to 200 printable characters');
  if (!isObject(value)) throw new EntryFault('expected an object');
  const type = typeOf(value);
  const rawUrl = type === 'stdio' ? undefined : urlIn(value);
  const hasCommand = given(value.command) && (rawUrl === undefined || type === null);
  if (hasCommand === (rawUrl !== undefined)) throw new EntryFault('expected either command or url');
  const program = hasCommand ? parseProgram(value, reading) : null;
  const url = hasCommand ? null : parseUrl(rawUrl, reading);
  const headers = hasCommand ? {} : parseHeaders(value.headers, reading);
  return {
    id,
    transport: hasCommand ? 'stdio' : type === 'sse' ? 'sse' : 'streamable-http',
    url,
    publicUrl: url === null ? null : publicPart(url, String(rawUrl)),
    program,
    headers,
    revision: parseRevision(value.revision, reading),
    credentialVersion: sha256Hex(JSON.stringify([url, headers, program, value.revision])).slice(0, 16),
  };
}

/** `url` everywhere, `serverUrl` in Windsurf, `httpUrl` in Gemini CLI. */
function urlIn(entry: Entry): unknown {
  return [entry.httpUrl, entry.serverUrl, entry.url].find(given);
}

/** How the server is reached, where the entry says it; what clients call it differs. */
function typeOf(entry: Entry): 'stdio' | 'http' | 'sse' | null {
  const type = [entry.type, entry.transport, entry.transportType].find((each) => typeof each === 'string');
  const plain = String(type ?? '')
    .toLowerCase()
    .replace(/[^a-z]/g, '');
  if (plain === 'stdio' || plain === 'local') return 'stdio';
  if (plain === 'sse') return 'sse';
  if (plain === 'ws' || plain === 'websocket') throw new EntryFault('type: expected stdio, http or sse');
  return plain === '' ? null : 'http';
}

function parseRevision(value: unknown, { ignored }: Reading): string | null {
  if (!given(value)) return null;
  if (typeof value === 'string' && [modernRevision, ...sessionRevisions].includes(value)) return value;
  ignored.push('revision: expected one of the MCP specification');
  return null;
}

function parseProgram(entry: Entry, reading: Reading): Program {
  const { command, args } = commandIn(entry, reading);
  const env = parseTexts(entry.env ?? entry.environment, 'env', reading);
  const cwd = given(entry.cwd) ? textOf(entry.cwd, 'cwd', reading) : undefined;
  if (given(entry.envFile)) reading.ignored.push('envFile: not read, put its values into env');
  return {
    command,
    args,
    env,
    ...(cwd === undefined ? {} : { cwd }),
    isShared: entry.shared === true,
    isOfCaller: namesCaller([command, ...args, ...Object.values(env), cwd ?? '']),
  };
}

/** A text with a list beside it; one list of both (OpenCode); an object with both (older Zed). */
function commandIn(entry: Entry, reading: Reading): Pick<Program, 'command' | 'args'> {
  const { command } = entry;
  if (isObject(command)) return commandIn({ command: command.path, args: command.args }, reading);
  const whole = Array.isArray(command) ? command : [command];
  const list = entry.args ?? [];
  if (!Array.isArray(list)) throw new EntryFault('args: expected an array of texts');
  const [first = '', ...args] = [
    ...whole.map((each) => textOf(each, 'command', reading)),
    ...list.map((each, i) => textOf(each, `args[${i}]`, reading)),
  ];
  if (first === '') throw new EntryFault('command: expected a text');
  return { command: first, args };
}

function parseUrl(value: unknown, reading: Reading): string {
  const url = URL.parse(textOf(value, 'url', reading).trim());
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '')
    throw new EntryFault('url: expected an http(s) URL without user name');
  if (/\$(\{|%7B)(developer|user)(\}|%7D)/i.test(url.href))
    throw new EntryFault('url: placeholders for callers are for programs only');
  url.hash = '';
  return url.href;
}

/** What came out of the environment may be a secret, in the path as well as in the query. */
function publicPart(url: string, raw: string): string {
  const { origin, pathname } = new URL(url);
  return raw.includes('${') ? `${origin}/` : origin + pathname;
}

function parseHeaders(value: unknown, reading: Reading): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, given] of Object.entries(parseTexts(value, 'headers', reading))) {
    // A token that was read from a file ends with a line break.
    const text = given.trim();
    if (!headerName.test(name) || !headerValue.test(text))
      throw new EntryFault(`headers: ${JSON.stringify(name.slice(0, 100))} is not a header field`);
    if (namesCaller([text]))
      throw new EntryFault(`headers.${name}: placeholders for callers are for programs only`);
    if (ownHeaders.test(name)) reading.ignored.push(`headers.${name}: the transport sets it itself`);
    else headers[name.toLowerCase()] = text;
  }
  return headers;
}

/** Numbers and truth values are written as people write them; what is null is absent. */
function parseTexts(value: unknown, field: string, reading: Reading): Record<string, string> {
  if (!given(value)) return {};
  if (!isObject(value)) throw new EntryFault(`${field}: expected an object of texts`);
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, each]) =>
      each === null ? [] : [[name, textOf(each, `${field}.${name.slice(0, 100)}`, reading)]],
    ),
  );
}

function textOf(value: unknown, field: string, reading: Reading): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value !== 'string') throw new EntryFault(`${field}: expected a text`);
  // No program can be given one.
  if (value.includes('\0')) throw new EntryFault(`${field}: expected a text without NUL`);
  try {
    return expandPlaceholders(value, reading);
  } catch (error) {
    if (!(error instanceof PlaceholderFault)) throw error;
    throw new EntryFault(`${field}: ${error.message}`);
  }
}

/** What the catalogue may know of it: names, never values. */
export function describeLocal(server: LocalServer): Readonly<Record<string, unknown>> {
  return {
    id: server.id,
    name: server.id,
    transport: server.transport,
    ...(server.publicUrl === null ? {} : { remote_url: server.publicUrl }),
    ...(server.program === null
      ? {}
      : {
          launch: {
            registryType: 'command',
            identifier: basename(server.program.command),
            env: Object.keys(server.program.env),
          },
        }),
  };
}

/** Hosts that the operator's file vouches for: the address guard lets them through even when private or over http. */
export function trustedHosts(servers: readonly LocalServer[]): readonly string[] {
  return servers.flatMap(({ url }) => {
    if (url === null) return [];
    const { hostname, port, protocol } = new URL(url);
    return [`${hostname}:${port === '' ? (protocol === 'https:' ? 443 : 80) : port}`];
  });
}
