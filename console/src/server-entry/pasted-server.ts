/** What somebody pasted: a URL, a client's mcp.json (whole or a part of it), or a command line that adds a server. */

export type PastedServer = {
  /** As the file names it; empty where there was no name. */
  readonly name: string;
  readonly url: string;
  readonly transport: 'streamable-http' | 'sse';
  readonly headers: readonly Header[];
};
export type Header = { readonly name: string; readonly value: string };
export type Pasted = {
  readonly servers: readonly PastedServer[];
  /** Names of programs: they are started where the service runs, by its own file. */
  readonly programs: readonly string[];
};

const nothing: Pasted = { servers: [], programs: [] };
/** `${input:key}`, `{{key}}`, `{env:KEY}`, `<your key>`, `$KEY`, YOUR_API_KEY. */
const placeholder = /\$\{|\{\{|\{env:|<[^>]+>|\$[A-Z_]{2,}|\bYOUR[_-]/i;
type Fields = Readonly<Record<string, unknown>>;
/** Under which name clients keep their servers. */
const lists = ['mcpServers', 'servers', 'context_servers', 'mcp'];

/** null: it is nothing of the kind. */
export function parsePasted(text: string): Pasted | null {
  const trimmed = text.trim();
  if (trimmed === '') return nothing;
  if (/^https?:\/\/\S+$/i.test(trimmed) && URL.canParse(trimmed))
    return { ...nothing, servers: [serverAt('', trimmed, {})] };
  const json = withoutComments(trimmed);
  if (/^[{"]/.test(json)) return fromJson(json);
  return fromCommand(trimmed);
}

function fromJson(text: string): Pasted | null {
  // A part of a file begins with a name, and may end with a comma.
  const whole = text.startsWith('"') ? `{${text.replace(/,\s*$/, '')}}` : text;
  let value: unknown;
  try {
    value = JSON.parse(whole);
  } catch {
    return null;
  }
  const root = fieldsOf(value);
  const entries = isServer(root) ? [['', root] as const] : Object.entries(listIn(root));
  const servers: PastedServer[] = [];
  const programs: string[] = [];
  for (const [name, entry] of entries) {
    const { command, headers, type } = fieldsOf(entry);
    const url = urlOf(fieldsOf(entry));
    if (url !== undefined) servers.push(serverAt(name, url, fieldsOf(headers), type));
    else if (command !== undefined) programs.push(name);
  }
  return servers.length + programs.length === 0 ? null : { servers, programs };
}

/** Editors' files have comments, and commas behind the last of a list; neither within a text. */
function withoutComments(text: string): string {
  const kept = (_: string, quoted?: string) => quoted ?? '';
  return text
    .replace(/("(?:\\.|[^"\\])*")|\/\/.*|\/\*[\s\S]*?\*\//g, kept)
    .replace(/("(?:\\.|[^"\\])*")|,(?=\s*[}\]])/g, kept)
    .trim();
}

/** The servers by their names: of an editor's settings they are a part of a part. */
function listIn(fields: Fields): Fields {
  const listed = lists
    .map((name) => fields[name])
    .find((list) => list !== undefined && !isServer(fieldsOf(list)));
  return listed === undefined ? fields : listIn(fieldsOf(listed));
}

/** `claude mcp add --transport http NAME URL --header "Name: value"`, or the like. */
function fromCommand(text: string): Pasted | null {
  const url = /\bhttps?:\/\/[^\s"']+/i.exec(text)?.[0];
  if (url === undefined || !URL.canParse(url)) return null;
  const headers: Record<string, string> = {};
  for (const [, , name = '', value = ''] of text.matchAll(/(?:--header|-H)[ =](["'])([^:"']+):\s*(.*?)\1/g))
    headers[name] = value;
  const named = / ([\w.-]+) +["']?https?:/.exec(text)?.[1] ?? '';
  return { ...nothing, servers: [serverAt(/^(http|sse|add)$/.test(named) ? '' : named, url, headers)] };
}

function serverAt(name: string, url: string, headers: Fields, type?: unknown): PastedServer {
  return {
    name,
    url,
    transport: type === 'sse' || /\/sse\/?$/.test(url) ? 'sse' : 'streamable-http',
    headers: Object.entries(headers).flatMap(([header, value]) =>
      // A placeholder is for whoever has the value.
      typeof value === 'string' ? [{ name: header, value: placeholder.test(value) ? '' : value }] : [],
    ),
  };
}

function isServer(entry: Fields): boolean {
  return urlOf(entry) !== undefined || typeof entry.command === 'string';
}

function urlOf({ url, serverUrl, httpUrl }: Fields): string | undefined {
  return [url, serverUrl, httpUrl].find(
    (each): each is string => typeof each === 'string' && URL.canParse(each),
  );
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

/** An id as the registry writes them: the domain backwards, and a word. */
export function suggestId(url: string, name: string): string {
  const { hostname, port, pathname } = new URL(url);
  const word = slug(name) || slug(pathname.split('/').filter(Boolean).at(-1) ?? '') || 'mcp';
  if (/^[\d.]+$|^\[|^localhost$/.test(hostname)) return `local/${slug(name) || port || word}`;
  const labels = hostname.split('.').filter((label, i) => i > 0 || !/^(www|mcp|api)$/.test(label));
  return `${labels.reverse().join('.')}/${word}`;
}

function slug(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 60);
}
