import type { TestContext } from 'node:test';
import type { AppOptions } from '../../src/app.ts';
import type { Env } from '../../src/config.ts';
import { bootApp, type TestApp, type TestReply } from './app.ts';

export type McpTestApp = TestApp & {
  /** Puts a server into the catalogue under this id. */
  add(id: string, url: string, fields?: Record<string, unknown>): Promise<void>;
  /** The same past the route's own checks, as an import does. */
  put(id: string, url: string): Promise<void>;
  tool(
    id: string,
    name: string,
    args?: unknown,
    options?: Parameters<TestApp['call']>[2],
  ): Promise<TestReply>;
  list(id: string, key?: string): Promise<TestReply>;
  rpc(id: string, method: string, params?: unknown, fields?: Record<string, unknown>): Promise<TestReply>;
};

/** The app with loopback upstreams allowed. */
export async function bootMcp(t: TestContext, options: AppOptions = {}, env: Env = {}): Promise<McpTestApp> {
  const app = await bootApp(
    t,
    { MCPRANK_STARTER: 'off', MCPRANK_ALLOW_UPSTREAMS: '127.0.0.1,localhost', ...env },
    options,
  );
  const post = (path: string, body: unknown, extra: Parameters<TestApp['call']>[2] = {}) =>
    app.call('POST', path, { body, ...extra });
  return {
    ...app,
    async add(id, url, fields = {}) {
      const put = await post('/v1/admin/servers', { id, name: id, remote_url: url, ...fields });
      if (put.status >= 300) throw new Error(put.text);
    },
    async put(id, url) {
      const parsed = app.services.catalog.parse({ id, name: id, remote_url: url });
      if (!parsed.ok) throw new Error(parsed.reason);
      await app.services.catalog.put([parsed.input], 'import');
    },
    tool: (id, name, args = {}, extra = {}) =>
      post('/v1/mcp/tools/call', { server_id: id, name, arguments: args }, extra),
    list: (id, key) => post('/v1/mcp/tools/list', { server_id: id }, key === undefined ? {} : { key }),
    rpc: (id, method, params, fields = {}) =>
      post('/v1/mcp/call', { server_id: id, method, ...(params === undefined ? {} : { params }), ...fields }),
  };
}

/** The text of a tools/call reply's first content block. */
export function textOf(reply: TestReply): string {
  const [first] = reply.body.content as { text?: string }[];
  return first?.text ?? '';
}
