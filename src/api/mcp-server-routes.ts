import { Type } from 'typebox';
import type { Principal } from '../access/access.ts';
import type { HostCheck, OriginCheck } from '../base/own-hosts.ts';
import { type Call, type OtherReply, type Reply, type Route, route } from '../http/route.ts';
import type { User } from '../identity/identity.ts';
import type { McpCaller, McpHttpReply, McpHttpRequest, McpServer } from '../mcp-server/mcp-server.ts';
import { accountIn } from './account-header.ts';
import { idPath, text } from './field-schemas.ts';
import { rpcMessageSchema, rpcReplySchema } from './rpc-schemas.ts';

const stream = {
  status: 200,
  description: 'messages on the way to the answer',
  contentType: 'text/event-stream',
};
const rpcFaults = [400, 403, 404, 405, 502].map((status) => ({
  status,
  description: 'an error of JSON-RPC',
  schema: rpcReplySchema,
}));
const accepted = { status: 202, description: 'a notification or an answer was taken' };
const upstreamRefusal: OtherReply = {
  status: 'default',
  description: 'the error of a server in whose session this is',
  schema: rpcReplySchema,
};
/** As much as a server behind us may answer. */
const maxBodyBytes = 8_500_000;

/** RFC 6750 section 3.1. */
const notEnough = { 'www-authenticate': 'Bearer error="insufficient_scope", scope="mcp"' };
const toolsetPath = Type.Object({ name: text(64) });

type McpHttpCall = Call<unknown, unknown, unknown, User | null>;
type Serve = (request: McpHttpRequest, caller: McpCaller) => Promise<McpHttpReply>;

const declared = {
  scope: 'mcp',
  user: 'optional',
  challenge: true,
  crossOrigin: true,
  finalSlash: true,
} as const;
// The message is read and checked by the MCP server itself.
const posted = { ...declared, method: 'POST', body: rpcMessageSchema, rawBody: true, maxBodyBytes } as const;

type McpServerRoutesDeps = {
  readonly checkHost: HostCheck;
  readonly checkOrigin: OriginCheck;
  /** Throws when there is no such server, or not for this caller. */
  readonly findServer: FindServer;
  /** Throws when there is no such toolset. */
  readonly findToolset: (name: string) => unknown;
};
type FindServer = (caller: Principal, id: string) => Promise<unknown>;
type OfOne = McpHttpCall & { readonly params: { readonly id: string } };

/** Our own MCP server, and where clients read how to reach it. */
export function mcpServerRoutes(
  server: McpServer,
  { checkHost, checkOrigin, findServer, findToolset }: McpServerRoutesDeps,
): Route[] {
  const serve = async (
    call: McpHttpCall,
    method: McpHttpRequest['method'],
    by: Serve,
  ): Promise<Reply<never>> => {
    const request = toRequest(call, method);
    checkHost(call.headers);
    checkOrigin(call.headers);
    const reply = await by(request, toCaller(call));
    return reply.status === 403 ? { ...reply, headers: { ...reply.headers, ...notEnough } } : reply;
  };
  const serveOne = (call: OfOne, method: McpHttpRequest['method']) =>
    serve(call, method, (request, caller) => server.serveOne(request, caller, call.params.id));
  return [
    route({
      ...posted,
      url: '/mcp',
      summary:
        'We as an MCP server: search_tools, describe_tool, call_tool, call_tools; few tools are listed as they are',
      reply: rpcReplySchema,
      otherReplies: [stream, accepted, ...rpcFaults],
      handle: (call) => serve(call, 'POST', server.serve),
    }),
    route({
      ...posted,
      url: '/mcp/t/:name',
      params: toolsetPath,
      problems: ['not_found'],
      summary: 'A toolset as an MCP server of its own: its tools as they are, each as `server__tool`',
      reply: rpcReplySchema,
      otherReplies: [stream, accepted, ...rpcFaults],
      handle: (call) => {
        const { name } = call.params;
        findToolset(name);
        return serve(call, 'POST', (request, caller) => server.serveToolset(request, caller, name));
      },
    }),
    ...sessionRoutes(serve, server, findToolset),
    route({
      ...declared,
      method: 'GET',
      url: '/mcp/t/:name/types.ts',
      params: Type.Object({ name: text(64) }),
      problems: ['not_found'],
      summary: "A toolset's tools as typed functions, for clients that run code",
      reply: null,
      otherReplies: [{ status: 200, description: 'a module of TypeScript', contentType: 'text/plain' }],
      async handle(call) {
        const { name } = call.params;
        checkHost(call.headers);
        findToolset(name);
        const body = await server.typesOfToolset(toCaller(call), name);
        return { status: 200, body, contentType: 'text/plain; charset=utf-8' };
      },
    }),
    ...singleServerRoutes(serveOne, findServer),
  ];
}

