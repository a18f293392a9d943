import { Readable } from 'node:stream';
import type { ReadableStream as WebStream } from 'node:stream/web';
import { Type } from 'typebox';
import { type Call, json, type Reply, type Route, route } from '../http/route.ts';
import type { User } from '../identity/identity.ts';
import type { Endpoint, EndpointCaller } from '../mcp-server/mcp-server.ts';

/** One JSON-RPC message; batches went with the 2025-06-18 revision. */
const message = Type.Object({
  jsonrpc: Type.Literal('2.0'),
  method: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
});

/** What a reply of the protocol's own says beside its type. */
const passedHeaders = ['mcp-session-id', 'cache-control', 'x-accel-buffering', 'allow', 'connection'];

type Asked = Call<unknown, unknown, unknown, User | null>;

/** Our own MCP endpoint, and where clients read how to reach it. */
export function endpointRoutes(
  load: () => Promise<Endpoint>,
  { publicUrl, loopbackOnly }: { readonly publicUrl: () => string; readonly loopbackOnly: boolean },
): Route[] {
  let loading: Promise<Endpoint> | undefined;
  const loaded = () => {
    loading ??= load();
    return loading;
  };
  const metadata = () =>
    json({
      resource: `${publicUrl()}/mcp`,
      resource_name: 'MCP Rank',
      bearer_methods_supported: ['header'],
    });
  const hosts = () => {
    const { hostname } = new URL(publicUrl());
    return ['localhost', '127.0.0.1', '[::1]', hostname];
  };
  type Serve = (
    endpoint: Endpoint,
    request: Request,
    body: unknown,
    caller: EndpointCaller,
  ) => Promise<Response>;
  const answer = async (call: Asked, serve: Serve, method = 'POST'): Promise<Reply> => {
    const { body, caller, user, headers, target } = call;
    const { signal } = call;
    const request = new Request(`${publicUrl()}${target}`, {
      method,
      headers: Object.entries(headers).flatMap(([name, value]): [string, string][] =>
        typeof value === 'string' ? [[name, value]] : [],
      ),
      signal,
    });
    const endpoint = await loaded();
    endpoint.refuseForeign(request, hosts(), loopbackOnly);
    const reply = await serve(endpoint, request, body, {
      developerId: caller.developerId,
      keyId: caller.keyId,
      developer: caller.developer,
      ...(user === null ? {} : { userId: user.userId }),
      maySearch: caller.scopes.has('search'),
      signal,
    });
    const contentType = reply.headers.get('content-type') ?? 'application/json';
    // What is told on the way to an answer is worth hearing on the way.
    const streams = contentType.startsWith('text/event-stream') && reply.body !== null;
    const whole = streams
      ? Readable.fromWeb(reply.body as WebStream)
      : Buffer.from(await reply.arrayBuffer());
    const told = passedHeaders.flatMap((name) => {
      const value = reply.headers.get(name);
      return value === null ? [] : [[name, value]];
    });
    return { status: reply.status, body: whole, contentType, headers: Object.fromEntries(told) };
  };
  const one = (call: Asked & { readonly params: { readonly id: string } }, method?: string) =>
    answer(
      call,
      (endpoint, request, body, caller) => endpoint.serveOne(request, body, caller, call.params.id),
      method,
    );
  const declared = { method: 'POST', scope: 'mcp', user: 'optional', challenge: true } as const;
  const ofOne = {
    ...declared,
    url: '/mcp/servers/:id',
    params: Type.Object({ id: Type.String({ minLength: 1, maxLength: 200 }) }),
  };
  return [
    route({
      ...declared,
      url: '/mcp',
      summary:
        'We as an MCP server: search_tools, describe_tool, call_tool; few tools are listed as they are',
      body: message,
      reply: Type.Object({}),
      handle: (call) =>
        answer(call, (endpoint, request, body, caller) => endpoint.serve(request, body, caller)),
    }),
    route({
      ...ofOne,
      summary:
        'One server as an MCP server, whole: tools, resources, prompts, whatever its age (a slash in the id is written %2F)',
      body: message,
      reply: Type.Object({}),
      handle: (call) => one(call),
    }),
    route({
      ...ofOne,
      method: 'GET',
      summary:
        'In a session with that server (Mcp-Session-Id): its stream beside the answers, or the rest of one',
      reply: Type.Object({}),
      handle: (call) => one(call, 'GET'),
    }),
    route({
      ...ofOne,
      method: 'DELETE',
      summary: 'Ends a session with that server (Mcp-Session-Id)',
      reply: null,
      handle: (call) => one(call, 'DELETE'),
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
