import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { googleScopes, type Idp } from './oidc.ts';

export type GoogleApi = {
  readonly origin: string;
  /** Method and target of every call, the refused ones included. */
  readonly calls: string[];
  /** Bodies by target. */
  readonly bodies: Map<string, Buffer>;
  /** The bearer that came last. */
  token: string;
  /** A bearer that is no longer taken. */
  refused: string;
  /** Answers 429 to so many of the next calls. */
  busy: number;
};

const file = Buffer.from(Array.from({ length: 10_000 }, (_, i) => i % 251));

/** A few of Google's paths on the loopback interface; asks the authorisation server about every bearer. */
export async function startGoogleApi(t: TestContext, idp: Idp): Promise<GoogleApi> {
  const api = {
    origin: '',
    calls: [] as string[],
    bodies: new Map<string, Buffer>(),
    token: '',
    refused: '',
    busy: 0,
  };
  const server = createServer(async (request, reply) => {
    const target = request.url ?? '';
    api.calls.push(`${request.method} ${target}`);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    api.bodies.set(target, Buffer.concat(chunks));
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    api.token = token;
    const { active, sub } = await idp.introspect(token);
    if (!active || token === api.refused)
      return answer(reply, 401, { error: { code: 401, message: 'Invalid Credentials' } });
    if (api.busy > 0) {
      api.busy--;
      return answer(reply, 429, { error: { code: 429, message: 'Rate Limit Exceeded' } });
    }
    serve(request, reply, target, sub ?? '', api);
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  api.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return api;
}

/** A row of MCPRANK_PROVIDERS: Google as it is, with its hosts and its authorisation server here. */
export function googleRow(idp: Idp, api: GoogleApi): Record<string, unknown> {
  const prefixes = ['gmail/v1', 'calendar/v3', 'drive/v3', 'upload/gmail/v1', 'upload/drive/v3'];
  return idp.row({
    scopes: ['openid', 'email', ...googleScopes],
    routes: prefixes.map((prefix) => ({ prefix, origin: api.origin })),
  });
}

function serve(
  request: IncomingMessage,
  reply: ServerResponse,
  target: string,
  user: string,
  api: GoogleApi,
): void {
  const [path = '', query = ''] = target.split('?');
  const size = api.bodies.get(target)?.length ?? 0;
  if (path === '/gmail/v1/users/me/messages') answer(reply, 200, { messages: [{ id: `of ${user}` }] });
  else if (path.startsWith('/gmail/v1/users/me/messages/') && request.method === 'GET')
    answer(reply, 200, { id: decodeURIComponent(path.slice('/gmail/v1/users/me/messages/'.length)) });
  else if (path.endsWith('/messages/send')) answer(reply, 200, { id: 'sent', sizeEstimate: size });
  else if (path.startsWith('/calendar/v3/calendars/')) sendCalendar(request, reply, user);
  else if (path === '/upload/drive/v3/files') takeUpload(request, reply, { api, query, size });
  else if (path.startsWith('/drive/v3/files/')) sendRange(reply, request.headers.range);
  else answer(reply, 404, { error: { code: 404, message: `Not Found: ${path}` } });
}

function sendCalendar(request: IncomingMessage, reply: ServerResponse, user: string): void {
  if (request.headers['if-none-match'] === '"v1"') reply.writeHead(304, { etag: '"v1"' }).end();
  else answer(reply, 200, { items: [{ summary: `day of ${user}` }] }, { etag: '"v1"' });
}

function takeUpload(
  request: IncomingMessage,
  reply: ServerResponse,
  { api, query, size }: { api: GoogleApi; query: string; size: number },
): void {
  const location = `${api.origin}/upload/drive/v3/files?uploadType=resumable&upload_id=up%2F1`;
  if (new URLSearchParams(query).get('uploadType') === 'multipart')
    answer(reply, 200, { id: 'multipart', size });
  else if (request.method === 'POST') answer(reply, 200, {}, { location });
  else answer(reply, 200, { id: 'resumable', size, range: request.headers['content-range'] });
}

function sendRange(reply: ServerResponse, range: string | undefined): void {
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
  if (from === undefined) return void reply.writeHead(200, { 'content-length': file.length }).end(file);
  const part = file.subarray(Number(from), Number(to) + 1);
  reply.writeHead(206, { 'content-range': `bytes ${from}-${to}/${file.length}` }).end(part);
}

function answer(
  reply: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  reply.writeHead(status, { 'content-type': 'application/json; charset=UTF-8', ...headers });
  reply.end(JSON.stringify(body));
}
