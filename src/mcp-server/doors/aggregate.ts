import { createBoundedCache } from '../../base/bounded-cache.ts';
import type { JsonView } from '../../base/json-scanner.ts';
import { scanJson } from '../../base/json-scanner.ts';
import { type JsonParts, joinJson } from '../../base/json-splice.ts';
import { Problem } from '../../base/problem.ts';
import type { Catalog, ServerRecord } from '../../catalog/catalog.ts';
import {
  type Mcp,
  messageShape,
  type RpcError,
  type RpcParams,
  rpcError,
  toolParams,
} from '../../mcp/mcp.ts';
import type { ConnectionLookup, OwnTools, Search, SearchView } from '../../search/search.ts';
import { type AliasedTool, aliasTools, splitAlias } from '../features/aliases.ts';
import { serverSeen } from '../features/asked-servers.ts';
import { type Features, type FeaturesDeps, featureCapabilities } from '../features/features.ts';
import { withQualifiedLinks } from '../features/resource-uris.ts';
import type { Backend, BackendRequest, McpCaller, Outcome } from './backend.ts';
import { fitTogether, joinResults, type NamedCall, readCalls, readNamedCall } from './call-many.ts';
import { createFoundAnswers, foundTools } from './found-tools.ts';
import { describeContents, instructions, metaToolsFor } from './meta-tools.ts';
import { createTrail } from './search-trail.ts';
import { answered, described, failed, listedTool, resultOf, separated } from './tool-answers.ts';
import { toolTypes } from './tool-types.ts';

/** From so many tools on, a list of them costs a model more than searching does. */
const maxDirectTools = 30;
/** A toolset was chosen by somebody: it is listed as it is, unless nobody can have meant that. */
const maxToolsetTools = 500;
/** Servers from which the contents are told. */
const namedServers = 100;
const defaultLimit = 5;
const toolsPerServer = 5;
const invalidParams = -32602;
const unknownMethod: Outcome = { kind: 'error', error: rpcError(-32601, 'Method not found') };

/** What a caller sees of the catalogue. */
export type VisibleServers = Pick<Catalog, 'get' | 'list' | 'revision'> & {
  readonly view: SearchView | null;
  /** Tools that are listed also where there are too many to list. */
  pins(): readonly { readonly server: string; readonly tool: string }[];
  /** A tool's description in the operator's words, where there are some. */
  describe(serverId: string, tool: string): string | undefined;
};

export type AggregateDeps = Omit<FeaturesDeps, 'catalogFor'> & {
  readonly search: Pick<Search, 'find'>;
  readonly mcp: Pick<Mcp, 'call' | 'listTools'>;
  readonly catalogFor: (caller: McpCaller) => VisibleServers;
  /** How the caller stands with the servers. */
  readonly connectionsOf: (caller: McpCaller) => Promise<ConnectionLookup>;
  /** What servers list for the caller's user alone. */
  readonly ownTools: (caller: McpCaller) => Promise<OwnTools | undefined>;
  readonly version: string;
};

/**
 * All servers behind one door. Small catalogues list their tools as they are; large ones offer search_tools, describe_tool
 * and call_tool. What is called goes through the same proxy as everything else, so credentials, limits and the recording of
 * outcomes are its. A call that follows a search of the same principal is tied to it.
 */
export class Aggregate implements Backend {
  readonly door: string;
  readonly #maxDirect: number;
  readonly #deps: AggregateDeps;
  readonly #features: Features;
  readonly #trail: ReturnType<typeof createTrail>;
  readonly #serverInfo: string;
  /** By view: the tools that are listed as they are, read again when the catalogue changed. */
  readonly #listed = createBoundedCache<ListedTools>(1_000);

  readonly #about = createBoundedCache<{ readonly revision: number; readonly text: string }>(1_000);

  readonly #found = createFoundAnswers();

