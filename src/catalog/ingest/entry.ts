import { isObject } from '../../base/json.ts';
import { JsonText } from '../../base/json-text.ts';
import { Problem } from '../../base/problem.ts';
import type { AuthType, CatalogTool, Launch, ServerInput, Transport } from '../catalog-model.ts';
import { priorOf } from '../invocations/popularity.ts';
import {
  describe,
  type Fields,
  lineText,
  optionalLine,
  type Parsed,
  parseHeaders,
  parseUrl,
  printableText,
  refuse,
} from './fields.ts';
import { isRegistryEntry, parseRegistryEntry } from './registry-entry.ts';
import { cleanJson } from './scrub.ts';
import { parseMachineLogin, parseUserCredentials } from './user-inputs.ts';

/** `strict` refuses a server with a fault anywhere; `lenient` leaves out the faulty part and notes it. */
export type Strictness = 'strict' | 'lenient';

const maxTools = 10_000;
const maxToolName = 128;
const maxSchemaBytes = 65_536;
const maxTags = 50;
const anySchema = '{"type":"object"}';

export function parseEntry(value: unknown, strictness: Strictness): Parsed {
  if (!isObject(value)) return { kind: 'bad', id: null, reason: 'expected a JSON object' };
  try {
    if (isRegistryEntry(value)) return parseRegistryEntry(value);
    const notes: string[] = [];
    const input = parseServer(value, strictness, notes);
    return { kind: 'server', id: input.id, input, notes };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const id = value.id ?? (isObject(value.server) ? value.server.name : value.name);
    return { kind: 'bad', id: typeof id === 'string' ? id : null, reason: error.detail };
  }
}

function parseServer(row: Fields, strictness: Strictness, notes: string[]): ServerInput {
  const id = printableText(row.id, 'id', 200);
  const remoteUrl = parseUrl(row.remote_url, 'remote_url', notes);
  const protocolRevision = parseRevision(row.revision, strictness, notes);
  const machineLogin = parseMachineLogin(row.client_credentials);
  const userCredentials = parseUserCredentials(row.user_credentials, remoteUrl);
  return {
    id,
    name: lineText(row.name, 'name', 200),
    description: describe(row.description, 'description', notes),
    version: optionalLine(row.version, 'version', 100),
    remoteUrl,
    transport: parseTransport(row.transport, remoteUrl),
    authType: parseAuth(row.auth_type, row.oauth) ?? (userCredentials === null ? null : 'api_key'),
    category: optionalLine(row.category, 'category', 100),
    tags: parseTags(row.tags),
    verified: row.verified === true,
    repositoryUrl: parseUrl(row.repository_url, 'repository_url', notes, 'or nothing'),
    launch: parseLaunch(row.launch),
    ...(protocolRevision !== null && { protocolRevision }),
    ...(userCredentials !== null && { userCredentials }),
    prior: priorOf(row.popularity),
    headers: parseHeaders(row.headers),
    ...(machineLogin !== null && { machineLogin }),
    tools: parseTools(row.tools, strictness, notes),
  };
}

/** Of the Model Context Protocol. */
const revisions: readonly unknown[] = ['2026-07-28', '2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'];

function parseRevision(value: unknown, strictness: Strictness, notes: string[]): string | null {
  if (value === undefined || value === null || value === '') return null;
  if (typeof value === 'string' && revisions.includes(value)) return value;
  const expected = `expected one of ${revisions.join(', ')}`;
  if (strictness === 'strict') return refuse('revision', expected);
  notes.push(`revision: ${expected}`);
  return null;
}

function parseTransport(value: unknown, remoteUrl: string | null): Transport {
  const transport = value ?? (remoteUrl === null ? 'stdio' : 'streamable-http');
  if (transport !== 'streamable-http' && transport !== 'sse' && transport !== 'stdio')
    return refuse('transport', 'expected streamable-http, sse or stdio');
  if (transport === 'stdio' && remoteUrl !== null)
    return refuse('remote_url', 'expected none with transport stdio');
  if (transport !== 'stdio' && remoteUrl === null)
    return refuse('remote_url', `expected an http(s) URL with transport ${transport}`);
  return transport;
}

function parseAuth(value: unknown, oauth: unknown): AuthType | null {
  if (value === undefined && isObject(oauth)) return 'oauth2';
  if (value === undefined || value === null || value === 'none') return null;
  if (value === 'api_key' || value === 'bearer' || value === 'oauth2') return value;
  return refuse('auth_type', 'expected null, api_key, bearer or oauth2');
}

function parseTags(value: unknown): string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) return refuse('tags', 'expected an array of texts');
  const tags = value.slice(0, maxTags).map((tag, i) => lineText(tag, `tags[${i}]`, 100));
  return [...new Set(tags)];
}

