import type { Api } from './api.ts';
import { errorOf, MCPRankError } from './errors.ts';

/** What any call takes besides its own fields. */
export type CallOptions = {
  readonly signal?: AbortSignal | undefined;
};

export type Operation = keyof Api;
type Filled<T> = T extends undefined ? undefined : T;

export type SendOptions<K extends Operation> = CallOptions & {
  readonly params?: Filled<Api[K]['params']>;
  readonly query?: Filled<Api[K]['query']>;
  readonly body?: Filled<Api[K]['body']>;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** To do it twice is to do it once. */
  readonly repeatable?: boolean | undefined;
};

/** One call of the API, typed by its method and path. */
export type Sender = {
  send<K extends Operation>(operation: K, options?: SendOptions<K>): Promise<Api[K]['reply']>;
  /** Any path, any body; the reply as it comes, failed or not. Never repeated. */
  raw(path: string, init: RequestInit): Promise<Response>;
};

export type SenderConfig = {
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly fetch?: typeof fetch | undefined;
  /** Times that a safe call is tried again (2). */
  readonly retries?: number | undefined;
  /** A whole JSON call, each time it is tried (130,000): a little over what the service itself allows a tool. */
  readonly timeoutMs?: number | undefined;
};

/** POSTs that change nothing, or whose repetition the service forgives: a refresh that is repeated gives the same successor. */
const repeatablePosts = new Set<Operation>([
  'POST /v1/search',
  'POST /v1/mcp/tools/list',
  'POST /v1/identity/token',
  'POST /v1/identity/refresh',
  'POST /v1/identity/revoke',
  'POST /v1/identity/introspect',
]);
const passing = new Set([429, 502, 503]);
const firstWaitMs = 250;
const longestWaitMs = 8_000;
/** When the service wants more patience than this, the caller shall decide. */
const patienceMs = 30_000;

export function createSender(config: SenderConfig): Sender {
  const { apiKey, retries = 2, timeoutMs = 130_000 } = config;
  const base = config.baseUrl.replace(/\/+$/, '');
  const go: typeof fetch = (input, init) => (config.fetch ?? globalThis.fetch)(input, init);
  return {
    raw: (path, init) => {
      const headers = new Headers(init.headers);
      headers.set('x-api-key', apiKey);
      return go(`${base}${path}`, { ...init, headers });
    },
    async send(operation, options = {}) {
      const { params, query, signal } = options;
      const [method = '', path = ''] = operation.split(' ');
      const isRepeatable = options.repeatable === true || method === 'GET' || repeatablePosts.has(operation);
      const url = `${base}${targetOf(path, params, query)}`;
      const init = requestOf(method, apiKey, options);
      const act = () => fetchJson(go, { url, init, timeoutMs, signal });
      return (await retry(act, isRepeatable ? retries : 0, signal)) as never;
    },
  };
}

function requestOf(
  method: string,
  apiKey: string,
  { body, headers }: { readonly body?: unknown; readonly headers?: SendOptions<Operation>['headers'] },
): RequestInit {
  const hasBody = body !== undefined;
  return {
    method,
    headers: { 'x-api-key': apiKey, ...(hasBody ? { 'content-type': 'application/json' } : {}), ...headers },
    ...(hasBody ? { body: JSON.stringify(body) } : {}),
  };
}

async function fetchJson(
  go: typeof fetch,
  {
    url,
    init,
    timeoutMs,
    signal,
  }: {
    readonly url: string;
    readonly init: RequestInit;
    readonly timeoutMs: number;
    readonly signal: AbortSignal | undefined;
  },
): Promise<unknown> {
  const limit = AbortSignal.timeout(timeoutMs);
  try {
    const reply = await go(url, {
      ...init,
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
    });
    if (!reply.ok) throw await errorOf(reply);
    return await reply.json();
  } catch (cause) {
    if (cause instanceof MCPRankError) throw cause;
    signal?.throwIfAborted();
    const detail = limit.aborted ? `No answer within ${timeoutMs} ms` : 'The service cannot be reached';
    throw new MCPRankError({ status: 0, code: limit.aborted ? 'timeout' : 'network', detail, cause });
  }
}

async function retry<T>(act: () => Promise<T>, retries: number, signal: AbortSignal | undefined): Promise<T> {
  for (let round = 0; ; round++) {
    try {
      return await act();
    } catch (error) {
      const waitMs = round < retries ? waitBefore(error, round) : null;
      if (waitMs === null) throw error;
      await sleep(waitMs, signal);
    }
  }
}

/** Milliseconds until a failed call may be tried again; null: it may not. */
function waitBefore(error: unknown, round: number): number | null {
  if (!(error instanceof MCPRankError)) return null;
  if (error.code !== 'network' && !passing.has(error.status)) return null;
  if (error.retryAfterMs !== undefined) return error.retryAfterMs <= patienceMs ? error.retryAfterMs : null;
  // Full jitter: callers that failed together do not come back together.
  return Math.random() * Math.min(longestWaitMs, firstWaitMs * 2 ** round);
}

function targetOf(path: string, params: object = {}, query: object = {}): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String((params as Record<string, unknown>)[name])),
  );
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined);
  if (pairs.length === 0) return filled;
  return `${filled}?${new URLSearchParams(pairs.map(([name, value]): [string, string] => [name, String(value)]))}`;
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/** The same, and that field with every call. */
export function withHeader({ send, raw }: Sender, name: string, value: string): Sender {
  return {
    send: (operation, options = {}) =>
      send(operation, { ...options, headers: { ...options.headers, [name]: value } }),
    raw(path, init) {
      const headers = new Headers(init.headers);
      headers.set(name, value);
      return raw(path, { ...init, headers });
    },
  };
}