  /** `toolset`: null for everything that the caller sees. */
  constructor(deps: AggregateDeps, features: Features, toolset: string | null = null) {
    this.#features = features;
    this.door = toolset === null ? '' : `toolset ${toolset}`;
    this.#maxDirect = toolset === null ? maxDirectTools : maxToolsetTools;
    this.#deps = deps;
    this.#trail = createTrail(deps.now);
    this.#serverInfo = JSON.stringify({ name: 'mcprank', title: 'MCP Rank', version: deps.version });
  }

  /** The tools that are listed as typed functions. Throws `invalid_request` where there are too many to list. */
  async types(caller: McpCaller, path: string): Promise<string> {
    const { tools, isWhole } = await this.#listedTools(caller);
    if (isWhole) return toolTypes(tools, path);
    throw new Problem('invalid_request', `There are more than ${this.#maxDirect} tools: narrow the toolset`);
  }

  async introduce() {
    return {
      serverInfo: this.#serverInfo,
      capabilities: `{"tools":{},${featureCapabilities}}`,
      instructions: JSON.stringify(instructions),
      canNotify: true,
    };
  }

  listen(caller: McpCaller) {
    return this.#features.listen(caller);
  }

  letGo(caller: McpCaller) {
    return this.#features.letGo(caller);
  }

  async serverInfo() {
    return this.#serverInfo;
  }

  async request(caller: McpCaller, request: BackendRequest): Promise<Outcome> {
    if (request.method === 'tools/list') return this.#listTools(caller);
    if (request.method !== 'tools/call')
      return (await this.#features.request(caller, request)) ?? unknownMethod;
    try {
      return await this.#callTool(caller, request);
    } catch (error) {
      // What goes wrong in a tool is its result, in words that a model can read.
      if (error instanceof Problem && error.kind !== 'internal' && error.kind !== 'denied')
        return failed(error.detail);
      throw error;
    }
  }

  async #listTools(caller: McpCaller): Promise<Outcome> {
    const { tools, isWhole } = await this.#listedTools(caller);
    const own = isWhole ? [] : metaToolsFor(await this.#contents(caller));
    const all = [...own.map((tool) => [JSON.stringify(tool)]), ...tools.map(listedTool)];
    const list = joinJson(['{"tools":[', ...separated(all), ']}']);
    return { kind: 'result', body: { view: scanJson(list, messageShape.result) } };
  }

  async #callTool(caller: McpCaller, request: BackendRequest): Promise<Outcome> {
    const { name = '', arguments: args } = request.params;
    if (name === 'search_tools') return this.#searchTools(caller, valuesOf(args));
    if (name === 'describe_tool') return this.#describeTool(caller, valuesOf(args));
    if (name === 'call_tool') return this.#callNamed(caller, request, args);
    if (name === 'call_tools') return this.#callMany(caller, args);
    const { tools } = await this.#listedTools(caller);
    const listed = tools.find(({ alias }) => alias === name);
    if (listed === undefined) return this.#callUnlisted(caller, request, tools);
    const params = toolParams(listed.tool.name, args, request.params.meta);
    return this.#forward(caller, listed.serverId, { ...request, params }, true);
  }

