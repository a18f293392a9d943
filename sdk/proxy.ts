import type { ProviderInfo } from './api.ts';
import { errorOf } from './errors.ts';
import type { CallOptions, Sender } from './sender.ts';
import type { Tokens } from './tokens.ts';

export type ProxyApi = {
  /** Whether the user has connected the provider. */
  info(options?: CallOptions): Promise<ProviderInfo>;
  /** The provider's reply, whatever its status; throws where the service itself refused. Bodies stream both ways. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
};

/** Where a provider's API lives, and the services of it that have to be named (docs/proxy.md). */
type Place = {
  readonly hosts: RegExp;
  readonly service?: (host: string, path: string) => string | undefined;
};

const places: Readonly<Record<string, Place>> = {
  google: {
    hosts: /^[a-z0-9-]+\.googleapis\.com$/,
    // `v1/…` is the beginning of many services' paths: which one is meant, the host says.
    service: (host, path) => {
      const [name = ''] = host.split('.', 1);
      return name !== 'www' && /^\/v\d/.test(path) ? name : undefined;
    },
  },
  github: {
    hosts: /^(api|uploads)\.github\.com$/,
    service: (host) => (host.startsWith('uploads.') ? 'uploads' : undefined),
  },
  slack: {
    hosts: /^((www|files)\.)?slack\.com$/,
    service: (host) => (host.startsWith('files.') ? 'files' : undefined),
  },
  microsoft: { hosts: /^graph\.microsoft\.com$/ },
};

export function createProxyApi(sender: Sender, tokens: Tokens, provider: string): ProxyApi {
  return {
    info: ({ signal } = {}) =>
      tokens.use(
        (token) =>
          sender.send('GET /v1/proxy/{provider}/info', {
            params: { provider },
            headers: { authorization: `Bearer ${token}` },
            signal,
          }),
        { signal },
      ),
    async fetch(path, init = {}) {
      const reply = await forward(sender, tokens, `/v1/proxy/${provider}/${path.replace(/^\//, '')}`, init);
      if (!reply.ok && isOurs(reply)) throw await errorOf(reply);
      return reply;
    },
  };
}

/** A `fetch` that takes the provider's own URLs; our refusals come as replies, as a client of the provider expects. */
export function createProxyFetch(sender: Sender, tokens: Tokens, provider: string): typeof fetch {
  return async (input, init) => {
    const asked = input instanceof Request ? new Request(input, init) : undefined;
    const url = asked?.url ?? String(input);
    const sent = asked === undefined ? init : fieldsOf(asked);
    return forward(sender, tokens, proxyPath(provider, url), sent ?? {});
  };
}

/** The path of ours that stands for a URL of the provider; everything after its host stays byte for byte. */
export function proxyPath(provider: string, url: string): string {
  const [, host = '', rest = ''] = /^https?:\/\/([^/?#]+)([^#]*)/i.exec(url) ?? [];
  // A `Location` of the provider's comes back as a URL of the service.
  if (host !== '' && rest.startsWith(`/v1/proxy/${provider}/`)) return rest;
  const place = Object.hasOwn(places, provider) ? places[provider] : undefined;
  if (host === '' || place?.hosts.test(host.toLowerCase()) === false)
    throw new TypeError(`${url.slice(0, 200)} is not a URL of ${provider}`);
  const service = place?.service?.(host.toLowerCase(), rest);
  const path = rest.replace(/^\//, '');
  return `/v1/proxy/${provider}/${service === undefined ? '' : `~${service}/`}${path}`;
}

async function forward(sender: Sender, tokens: Tokens, path: string, init: RequestInit): Promise<Response> {
  const send = async () => {
    const headers = new Headers(init.headers);
    headers.set('authorization', `Bearer ${await tokens.token({ signal: init.signal ?? undefined })}`);
    return sender.raw(path, { ...init, headers, redirect: 'manual' });
  };
  const reply = await send();
  if (reply.status !== 403 || !isOurs(reply)) return reply;
  const { code } = await errorOf(reply.clone());
  if (code !== 'invalid_token') return reply;
  tokens.forget();
  // A stream is gone once it was sent; whatever else was refused at the door can be sent again.
  if (init.body instanceof ReadableStream) return reply;
  await reply.body?.cancel();
  return send();
}

function isOurs(reply: Response): boolean {
  return reply.headers.get('x-proxy-origin') !== 'upstream';
}

function fieldsOf({ method, headers, body, signal }: Request): RequestInit {
  // `duplex` is what fetch wants to hear before it sends a stream.
  return { method, headers, signal, ...(body === null ? {} : { body, duplex: 'half' as const }) };
}
