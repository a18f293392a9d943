import type { TestContext } from 'node:test';
import type { AppOptions } from '../../src/app.ts';
import { bootApp, handClock, type TestApp, type TestReply } from './app.ts';
import { type Asked, agree, mitOf, startLoopback } from './mcp-oauth.ts';
import { providerSettings } from './oidc.ts';

export type ProviderReply = {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
};

/** What a provider says in its own words, to be put in the place of `onToken`. */
export const asJson = (status: number, body: unknown, type = 'application/json'): ProviderReply => ({
  status,
  headers: { 'content-type': type },
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

export type PlainProvider = {
  readonly app: TestApp;
  readonly clock: ReturnType<typeof handClock>;
  readonly url: string;
  /** Requests that reached a path. */
  at(path: string): readonly Asked[];
  /** In place of the token endpoint's good reply; undefined: the good one. */
  onToken: ((asked: Asked) => ProviderReply | undefined) | null;
  onApi: ((asked: Asked) => ProviderReply) | null;
  /** The whole way of a user; what the session is polled as at its end. */
  connect(userId: string, fields?: Record<string, unknown>): Promise<TestReply>;
  /** A call to the provider's API as that user, with a MIT of now. */
  call(userId: string, path?: string): Promise<TestReply>;
  /** Beyond the life of the access tokens. */
  expire(): void;
};

/** An OAuth provider and its API in a few lines, and the real app that knows it as `plain`: token replies are the test's to say. */
export async function startPlainProvider(
  t: TestContext,
  row: Record<string, unknown> = {},
  options: AppOptions = {},
  settings: Record<string, string> = {},
): Promise<PlainProvider> {
  let count = 0;
  const upstream = await startLoopback(t, (asked): ProviderReply | null => {
    if (asked.path === '/authorize') {
      const back = new URL(asked.query.get('redirect_uri') ?? '');
      back.searchParams.set('code', 'a-code');
      back.searchParams.set('state', asked.query.get('state') ?? '');
      return { status: 302, headers: { location: back.href } };
    }
    if (asked.path === '/token') {
      const special = stage.onToken?.(asked);
      if (special !== undefined) return special;
      return asJson(200, {
        access_token: `access-${++count}`,
        refresh_token: `refresh-${count}`,
        token_type: 'Bearer',
        expires_in: 3_600,
      });
    }
    if (asked.path.startsWith('/api'))
      return stage.onApi?.(asked) ?? asJson(200, asked.headers.authorization, 'text/plain');
    return null;
  });
  const clock = handClock(Date.now());
  const rows = {
    plain: {
      title: 'Plain',
      client_id: 'id',
      client_secret: 'the-secret-of-the-client',
      authorization_url: `${upstream.url}/authorize`,
      token_url: `${upstream.url}/token`,
      scopes: ['read'],
      default_origin: upstream.url,
      ...row,
    },
  };
  const env = {
    ...providerSettings(t, rows),
    MCPRANK_ALLOW_UPSTREAMS: new URL(upstream.url).host,
    ...settings,
  };
  const app = await bootApp(t, env, { clock, ...options });
  const stage: PlainProvider = {
    app,
    clock,
    url: upstream.url,
    at: upstream.at,
    onToken: null,
    onApi: null,
    async connect(userId, fields = {}) {
      const opened = await app.call('POST', '/v1/identity/sessions', {
        body: { user_id: userId, provider: 'plain', ...fields },
      });
      await agree(String(opened.body.auth_url));
      return app.call('GET', `/v1/identity/sessions/${String(opened.body.session_id)}`);
    },
    async call(userId, path = 'api/x') {
      return app.call('GET', `/v1/proxy/plain/${path}`, { headers: await mitOf(app, userId) });
    },
    expire: () => clock.advance(3_601_000),
  };
  return stage;
}