  /** A tool whose name says whose it is: its server may have it since the catalogue's last look, or for this user alone. */
  async #callUnlisted(
    caller: McpCaller,
    request: BackendRequest,
    tools: readonly AliasedTool[],
  ): Promise<Outcome> {
    const { name = '', arguments: args, meta } = request.params;
    const unknown = unknownTool(tools, name);
    const place = splitAlias(name);
    if (place === null) return { kind: 'error', error: unknown };
    try {
      const params = toolParams(place.own, args, meta);
      return await this.#forward(caller, place.serverId, { ...request, params }, true);
    } catch (error) {
      // What is not there for the caller is unknown.
      const isHidden = error instanceof Problem && (error.kind === 'denied' || error.kind === 'not_found');
      if (isHidden) return { kind: 'error', error: unknown };
      throw error;
    }
  }

  async #searchTools(caller: McpCaller, args: Args): Promise<Outcome> {
    if (!caller.maySearch) return failed('This key lacks the scope search');
    const limit = integerIn(args, 'limit', defaultLimit, 50);
    const query = { query: textIn(args, 'query'), limit, toolLimit: toolsPerServer };
    const [connectionOf, own] = [await this.#deps.connectionsOf(caller), await this.#deps.ownTools(caller)];
    // Last: the index may have changed while the rest was read.
    const catalog = this.#deps.catalogFor(caller);
    const found = await this.#deps.search.find({
      caller,
      ...query,
      filters: { callable: true },
      explain: false,
      minScore: 0,
      view: catalog.view,
      connectionOf,
      account: caller.account,
      own,
    });
    this.#trail.searched(caller, found.queryLogId, found.page.serverIds);
    return this.#found.render(found, () => foundTools(found, { catalog, limit }));
  }

  async #describeTool(caller: McpCaller, args: Args): Promise<Outcome> {
    const [serverId, name] = [textIn(args, 'server_id'), textIn(args, 'name')];
    const { tools } = await this.#deps.catalogFor(caller).get(serverId);
    const known = tools.find((tool) => tool.name === name);
    if (known !== undefined) return answered(described({ server_id: serverId }, known));
    const listed = (await this.#deps.mcp.listTools(caller, serverId)).tools.find(
      (tool) => tool.name === name,
    );
    if (listed === undefined) return failed(`${serverId} has no tool ${name}`);
    const inputSchema = listed.inputSchema?.text() ?? '{"type":"object"}';
    const tool = { name, description: listed.description ?? '', inputSchema };
    return answered(described({ server_id: serverId }, tool));
  }

  /** The tool that call_tool names; its arguments pass on as they came. */
  async #callNamed(caller: McpCaller, request: BackendRequest, args: JsonView | undefined): Promise<Outcome> {
    const call = await readNamedCall(args);
    const params = toolParams(call.name, call.arguments, request.params.meta);
    return this.#forward(caller, call.serverId, { ...request, params }, false);
  }

  /** Each is decided, counted and recorded as if it were called alone; one that fails says so in its own result. */
  async #callMany(caller: McpCaller, args: JsonView | undefined): Promise<Outcome> {
    const calls = await readCalls(args);
    await caller.charge?.(calls.length - 1);
    const results = await Promise.all(calls.map((call) => this.#callOne(caller, call)));
    const tooLarge = (bytes: number) =>
      resultOf(failed(`It ran, but its result of ${bytes} bytes is too large beside the others`).body);
    return answered(joinResults(calls, fitTogether(results, tooLarge)));
  }

  async #callOne(caller: McpCaller, { serverId, name, arguments: args }: NamedCall): Promise<JsonParts> {
    try {
      const params = toolParams(name, args);
      const outcome = await this.#forward(caller, serverId, { method: 'tools/call', params }, false);
      if (outcome.kind === 'result') return resultOf(outcome.body);
      const asks = 'It asks something before it runs: call it alone, with call_tool';
      return resultOf(failed(outcome.kind === 'input' ? asks : outcome.error.message).body);
    } catch (error) {
      if (error instanceof Problem && error.kind !== 'internal') return resultOf(failed(error.detail).body);
      throw error;
    }
  }

  /** `exactly`: what the client sent is the upstream's, and its errors are ours, as if it were called without us. */
  async #forward(
    { mirrored, ...asking }: McpCaller,
    serverId: string,
    request: BackendRequest & { readonly params: RpcParams },
    exactly: boolean,
  ): Promise<Outcome> {
    // Who names the tool in arguments mirrors those of ours.
    const caller: McpCaller = exactly && mirrored !== undefined ? { ...asking, mirrored } : asking;
    const queryLogId = this.#trail.searchBefore(caller, serverId);
    const answer = await this.#deps.mcp.call(caller, { serverId, queryLogId, ...request });
    if (answer.kind === 'input') return { kind: 'input', needed: answer };
    const { reply } = answer;
    if ('result' in reply)
      return { kind: 'result', body: { view: withQualifiedLinks(reply.result, serverId) } };
    return exactly
      ? { kind: 'error', error: reply.error }
      : failed(`${reply.error.message} (${reply.error.code})`);
  }

  /** What there is to find, in a sentence; read again when the catalogue changed. */
  async #contents(caller: McpCaller): Promise<string> {
    const catalog = this.#deps.catalogFor(caller);
    const revision = await catalog.revision();
    const key = catalog.view?.key ?? '';
    const known = this.#about.get(key);
    if (known?.revision === revision) return known.text;
    const [own, others] = await Promise.all([
      catalog.list({ limit: namedServers, filters: { own: true } }),
      catalog.list({ limit: namedServers, filters: { own: false }, sort: 'popularity' }),
    ]);
    const text = describeContents(own.servers, others.servers);
    this.#about.set(key, { revision, text });
    return text;
  }

  /** All tools while they are few, else those that are pinned. */
  async #listedTools(caller: McpCaller): Promise<ListedTools> {
    const catalog = this.#deps.catalogFor(caller);
    const revision = await catalog.revision();
    const key = catalog.view?.key ?? '';
    const known = this.#listed.get(key);
    if (known?.revision === revision) return known;
    const servers = await fewServers(catalog, this.#maxDirect);
    const tools = servers === null ? await pinnedTools(catalog) : aliasTools(servers);
    const listed = { revision, tools, isWhole: servers !== null };
    this.#listed.set(key, listed);
    return listed;
  }
}

