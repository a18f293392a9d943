import { type JsonView, membersOf, scanJson } from '../../base/json-scanner.ts';
import {
  changedMembers,
  changeMembers,
  type JsonPart,
  type JsonParts,
  joinJson,
} from '../../base/json-splice.ts';
import type { RpcParams, RpcRequest } from '../mcp-model.ts';
import { isReserved, modernRevision } from './rpc-message.ts';

/** Writing requests: our own head and metadata around the spans that the caller sent. */

export const clientInfo = { name: 'mcprank', version: '1' };
/** What our callers can answer by way of `input_required`. */
export const clientCapabilities = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };

const modernMeta = JSON.stringify({
  'io.modelcontextprotocol/protocolVersion': modernRevision,
  'io.modelcontextprotocol/clientInfo': clientInfo,
  'io.modelcontextprotocol/clientCapabilities': clientCapabilities,
}).slice(1, -1);
/** Of the protocol's own metadata, what a caller may ask of the server itself. */
const logLevel = 'io.modelcontextprotocol/logLevel';
const askedByCaller: ReadonlySet<string> = new Set([logLevel]);
const nothing: ReadonlySet<string> = new Set();

/** The members of these params beside `_meta` are replaced or added by other code: they are no part of what was asked. */
const notAsked = { _meta: null, inputResponses: null, requestState: null } as const;

export const noParams: RpcParams = {
  members: [],
  name: undefined,
  uri: undefined,
  arguments: undefined,
  meta: undefined,
};

/** The params of a request as a client sent them. */
export function paramsOf(view: JsonView | undefined): RpcParams {
  if (view === undefined) return noParams;
  const meta = view.present('_meta');
  return {
    members: changedMembers(view, notAsked),
    name: view.get('name')?.string(),
    uri: view.get('uri')?.string(),
    arguments: view.present('arguments'),
    meta,
  };
}

/** The params of a tools/call, put together from what was sent apart. */
export function toolParams(name: string, args: JsonView | undefined, meta?: JsonView): RpcParams {
  const text: JsonPart = args === undefined ? '{}' : args.span();
  return {
    members: [`"name":${JSON.stringify(name)},"arguments":`, text],
    name,
    uri: undefined,
    arguments: args,
    meta,
  };
}

/** The params of a request of our own. */
export function ownParams(params: Readonly<Record<string, unknown>>): RpcParams {
  return { ...noParams, members: [JSON.stringify(params).slice(1, -1)] };
}

const metaShape = { progressToken: true } as const;

/** The same, asking a server of 2026-07-28 for its log from this level on, unless the request itself says so. */
export function withLogLevel(params: RpcParams, level: string): RpcParams {
  const { meta } = params;
  if (meta !== undefined && membersOf(meta).some(({ name }) => name === logLevel)) return params;
  return withMeta(params, { [logLevel]: [JSON.stringify(level)] });
}

/** The same with these members in `_meta`, in place of those of the same names. */
export function withMeta(params: RpcParams, changes: Readonly<Record<string, JsonParts>>): RpcParams {
  return { ...params, meta: scanJson(joinJson(changeMembers(params.meta, changes)), metaShape) };
}

/** The same with other values for some members of theirs. */
export function withParams(
  params: RpcParams,
  changes: { readonly name?: string; readonly uri?: string; readonly ref?: object },
): RpcParams {
  const view = scanJson(joinJson(['{', ...params.members, '}']));
  const values = Object.entries(changes).map(([name, value]) => [name, [JSON.stringify(value)]] as const);
  const { name = params.name, uri = params.uri } = changes;
  return { ...params, members: changeMembers(view, Object.fromEntries(values)).slice(1, -1), name, uri };
}

/** The same with more members behind. */
export function withMembers(params: RpcParams, more: JsonParts): RpcParams {
  return { ...params, members: params.members.length === 0 ? more : [...params.members, ',', ...more] };
}

/** A request in the words of the revisions with a handshake. `progressToken`: in place of the caller's own. */
export function sessionRequest(
  id: number,
  { method, params }: RpcRequest,
  progressToken?: number,
): JsonParts {
  const meta = metaOf(params, { progressToken, passes: nothing });
  return message(id, method, params, meta);
}

/** The same with the metadata that the 2026-07-28 revision wants in every request. */
export function modernRequest(id: number, { method, params }: RpcRequest, progressToken?: number): JsonParts {
  const own = metaOf(params, { progressToken, passes: askedByCaller });
  return message(id, method, params, [...own, own.length === 0 ? '' : ',', modernMeta]);
}

function message(id: number, method: string, params: RpcParams | undefined, meta: JsonParts): JsonParts {
  const head = `{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)}`;
  if (params === undefined && meta.length === 0) return [`${head}}`];
  const { members } = params ?? noParams;
  const between = members.length > 0 && meta.length > 0 ? ',' : '';
  if (meta.length === 0) return [`${head},"params":{`, ...members, '}}'];
  return [`${head},"params":{`, ...members, `${between}"_meta":{`, ...meta, '}}}'];
}

/** What stands between the braces of `_meta`: the caller's own, without what the protocol says to us. */
function metaOf(
  params: RpcParams | undefined,
  { progressToken, passes }: { progressToken: number | undefined; passes: ReadonlySet<string> },
): JsonParts {
  if (params?.meta === undefined) return [];
  const parts: JsonPart[] = [];
  for (const { name, value } of keptMeta(params.meta, passes)) {
    const isToken = name === 'progressToken' && progressToken !== undefined;
    parts.push(
      `${parts.length === 0 ? '' : ','}${JSON.stringify(name)}:`,
      isToken ? String(progressToken) : value.span(),
    );
  }
  return parts;
}

function keptMeta(meta: JsonView, passes: ReadonlySet<string>) {
  return membersOf(meta).filter(({ name }) => !isReserved(name) || passes.has(name));
}
