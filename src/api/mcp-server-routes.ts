import { Type } from 'typebox';
import type { Principal } from '../access/access.ts';
import { type Call, json, type Reply, type Route, route } from '../http/route.ts';
import type { User } from '../identity/identity.ts';
import {
  type McpCaller,
  type McpHttpReply,
  type McpHttpRequest,
  type McpServer,
  refuseForeign,
} from '../mcp-server/mcp-server.ts';

/** One JSON-RPC message; batches went with the 2025-06-18 revision. Read and checked by the MCP server itself. */
const message = Type.Object({
  jsonrpc: Type.Literal('2.0'),
  id: Type.Optional(Type.Union([Type.String(), Type.Number()])),
  method: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  params: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
});
/** As much as a server behind us may answer. */
const maxBodyBytes = 8_500_000;

type McpHttpCall = Call<unknown, unknown, unknown, User | null>;
type Serve = (request: McpHttpRequest, caller: McpCaller) => Promise<McpHttpReply>;

/** Our own MCP server, and where clients read how to reach it. */
export function mcpServerRoutes(
  server: McpServer,
  {
    publicUrl,
    loopbackOnly,
    findServer,
  }: {
    readonly publicUrl: () => string;
    readonly loopbackOnly: boolean;
    /** Throws when there is no such server, or not for this caller. */
    readonly findServer: (caller: Principal, id: string) => Promise<unknown>;
  },
): Route[] {
  const metadata = () =>
    json({
      resource: `${publicUrl()}/mcp`,
      resource_name: 'MCP Rank',
      bearer_methods_supported: ['header'],
    });
  const serve = async (call: McpHttpCall, method: McpHttpRequest['method'], by: Serve): Promise<Reply> => {
    const request = toRequest(call, method);
    refuseForeign(request, ['localhost', '127.0.0.1', '[::1]', new URL(publicUrl()).hostname], loopbackOnly);
    return by(request, toCaller(call));
  };
  type OfOne = McpHttpCall & { readonly params: { readonly id: string } };
  const serveOne = (call: OfOne, method: McpHttpRequest['method']) =>
    serve(call, method, (request, caller) => server.serveOne(request, caller, call.params.id));
  const declared = { scope: 'mcp', user: 'optional', challenge: true } as const;
  const posted = { ...declared, method: 'POST', body: message, rawBody: true, maxBodyBytes } as const;
  const ofOne = {
    url: '/mcp/servers/:id',
    params: Type.Object({ id: Type.String({ minLength: 1, maxLength: 200 }) }),
    recheck: ({ id = '' }, caller) => findServer(caller, id),
  } satisfies Pick<Route, 'url' | 'recheck'> & { readonly params: unknown };
  return [
    route({
      ...posted,
      url: '/mcp',
      summary:
        'We as an MCP server: search_tools, describe_tool, call_tool; few tools are listed as they are',
      reply: Type.Object({}),
      handle: (call) => serve(call, 'POST', server.serve),
    }),
    route({
      ...posted,
      ...ofOne,
      summary:
        'One server as an MCP server, whole: tools, resources, prompts, whatever its age (a slash in the id is written %2F)',
      reply: Type.Object({}),
      handle: (call) => serveOne(call, 'POST'),
    }),
    route({
      ...declared,
      ...ofOne,
      method: 'GET',
      summary: 'In a session (Mcp-Session-Id): the stream beside the answers, or the rest of one',
      reply: Type.Object({}),
      handle: (call) => serveOne(call, 'GET'),
    }),
    route({
      ...declared,
      ...ofOne,
      method: 'DELETE',
      summary: 'Ends a session (Mcp-Session-Id)',
      reply: null,
      handle: (call) => serveOne(call, 'DELETE'),
    }),
    ...['/.well-known/oauth-protected-resource', '/.well-known/oauth-protected-resource/mcp'].map((url) =>
      route({
        method: 'GET',
        url,
        summary: 'How to present a key to /mcp (RFC 9728)',
        scope: null,
        reply: Type.Object({ resource: Type.String() }),
        handle: metadata,
      }),
    ),
  ];
}

function toRequest({ headers, bytes }: McpHttpCall, method: McpHttpRequest['method']): McpHttpRequest {
  return { method, headers: headers as McpHttpRequest['headers'], body: bytes };
}

function toCaller({ caller, user, signal }: McpHttpCall): McpCaller {
  return {
    developerId: caller.developerId,
    keyId: caller.keyId,
    developer: caller.developer,
    ...(user === null ? {} : { userId: user.userId }),
    maySearch: caller.scopes.has('search'),
    signal,
  };
}