/** In a client's session with us; 405 without one, once it is known who asks (a client learns from a 401 here that its key is no good). */
function sessionRoutes(
  serve: (call: McpHttpCall, method: McpHttpRequest['method'], by: Serve) => Promise<Reply<never>>,
  server: McpServer,
  findToolset: (name: string) => unknown,
): Route[] {
  const methods = [
    ['GET', 'In a session (Mcp-Session-Id): what changed in lists, and in resources that were subscribed to'],
    ['DELETE', 'Ends a session (Mcp-Session-Id)'],
  ] as const;
  return methods.flatMap(([method, summary]) => [
    route({
      ...declared,
      method,
      url: '/mcp',
      summary,
      reply: null,
      otherReplies: [stream, ...rpcFaults],
      handle: (call) => serve(call, method, server.serve),
    }),
    route({
      ...declared,
      method,
      url: '/mcp/t/:name',
      params: toolsetPath,
      problems: ['not_found'],
      recheck: ({ name = '' }) => findToolset(name),
      summary,
      reply: null,
      otherReplies: [stream, ...rpcFaults],
      handle: (call) => {
        const { name } = call.params;
        findToolset(name);
        return serve(call, method, (request, caller) => server.serveToolset(request, caller, name));
      },
    }),
  ]);
}

/** One server, whole, at a URL of its own. */
function singleServerRoutes(
  serveOne: (call: OfOne, method: McpHttpRequest['method']) => Promise<Reply<never>>,
  findServer: FindServer,
): Route[] {
  const ofOne = {
    url: '/mcp/servers/:id',
    params: idPath,
    problems: ['not_found', 'server_gone', 'upstream_error'],
    recheck: ({ id = '' }: Readonly<Record<string, string | undefined>>, caller: Principal) =>
      findServer(caller, id),
  } as const;
  return [
    route({
      ...posted,
      ...ofOne,
      summary:
        'One server as an MCP server, whole: tools, resources, prompts, whatever its age (a slash in the id is written %2F)',
      reply: rpcReplySchema,
      otherReplies: [stream, accepted, ...rpcFaults, upstreamRefusal],
      handle: (call) => serveOne(call, 'POST'),
    }),
    route({
      ...declared,
      ...ofOne,
      method: 'GET',
      summary: 'In a session (Mcp-Session-Id): the stream beside the answers, or the rest of one',
      reply: null,
      otherReplies: [stream, ...rpcFaults, upstreamRefusal],
      handle: (call) => serveOne(call, 'GET'),
    }),
    route({
      ...declared,
      ...ofOne,
      method: 'DELETE',
      summary: 'Ends a session (Mcp-Session-Id)',
      reply: null,
      otherReplies: [...rpcFaults, upstreamRefusal],
      handle: (call) => serveOne(call, 'DELETE'),
    }),
  ];
}

function toRequest({ headers, bytes }: McpHttpCall, method: McpHttpRequest['method']): McpHttpRequest {
  return { method, headers: headers as McpHttpRequest['headers'], body: bytes };
}

function toCaller({ caller, user, headers, signal, charge, recheck }: McpHttpCall): McpCaller {
  const account = accountIn(headers, user);
  return {
    developerId: caller.developerId,
    keyId: caller.keyId,
    developer: caller.developer,
    ...(user === null ? {} : { userId: user.userId }),
    ...(account !== undefined && { account }),
    client: caller.client,
    groups: caller.groups,
    maySearch: caller.scopes.has('search'),
    charge,
    signal,
    recheck,
  };
}
