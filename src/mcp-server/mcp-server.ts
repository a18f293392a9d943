/**
 * We as an MCP server, of both ages (2026-07-28, and the revisions with a handshake): `/mcp` for all servers, and
 * `/mcp/servers/{id}` for one of them whole.
 *
 * Promises: what a server answers reaches its client byte for byte, but for the members that its revision wants otherwise; a
 * single answer is JSON, and a stream begins with the first thing told; progress, log lines and questions reach clients of
 * every age that can take them; a client that goes away or cancels ends its call. An upstream that fails is an error in
 * words, never a hung stream. Sessions are sealed in their ids: any replica serves them, nothing of one is kept.
 */
import { createBoundedCache } from '../base/bounded-cache.ts';
import type { Tracing } from '../base/tracing.ts';
import type { Mcp } from '../mcp/mcp.ts';
import type { Vault } from '../vault/vault.ts';
import { ClientService } from './client-service.ts';
import type { McpHttpRequest } from './door-request.ts';
import { Aggregate, type AggregateDeps } from './doors/aggregate.ts';
import type { Introduction, McpCaller } from './doors/backend.ts';
import { createSingleServer } from './doors/single-server.ts';
import { Features } from './features/features.ts';
import type { McpHttpReply } from './streams/answer.ts';
import { WantedResources } from './streams/wanted-resources.ts';

export type { McpHttpRequest } from './door-request.ts';
export type { McpCaller } from './doors/backend.ts';
export type { McpHttpReply } from './streams/answer.ts';
export { EventStream, streamHeaders, streamType } from './streams/event-stream.ts';

export type McpServer = {
  /** All servers behind one door. */
  serve(request: McpHttpRequest, caller: McpCaller): Promise<McpHttpReply>;
  /** One server of the catalogue, whole. Throws `not_found` and `server_gone`. */
  serveOne(request: McpHttpRequest, caller: McpCaller, serverId: string): Promise<McpHttpReply>;
  /** What a toolset leaves of all servers, listed as it is. */
  serveToolset(request: McpHttpRequest, caller: McpCaller, toolset: string): Promise<McpHttpReply>;
  /** The same tools as typed functions: the text of a TypeScript module. */
  typesOfToolset(caller: McpCaller, toolset: string): Promise<string>;
  /** Ends the streams that stay open by design. */
  closeStreams(): void;
};

export type McpServerDeps = AggregateDeps & {
  readonly mcp: Pick<Mcp, 'call' | 'listTools' | 'relay' | 'listen' | 'overhear'>;
  readonly tickets: Vault['sealedTokens'];
  readonly tracing?: Tracing;
  /** Throws `not_found` for a server that the caller does not see; a promise only where it has to be looked up. */
  readonly findServer: (caller: McpCaller, serverId: string) => unknown;
};

/** What servers say of themselves, for the answers that repeat it. */
const maxToolsets = 1_000;
const maxIntroductions = 5_000;
const introductionMs = 60_000;

export function createMcpServer(deps: McpServerDeps): McpServer {
  const wanted = new WantedResources();
  const features = new Features(deps, wanted);
  const aggregate = new Aggregate(deps, features);
  const ofToolset = createBoundedCache<Aggregate>(maxToolsets);
  const service = new ClientService(deps);
  const introductions = createBoundedCache<Introduction>(maxIntroductions, { ttl: introductionMs });
  function backendOf(toolset: string): Aggregate {
    const known = ofToolset.get(toolset);
    if (known !== undefined) return known;
    const made = new Aggregate(deps, features, toolset);
    ofToolset.set(toolset, made);
    return made;
  }

  const singleServer = (serverId: string) =>
    createSingleServer({ mcp: deps.mcp, version: deps.version, introductions, wanted }, serverId);

  return {
    serve: (request, caller) => service.serve(request, caller, { serverId: null, open: () => aggregate }),
    serveOne: (request, caller, serverId) =>
      service.serve(request, caller, {
        serverId,
        open() {
          const found = deps.findServer(caller, serverId);
          return found instanceof Promise ? found.then(() => singleServer(serverId)) : singleServer(serverId);
        },
      }),
    typesOfToolset: (caller, toolset) =>
      backendOf(toolset).types({ ...caller, toolset }, `/mcp/t/${toolset}`),
    serveToolset(request, caller, toolset) {
      const open = () => backendOf(toolset);
      return service.serve(request, { ...caller, toolset }, { serverId: null, open });
    },
    closeStreams: () => service.closeStreams(),
  };
}
