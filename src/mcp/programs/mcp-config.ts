import { basename } from 'node:path';
import { sha256Hex } from '../../base/id.ts';
import { isObject } from '../../base/json.ts';
import { Problem } from '../../base/problem.ts';
import type { Program } from '../mcp-model.ts';

/** A server of the operator's own file. Its secrets (headers, environment, arguments, query) live here, in memory, and nowhere else. */
export type LocalServer = {
  readonly id: string;
  readonly transport: 'streamable-http' | 'sse' | 'stdio';
  readonly url: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly program: Program | null;
  /** Changes with any of its secrets: part of the pool's key. */
  readonly credentialVersion: string;
};

const header = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** What the transport itself says; a file that sets them would break the exchange or the address guard's promises. */
const ownHeaders =
  /^(host|connection|content-length|transfer-encoding|te|upgrade|expect|content-type|accept|accept-encoding|mcp-.*|proxy-.*)$/i;

/** The `{"mcpServers": {name: {command, args, env} | {url, headers}}}` form; all faults at once, as `setup`. */
export function parseMcpConfig(text: string): readonly LocalServer[] {
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\ufeff/, ''));
  } catch {
    throw new Problem('setup', 'The MCP configuration is not JSON');
  }
  const servers = isObject(value) ? value.mcpServers : undefined;
  if (!isObject(servers))
    throw new Problem(
      'setup',
      'The MCP configuration has no servers; expected {"mcpServers": {"name": {"command": …} or {"url": …}}}',
    );
  const faults: string[] = [];
  const parsed = Object.entries(servers).flatMap(([name, entry]) => {
    if (isObject(entry) && (entry.disabled === true || entry.enabled === false)) return [];
    const server = parseServer(name, entry, (fault) => faults.push(`  ${name}: ${fault}`));
    return server === null ? [] : [server];
  });
  if (faults.length > 0)
    throw new Problem('setup', `The MCP configuration has faults:\n${faults.join('\n')}`);
  return parsed;
}

function parseServer(id: string, entry: unknown, fault: (text: string) => void): LocalServer | null {
  const before = { faulty: false };
  const refuse = (text: string) => {
    before.faulty = true;
    fault(text);
  };
  if (!/^[^\p{C}]{1,200}$/u.test(id)) refuse('expected a name of 1 to 200 printable characters');
  if (!isObject(entry)) {
    refuse('expected an object');
    return null;
  }
  const program = entry.command === undefined ? null : parseProgram(entry, refuse);
  const url = entry.url === undefined ? null : parseUrl(entry.url, refuse);
  if ((entry.command === undefined) === (entry.url === undefined)) refuse('expected either command or url');
  const headers = texts(entry.headers, 'headers', refuse);
  for (const [name, text] of Object.entries(headers)) {
    if (!header.test(name) || /[\r\n\0]/.test(text))
      refuse(`headers: ${JSON.stringify(name)} is not a header field`);
    else if (ownHeaders.test(name)) refuse(`headers: ${name} is set by the transport itself`);
  }
  if (before.faulty) return null;
  return {
    id,
    transport: program !== null ? 'stdio' : isSse(entry) ? 'sse' : 'streamable-http',
    url,
    program,
    headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name.toLowerCase(), text])),
    credentialVersion: sha256Hex(JSON.stringify([url, headers, program])).slice(0, 16),
  };
}

function isSse(entry: Readonly<Record<string, unknown>>): boolean {
  return entry.type === 'sse' || entry.transport === 'sse';
}

function parseProgram(
  entry: Readonly<Record<string, unknown>>,
  refuse: (text: string) => void,
): Program | null {
  const { command, args = [], cwd } = entry;
  if (typeof command !== 'string' || command === '') refuse('command: expected a text');
  if (!Array.isArray(args) || !args.every((arg) => typeof arg === 'string'))
    refuse('args: expected an array of texts');
  if (cwd !== undefined && typeof cwd !== 'string') refuse('cwd: expected a path');
  return {
    command: String(command),
    args: Array.isArray(args) ? args.map(String) : [],
    env: texts(entry.env, 'env', refuse),
    ...(typeof cwd === 'string' ? { cwd } : {}),
  };
}

function parseUrl(value: unknown, refuse: (text: string) => void): string | null {
  const url = typeof value === 'string' ? URL.parse(value) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.hash !== '') {
    refuse('url: expected an http(s) URL without user name and fragment');
    return null;
  }
  return url.href;
}

function texts(
  value: unknown,
  field: string,
  refuse: (text: string) => void,
): Readonly<Record<string, string>> {
  if (value === undefined || value === null) return {};
  if (isObject(value) && Object.values(value).every((each) => typeof each === 'string'))
    return value as Readonly<Record<string, string>>;
  refuse(`${field}: expected an object of texts`);
  return {};
}

/** What the catalogue may know of it: names, never values. */
export function describeLocal(server: LocalServer): Readonly<Record<string, unknown>> {
  const address = server.url === null ? null : new URL(server.url);
  return {
    id: server.id,
    name: server.id,
    transport: server.transport,
    ...(address === null ? {} : { remote_url: address.origin + address.pathname }),
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
