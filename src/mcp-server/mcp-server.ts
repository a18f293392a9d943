/**
 * We as an MCP server, of both eras (2026-07-28, and initialize), over the SDK's own handler.
 *
 * Small catalogues list their tools as they are; large ones offer search_tools, describe_tool and call_tool. What is
 * called goes through the same proxy as everything else, so credentials, limits and the recording of outcomes are its.
 * A call that follows a search of the same principal is tied to it. An upstream that fails is an `isError` result in
 * words; what it asks of the user in the middle of a call passes to clients of the current revision.
 */
import {
  type CallToolResult,
  createMcpHandler,
  hostHeaderValidationResponse,
  type InputRequests,
  inputRequired,
  type McpRequestContext,
  originValidationResponse,
  ProtocolError,
  Server,
  type ServerContext,
  type Tool,
} from '@modelcontextprotocol/server';
import { Problem } from '../base/problem.ts';
import type { Catalog, ServerRecord } from '../catalog/catalog.ts';
import type { Caller, Json, Mcp, McpAnswer } from '../mcp/mcp.ts';
import { readHit, type Search } from '../search/search.ts';
import { type AliasedTool, aliasTools } from './aliases.ts';
import { instructions, metaTools } from './meta-tools.ts';
import { createTrail } from './search-trail.ts';
import { createPassThrough } from './single-server.ts';

export type Endpoint = {
  /** One HTTP exchange; `body` is the request's JSON, parsed already. */
  serve(request: Request, body: unknown, caller: EndpointCaller): Promise<Response>;
  /** The same with one server of the catalogue, whole. Throws `not_found` and `server_gone`. */
  serveOne(request: Request, body: unknown, caller: EndpointCaller, serverId: string): Promise<Response>;
  /** Throws `invalid_request` for a Host or Origin that is not ours. */
  refuseForeign(request: Request, hosts: readonly string[], loopbackOnly: boolean): void;
};

export type EndpointCaller = Caller & { readonly maySearch: boolean };

/** From so many tools on, a list of them costs a model more than searching does. */
const directTools = 30;
const defaultLimit = 5;
const toolsPerServer = 5;

type Deps = {
  readonly search: Pick<Search, 'find'>;
  readonly mcp: Pick<Mcp, 'call' | 'listTools' | 'relay'>;
  readonly catalog: Pick<Catalog, 'get' | 'list' | 'stats' | 'revision'>;
  readonly version: string;
  readonly now: () => number;
};

type Args = Readonly<Record<string, unknown>>;

export function createEndpoint(deps: Deps): Endpoint {
  const direct = createDirectList(deps.catalog);
  const trail = createTrail(deps.now);

  const searchTools = async (caller: EndpointCaller, args: Args): Promise<CallToolResult> => {
    if (!caller.maySearch) return failed('This key lacks the scope search');
    const limit = numberIn(args, 'limit', defaultLimit, 50);
    const query = { query: textIn(args, 'query'), limit, toolLimit: toolsPerServer };
    const found = await deps.search.find({ caller, ...query, filters: {}, explain: false, minScore: 0 });
    trail.searched(caller, found.queryLogId, found.page.serverIds);
    const tools = found.page.hits
      .flatMap((hit) => {
        const { id, name: server, tools } = readHit(hit);
        return tools.map((tool) => ({ server_id: id, server, match: hit.match, ...tool }));
      })
      .slice(0, limit)
      .map(({ inputSchema, ...tool }) => ({ ...tool, input_schema: JSON.parse(inputSchema) as Json }));
    return answered({ tools });
  };

  const describeTool = async (caller: EndpointCaller, args: Args): Promise<CallToolResult> => {
    const [serverId, name] = [textIn(args, 'server_id'), textIn(args, 'name')];
    const { tools } = await deps.catalog.get(serverId);
    const known = tools.find((tool) => tool.name === name);
    if (known !== undefined)
      return answered({
        server_id: serverId,
        name,
        description: known.description,
        input_schema: JSON.parse(known.inputSchema) as Json,
      });
    const listed = (await deps.mcp.listTools(caller, serverId)).tools.find((tool) => tool.name === name);
    if (listed === undefined) return failed(`${serverId} has no tool ${name}`);
    return answered({
      server_id: serverId,
      name,
      description: listed.description ?? '',
      input_schema: listed.inputSchema ?? { type: 'object' },
    });
  };

  /** Passed on; `exactly`: the upstream's own errors are ours, as if it were called without us. */
  const callTool = async (
    caller: EndpointCaller,
    call: { readonly serverId: string; readonly name: string; readonly args: Args },
    { era, context, exactly }: { era: Era; context: ServerContext; exactly: boolean },
  ) => {
    const { serverId, name, args } = call;
    const { inputResponses, requestState } = context.mcpReq;
    const continuation = requestState<string>();
    const answer = await deps.mcp.call(
      { ...caller, signal: context.mcpReq.signal },
      {
        serverId,
        method: 'tools/call',
        params: { name, arguments: args },
        queryLogId: trail.searchBefore(caller, serverId),
        ...(continuation === undefined
          ? {}
          : { continuation, inputResponses: (inputResponses ?? {}) as Record<string, Json> }),
      },
    );
    if (answer.kind === 'input') return ask(answer, era);
    const { reply } = answer;
    if ('result' in reply) return reply.result as unknown as CallToolResult;
    const { code, message, data } = reply.error;
    if (exactly) throw new ProtocolError(code, message, data);
    return failed(`${message} (${code})`);
  };

  const serveTool = async (
    caller: EndpointCaller,
    { name, arguments: args = {} }: { readonly name: string; readonly arguments?: Args | undefined },
    turn: { era: Era; context: ServerContext },
  ) => {
    if (name === 'search_tools') return searchTools(caller, args);
    if (name === 'describe_tool') return describeTool(caller, args);
    if (name === 'call_tool') {
      const call = { serverId: textIn(args, 'server_id'), name: textIn(args, 'name'), args: objectIn(args) };
      return callTool(caller, call, { ...turn, exactly: false });
    }
    const aliased = (await direct())?.find(({ alias }) => alias === name);
    if (aliased === undefined) throw new ProtocolError(-32602, `Unknown tool: ${name}`);
    const call = { serverId: aliased.serverId, name: aliased.tool.name, args };
    return callTool(caller, call, { ...turn, exactly: true });
  };

  const makeServer = ({ era, authInfo }: McpRequestContext): Server => {
    const caller = authInfo?.extra?.caller as EndpointCaller;
    const server = new Server(
      { name: 'mcprank', title: 'MCP Rank', version: deps.version },
      { capabilities: { tools: {} }, instructions, inputRequired: { legacyShim: false } },
    );
    server.setRequestHandler('tools/list', async () => ({
      tools: (await direct())?.map(listed) ?? [...metaTools],
    }));
    server.setRequestHandler('tools/call', async ({ params }, context) => {
      try {
        return await serveTool(caller, params, { era, context });
      } catch (error) {
        if (error instanceof Problem && error.kind !== 'internal') return failed(error.detail);
        throw error;
      }
    });
    return server;
  };
  const handler = createMcpHandler(makeServer, { maxSubscriptions: 1 });
  const passThrough = createPassThrough(deps);

  return {
    serve: (request, body, caller) =>
      handler.fetch(request, {
        parsedBody: body,
        authInfo: { token: '', clientId: caller.keyId, scopes: [], extra: { caller } },
      }),
    async serveOne(request, body, caller, serverId) {
      await deps.catalog.get(serverId);
      return passThrough.serve(request, body, caller, serverId);
    },
    refuseForeign,
  };
}