type ListedTools = {
  readonly revision: number;
  readonly tools: readonly AliasedTool[];
  /** Whether there are no others. */
  readonly isWhole: boolean;
};

/** Those that the caller sees, in the order in which they were pinned. */
async function pinnedTools(catalog: VisibleServers): Promise<AliasedTool[]> {
  const pinned: AliasedTool[] = [];
  for (const { server, tool } of catalog.pins()) {
    if (pinned.length === maxDirectTools) break;
    const record = await serverSeen(catalog, server);
    const tools = record?.tools.filter(({ name }) => name === tool) ?? [];
    if (record !== null) pinned.push(...aliasTools([{ ...record, tools }]));
  }
  return pinned.filter(({ alias }, i) => pinned.findIndex((each) => each.alias === alias) === i);
}

/**
 * A name is never completed: whose tool it means would change with each server that comes or goes. Whoever says a server's own
 * name for one is told how it is called here.
 */
function unknownTool(tools: readonly AliasedTool[], name: string): RpcError {
  const meant = tools.filter(({ tool }) => tool.name === name).map(({ alias }) => alias);
  const hint = meant.length === 0 ? '' : `; here it is ${meant.slice(0, 5).join(' or ')}`;
  return rpcError(invalidParams, `Unknown tool: ${name.slice(0, 200)}${hint}`);
}

type Args = Readonly<Record<string, unknown>>;

/** All servers where they have few tools together; else null, as soon as that shows. */
async function fewServers(catalog: VisibleServers, maxTools: number): Promise<ServerRecord[] | null> {
  const all: ServerRecord[] = [];
  let cursor: string | undefined;
  do {
    const page = await catalog.list({ limit: 100, ...(cursor === undefined ? {} : { cursor }) });
    all.push(...page.servers);
    if (all.reduce((sum, { tools }) => sum + tools.length, 0) >= maxTools) return null;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return all;
}

function valuesOf(args: JsonView | undefined): Args {
  return (args?.value() ?? {}) as Args;
}

function textIn(args: Args, field: string): string {
  const value = args[field];
  if (typeof value === 'string' && value !== '' && value.length <= 1_000) return value;
  throw new Problem('invalid_request', `${field}: expected a text of 1 to 1000 characters`);
}

function integerIn(args: Args, field: string, fallback: number, max: number): number {
  const value = args[field] ?? fallback;
  if (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= max) return Number(value);
  throw new Problem('invalid_request', `${field}: expected a whole number from 1 to ${max}`);
}
