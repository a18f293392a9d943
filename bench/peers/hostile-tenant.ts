/**
 * One tenant with a good key and bad manners, until it is killed:
 *   node bench/peers/hostile-tenant.ts '{"url", "key", "kinds", "strength", "hook"}'
 * Prints `ready` when everything is under way.
 */
import { setTimeout as delay } from 'node:timers/promises';

export type HostileKind = keyof typeof kinds;
export type Hostile = {
  readonly url: string;
  readonly key: string;
  readonly kinds: readonly HostileKind[];
  /** From 0 to 1. */
  readonly strength: number;
  /** Where its events go. */
  readonly hook: string;
};

type Options = {
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: string;
  readonly body?: unknown;
};

const tenant = JSON.parse(process.argv[2] ?? '') as Hostile;
/** How many at once, or how often a second, at full strength. */
const share = (most: number) => Math.max(1, Math.round(most * tenant.strength));

/** null: it broke. */
async function send(
  path: string,
  { key, headers, method = 'POST', body }: Options,
): Promise<Response | null> {
  return fetch(tenant.url + path, {
    method,
    headers: { 'x-api-key': key ?? tenant.key, 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  }).catch(() => null);
}

/** Reads the reply away. */
async function ask(path: string, options: Options): Promise<string> {
  const reply = await send(path, options);
  return (await reply?.text().catch(() => '')) ?? '';
}

const call = (server_id: string, headers = {}) =>
  ask('/v1/mcp/tools/call', { body: { server_id, name: 'go', arguments: {} }, headers });

const restMs = 250;

/** So many at once, over and over. */
function atOnce(count: number, act: (n: number) => Promise<unknown>): void {
  for (let n = 0; n < count; n++)
    void (async () => {
      for (;;) {
        const since = performance.now();
        await act(n);
        // What is refused at once is asked again four times a second each: a flood of good requests is what limits are for.
        if (performance.now() - since < restMs) await delay(restMs);
      }
    })();
}

/** So many a second, whatever becomes of them. */
function aSecond(count: number, act: (n: number) => Promise<unknown>): void {
  let n = 0;
  setInterval(() => void act(n++), 1_000 / count);
}

async function userHeaders(user: string): Promise<Record<string, string>> {
  const text = await ask('/v1/identity/token', { body: { user_id: user } });
  const { access_token = '' } = JSON.parse(text || '{}') as { access_token?: string };
  return { authorization: `Bearer ${access_token}` };
}

/** A user's session with the server that streams, its GET stream left open. */
async function openStream(user: string): Promise<void> {
  const headers = {
    ...(await userHeaders(user)),
    accept: 'application/json, text/event-stream',
  };
  const params = {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'hostile', version: '1' },
  };
  const path = '/mcp/servers/stream';
  const hello = await send(path, {
    headers,
    body: { jsonrpc: '2.0', id: 1, method: 'initialize', params },
  });
  const session = hello?.headers.get('mcp-session-id') ?? '';
  await hello?.text();
  const own = { ...headers, 'mcp-session-id': session };
  void send(path, { method: 'GET', headers: own });
  await ask(path, {
    headers: own,
    body: { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'go' } },
  });
}

const kinds = {
  'slow names': () => atOnce(share(60), (n) => call(`name-${n % 60}`)),
  'open streams': () => {
    for (let n = 0; n < share(300); n++) void openStream(`stream ${n}`);
  },
  'silent servers': () => atOnce(share(300), () => call('never')),
  'hung programs': () => atOnce(share(64), async (n) => call('hung', await userHeaders(`program ${n}`))),
  'bad keys': () =>
    aSecond(share(200), (n) =>
      ask('/v1/search', { key: `sk_mcp_rank_${n.toString(16).padStart(32, '0')}`, body: { query: 'x' } }),
    ),
  'idempotency keys': () =>
    aSecond(share(200), (n) => call('good', { 'idempotency-key': `${process.pid} ${n}` })),
  webhooks: async () => {
    await ask('/v1/identity/webhook', { method: 'PUT', body: { url: tenant.hook } });
    aSecond(share(20), async (n) => {
      let token = '';
      const tokens: string[] = [];
      for (const path of ['token', 'refresh', 'refresh']) {
        const body = path === 'token' ? { user_id: `hook ${n}` } : { refresh_token: token };
        const text = await ask(`/v1/identity/${path}`, { body });
        token = String((JSON.parse(text || '{}') as { refresh_token?: string }).refresh_token);
        tokens.push(token);
      }
      // A token that was used twice is an event.
      await ask('/v1/identity/refresh', { body: { refresh_token: tokens[0] } });
    });
  },
  '8 MB replies': () => atOnce(share(8), () => call('huge')),
  'replies that nobody reads': () => {
    for (let n = 0; n < share(32); n++)
      void send('/v1/mcp/tools/call', { body: { server_id: 'huge', name: 'go', arguments: {} } });
  },
} satisfies Record<string, () => unknown>;

for (const kind of tenant.kinds) await kinds[kind]();
console.log('ready');