/** DNS rebinding: a page of somebody else's name must not reach a service on this machine through its visitor's browser. */
function refuseForeign(request: Request, hosts: readonly string[], loopbackOnly: boolean): void {
  const host = loopbackOnly ? hostHeaderValidationResponse(request, [...hosts]) : undefined;
  const origin = request.headers.has('origin') ? originValidationResponse(request, [...hosts]) : undefined;
  if (host !== undefined) throw new Problem('invalid_request', 'host: not a name of this service');
  if (origin !== undefined) throw new Problem('invalid_request', 'origin: not a page of this service');
}

type Era = McpRequestContext['era'];

/** All tools under their aliases while they are few, read again when the catalogue changed; null when they are many. */
function createDirectList(catalog: Deps['catalog']): () => Promise<readonly AliasedTool[] | null> {
  let known: { readonly revision: number; readonly tools: readonly AliasedTool[] | null } | undefined;
  return async () => {
    const revision = await catalog.revision();
    if (known?.revision !== revision) {
      const few = (await catalog.stats()).tools < directTools;
      known = { revision, tools: few ? aliasTools(await everyServer(catalog)) : null };
    }
    return known.tools;
  };
}

async function everyServer(catalog: Deps['catalog']): Promise<ServerRecord[]> {
  const all: ServerRecord[] = [];
  let cursor: string | undefined;
  do {
    const page = await catalog.list({ limit: 100, ...(cursor === undefined ? {} : { cursor }) });
    all.push(...page.servers);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return all;
}

function listed({ alias, tool }: AliasedTool): Tool {
  const inputSchema = JSON.parse(tool.inputSchema) as Json;
  return {
    name: alias,
    description: tool.description,
    inputSchema: { ...inputSchema, type: 'object' },
  };
}

/** What an upstream wants to know passes on where the client's revision has a place for it. */
function ask(answer: Extract<McpAnswer, { kind: 'input' }>, era: Era) {
  if (era === 'legacy')
    return failed(
      'The server asks for input in the middle of this call, which needs a client of the 2026-07-28 revision',
    );
  return inputRequired({
    inputRequests: answer.inputRequests as unknown as InputRequests,
    requestState: answer.continuation,
  });
}

function answered(value: Json): CallToolResult {
  return { content: [{ type: 'text', text: JSON.stringify(value) }], structuredContent: value };
}

function failed(text: string): CallToolResult {
  return { content: [{ type: 'text', text }], isError: true };
}

function textIn(args: Args, field: string): string {
  const value = args[field];
  if (typeof value === 'string' && value !== '' && value.length <= 1_000) return value;
  throw new Problem('invalid_request', `${field}: expected a text of 1 to 1000 characters`);
}

function numberIn(args: Args, field: string, fallback: number, most: number): number {
  const value = args[field] ?? fallback;
  if (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= most) return Number(value);
  throw new Problem('invalid_request', `${field}: expected a whole number from 1 to ${most}`);
}

function objectIn(args: Args): Args {
  const value = args.arguments ?? {};
  if (typeof value === 'object' && !Array.isArray(value)) return value as Args;
  throw new Problem('invalid_request', 'arguments: expected an object');
}
