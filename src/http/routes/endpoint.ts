import { Type } from 'typebox';
import type { Endpoint } from '../endpoint/endpoint.ts';
import { json, type Route, route } from '../route.ts';

/** One JSON-RPC message; batches went with the 2025-06-18 revision. */
const message = Type.Object({
  jsonrpc: Type.Literal('2.0'),
  method: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
});

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
  return [
    route({
      method: 'POST',
      url: '/mcp',
      summary:
        'We as an MCP server: search_tools, describe_tool, call_tool; few tools are listed as they are',
      scope: 'mcp',
      user: 'optional',
      challenge: true,
      body: message,
      reply: Type.Object({}),
      handle: async ({ body, caller, user, headers, signal }) => {
        const request = new Request(`${publicUrl()}/mcp`, {
          method: 'POST',
          headers: Object.entries(headers).flatMap(([name, value]): [string, string][] =>
            typeof value === 'string' ? [[name, value]] : [],
          ),
        });
        const endpoint = await loaded();
        endpoint.refuseForeign(request, hosts(), loopbackOnly);
        const reply = await endpoint.serve(request, body, {
          developerId: caller.developerId,
          keyId: caller.keyId,
          developer: caller.developer,
          ...(user === null ? {} : { userId: user.userId }),
          maySearch: caller.scopes.has('search'),
          signal,
        });
        return {
          status: reply.status,
          body: Buffer.from(await reply.arrayBuffer()),
          contentType: reply.headers.get('content-type') ?? 'application/json',
        };
      },
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