function parseLaunch(value: unknown): Launch | null {
  if (value === undefined || value === null) return null;
  if (!isObject(value)) return refuse('launch', 'expected an object');
  const texts = (list: unknown, field: string) =>
    (Array.isArray(list) ? list.slice(0, 100) : []).map((each) => lineText(each, `launch.${field}`, 1_000));
  return {
    registryType: lineText(value.registryType, 'launch.registryType', 50),
    identifier: lineText(value.identifier, 'launch.identifier', 500),
    version: optionalLine(value.version, 'launch.version', 100),
    runtimeHint: optionalLine(value.runtimeHint, 'launch.runtimeHint', 100),
    args: texts(value.args, 'args'),
    env: texts(value.env, 'env'),
  };
}

/** The tools of one server, each cleaned; null when there is no list at all. */
export function parseTools(value: unknown, strictness: Strictness, notes: string[]): CatalogTool[] | null {
  if (value === undefined || value === null) return null;
  if (!Array.isArray(value)) return refuse('tools', 'expected an array');
  if (value.length > maxTools) {
    if (strictness === 'strict')
      return refuse('tools', `expected at most ${maxTools}, found ${value.length}`);
    notes.push(`tools: the first ${maxTools} of ${value.length} are kept`);
  }
  const tools = new Map<string, CatalogTool>();
  for (const [i, each] of value.slice(0, maxTools).entries()) {
    try {
      const tool = parseTool(each, `tools[${i}]`, notes);
      if (tools.has(tool.name))
        notes.push(`tools[${i}].name: "${tool.name}" is there twice, the first is kept`);
      else tools.set(tool.name, tool);
    } catch (error) {
      if (strictness === 'strict' || !(error instanceof Problem)) throw error;
      notes.push(`${error.detail}; the tool is left out`);
    }
  }
  return [...tools.values()];
}

function parseTool(value: unknown, field: string, notes: string[]): CatalogTool {
  if (!isObject(value)) return refuse(field, 'expected an object');
  const details = parseDetails(value, field, notes);
  return {
    name: printableText(value.name, `${field}.name`, maxToolName),
    description: describe(value.description, `${field}.description`, notes),
    inputSchema: parseSchema(value.inputSchema ?? value.input_schema, `${field}.inputSchema`, notes),
    ...(details === undefined ? {} : { details }),
  };
}

const detailNames = ['title', 'annotations', 'outputSchema', 'icons', 'execution', '_meta'] as const;

/** Output schemas of real tools have up to 80 KB. */
const maxDetailsBytes = 262_144;

/** What else is said of a tool, as it came: members of an object's text. Where that is too much the largest are left out. */
function parseDetails(tool: Fields, field: string, notes: string[]): string | undefined {
  const members: { readonly name: string; readonly text: string }[] = [];
  for (const name of detailNames) {
    const given = tool[name];
    if (given === undefined || given === null) continue;
    try {
      members.push({ name, text: `"${name}":${cleanText(given)}` });
    } catch (error) {
      // V8 throws RangeError where the nesting exhausts its stack.
      if (!(error instanceof RangeError)) throw error;
      notes.push(`${field}.${name}: nested too deeply, left out`);
    }
  }
  const bytesOf = ({ text }: { readonly text: string }) => Buffer.byteLength(text) + 1;
  let bytes = members.reduce((sum, member) => sum + bytesOf(member), 1);
  for (const member of members.toSorted((a, b) => bytesOf(b) - bytesOf(a))) {
    if (bytes <= maxDetailsBytes) break;
    bytes -= bytesOf(member);
    members.splice(members.indexOf(member), 1);
    notes.push(`${field}.${member.name}: too large, left out (a tool has ${maxDetailsBytes / 1024} KB)`);
  }
  return members.length === 0 ? undefined : `{${members.map(({ text }) => text).join(',')}}`;
}

function cleanText(given: unknown): string {
  return given instanceof JsonText
    ? cleanSchemaText(JSON.parse(given.text), given)
    : JSON.stringify(cleanJson(given));
}

/** The schema as text, as it came where nothing in it had to be cleaned. What is no object, too large or too deep is replaced by one that allows anything. */
function parseSchema(given: unknown, field: string, notes: string[]): string {
  if (given === undefined || given === null) return anySchema;
  const value: unknown = given instanceof JsonText ? JSON.parse(given.text) : given;
  if (!isObject(value)) {
    notes.push(`${field}: expected an object, replaced by ${anySchema}`);
    return anySchema;
  }
  if (Object.keys(value).length === 0) return anySchema;
  try {
    const text = cleanSchemaText(value, given);
    if (Buffer.byteLength(text) <= maxSchemaBytes) return text;
    notes.push(`${field}: larger than ${maxSchemaBytes / 1024} KB, replaced by ${anySchema}`);
  } catch (error) {
    // V8 throws RangeError where the nesting exhausts its stack.
    if (!(error instanceof RangeError)) throw error;
    notes.push(`${field}: nested too deeply, replaced by ${anySchema}`);
  }
  return anySchema;
}

function cleanSchemaText(value: unknown, given: unknown): string {
  const clean = JSON.stringify(cleanJson(value));
  const isUntouched = given instanceof JsonText && clean === JSON.stringify(value);
  // White space may be what makes it too large.
  return isUntouched && Buffer.byteLength(given.text) <= maxSchemaBytes ? given.text : clean;
}
