import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { adminKey, type TestApp } from './app.ts';
import { type Browser, createBrowser, type Page } from './browser.ts';

export type OAuthReply = {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
};
type Fields = Readonly<Record<string, string>>;

export const callback = 'http://127.0.0.1:33418/callback';

/** JSON to `/register`. */
export async function register(
  app: Pick<TestApp, 'url'>,
  metadata: Record<string, unknown> = {},
): Promise<OAuthReply> {
  const reply = await fetch(`${app.url}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: 'Test Client',
      redirect_uris: [callback],
      token_endpoint_auth_method: 'none',
      ...metadata,
    }),
  });
  return read(reply);
}

/** A form to `/token`, `/revoke` or `/introspect`. */
export async function post(
  app: Pick<TestApp, 'url'>,
  path: string,
  fields: Fields,
  headers: Fields = {},
): Promise<OAuthReply> {
  const body = new URLSearchParams(fields);
  return read(await fetch(`${app.url}${path}`, { method: 'POST', headers, body }));
}

async function read(reply: Response): Promise<OAuthReply> {
  const text = await reply.text();
  const isJson = reply.headers.get('content-type')?.includes('json') === true;
  return {
    status: reply.status,
    headers: reply.headers,
    body: isJson ? (JSON.parse(text) as Record<string, unknown>) : { text },
  };
}

/** A browser that was sent to `/authorize` by a client. */
export type Visit = {
  readonly browser: Browser;
  readonly verifier: string;
  readonly state: string;
  /** Our page, or whatever came in its place. */
  readonly page: Page;
};

export async function visit(
  app: Pick<TestApp, 'url'>,
  clientId: string,
  params: Readonly<Record<string, string | null>> = {},
  at?: (url: string) => string,
): Promise<Visit> {
  const verifier = randomBytes(32).toString('base64url');
  const state = randomBytes(8).toString('hex');
  const usual = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: callback,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    state,
    resource: `${app.url}/mcp`,
  };
  const sent = Object.entries({ ...usual, ...params }).filter(([, value]) => value !== null);
  const browser = createBrowser(at);
  const query = new URLSearchParams(sent as [string, string][]);
  return { browser, verifier, state, page: await followOwn(app, browser, `${app.url}/authorize?${query}`) };
}

/** Redirects within us are followed; where one leads away, the page that leads there is what is answered. */
async function followOwn(
  app: Pick<TestApp, 'url'>,
  browser: Browser,
  url: string,
  form?: Fields,
): Promise<Page> {
  let page = await browser.open(url, form);
  for (let hops = 0; hops < 10; hops++) {
    const location = page.headers.get('location');
    if (location === null || !location.startsWith(`${app.url}/`)) return page;
    page = await browser.open(location);
  }
  throw new Error('redirects without end');
}

/** The person fills in the page: a key, or nothing but the way back. Answers with the parameters that the client gets. */
export async function decide(
  app: Pick<TestApp, 'url'>,
  { browser, page }: Visit,
  fields: Fields = { decision: 'allow', key: adminKey },
): Promise<URLSearchParams> {
  const done = await followOwn(app, browser, page.url, { decision: 'allow', ...fields });
  const location = done.headers.get('location');
  assert.ok(location !== null, `${done.status} ${done.text}`);
  return new URL(location).searchParams;
}

export function exchange(
  app: Pick<TestApp, 'url'>,
  code: { readonly clientId: string; readonly code: string; readonly verifier: string },
  fields: Fields = {},
): Promise<OAuthReply> {
  return post(app, '/token', {
    grant_type: 'authorization_code',
    client_id: code.clientId,
    code: code.code,
    code_verifier: code.verifier,
    redirect_uri: callback,
    ...fields,
  });
}

export type Tokens = { readonly clientId: string; readonly access: string; readonly refresh: string };

/** The whole way of a client that registers itself. */
export async function signIn(
  app: Pick<TestApp, 'url'>,
  options: {
    readonly key?: string;
    readonly user?: string;
    readonly resource?: string | null;
    readonly clientId?: string;
  } = {},
): Promise<Tokens> {
  const { key = adminKey, user, resource = `${app.url}/mcp` } = options;
  const clientId = options.clientId ?? String((await register(app)).body.client_id);
  const visited = await visit(app, clientId, { resource });
  const got = await decide(app, visited, { key, ...(user !== undefined && { user_id: user }) });
  const { verifier } = visited;
  const reply = await exchange(app, { clientId, code: got.get('code') ?? '', verifier });
  assert.equal(reply.status, 200, JSON.stringify(reply.body));
  return {
    clientId,
    access: String(reply.body.access_token),
    refresh: String(reply.body.refresh_token),
  };
}

export function refresh(app: Pick<TestApp, 'url'>, { clientId, refresh: token }: Tokens) {
  return post(app, '/token', { grant_type: 'refresh_token', client_id: clientId, refresh_token: token });
}

/** One request to a door of MCP, with an access token. */
export function ping(
  app: Pick<TestApp, 'call'>,
  token: string | null,
  path = '/mcp',
  headers: Fields = {},
): ReturnType<TestApp['call']> {
  return app.call('POST', path, {
    key: null,
    body: { jsonrpc: '2.0', id: 1, method: 'ping' },
    headers: {
      accept: 'application/json, text/event-stream',
      ...(token !== null && { authorization: `Bearer ${token}` }),
      ...headers,
    },
  });
}

/** The person at the screen signs in through the company; the last page, or what the client gets. */
export async function through(
  app: Pick<TestApp, 'url'>,
  clientId?: string,
  params: Readonly<Record<string, string>> = {},
) {
  const id = clientId ?? String((await register(app)).body.client_id);
  const visited = await visit(app, id, params);
  assert.equal(visited.page.status, 200, visited.page.text);
  let page = await visited.browser.open(visited.page.url, { decision: 'allow' });
  for (let hops = 0; hops < 20; hops++) {
    const location = page.headers.get('location');
    if (location === null || location.includes(':33418/')) break;
    page = await visited.browser.open(new URL(location, page.url).href);
  }
  return { ...visited, clientId: id, last: page };
}

export async function tokensOf(
  app: Pick<TestApp, 'url'>,
  clientId?: string,
  params?: Readonly<Record<string, string>>,
): Promise<Tokens> {
  const { last, verifier, clientId: id } = await through(app, clientId, params);
  const back = new URL(last.headers.get('location') ?? `x:${last.text}`).searchParams;
  const reply = await exchange(app, { clientId: id, code: back.get('code') ?? '', verifier });
  assert.equal(reply.status, 200, `${JSON.stringify(reply.body)} ${last.status} ${last.text}`);
  return {
    clientId: id,
    access: String(reply.body.access_token),
    refresh: String(reply.body.refresh_token),
  };
}
