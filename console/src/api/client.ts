import { signal } from '@preact/signals';
import type { Api, ConsoleSession, Problem, Refusal } from '../../../sdk/api.ts';

/** A call that failed, in the service's own words. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly requestId: string;
  constructor(status: number, code: string, message: string, requestId: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.requestId = requestId;
  }
}

/** undefined: not asked yet. */
export const session = signal<ConsoleSession | undefined>(undefined);

/** Method and path as `/openapi.json` has them; what goes in and comes out follows from it. */
export type Operation = keyof Api;
/** The operations that a page reads. */
export type Read = Extract<Operation, `GET ${string}`>;
type Fields = Readonly<Record<string, string | number | undefined>>;
export type Input<K extends Operation> = {
  readonly params?: Api[K]['params'];
  /** A field that is empty is left out. */
  readonly query?: Fields & { readonly [F in keyof Api[K]['query']]?: string | number | undefined };
  readonly body?: Api[K]['body'];
  readonly signal?: AbortSignal;
};
export type Answer<T> = { readonly body: T; readonly ms: number };

export async function call<K extends Operation>(
  operation: K,
  input: Input<K> = {},
): Promise<Answer<Api[K]['reply']>> {
  const started = performance.now();
  const reply = await request(operation, input);
  const ms = performance.now() - started;
  return { body: parse(await reply.text()) as Api[K]['reply'], ms };
}

/** The reply, not read yet; one that says no is thrown. */
export async function request<K extends Operation>(
  operation: K,
  input: Input<K>,
  accept?: string,
): Promise<Response> {
  const [method = ''] = operation.split(' ');
  const reply = await send(method, targetOf(operation, input), { ...input, accept });
  if (reply.ok) return reply;
  const error = errorOf(reply, parse(await reply.text()) as Partial<Problem | Refusal>);
  // The session is over (or its key revoked): back to the sign-in.
  if (error.status === 401 && session.value?.signed_in === true)
    session.value = { ...session.value, signed_in: false };
  throw error;
}

async function send(
  method: string,
  target: string,
  {
    body,
    signal,
    accept,
  }: { readonly body?: unknown; readonly signal?: AbortSignal; readonly accept?: string | undefined },
): Promise<Response> {
  const csrf = method === 'GET' ? undefined : session.value?.csrf;
  try {
    return await fetch(target, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(csrf === undefined ? {} : { 'x-csrf-token': csrf }),
        ...(accept === undefined ? {} : { accept }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (cause) {
    if ((cause as { name?: string }).name === 'AbortError') throw cause;
    throw new ApiError(0, 'unreachable', 'The service does not answer. Is it still running?', '');
  }
}

export async function whoAmI(): Promise<void> {
  session.value = (await call('GET /console/session')).body;
}

export async function signIn(key: string): Promise<void> {
  session.value = (await call('POST /console/session', { body: { key } })).body;
}

export async function signOut(): Promise<void> {
  session.value = (await call('DELETE /console/session')).body;
}

const roles = ['viewer', 'developer', 'operator', 'admin'];

/** Whether a page is for whoever is signed in: by the role of a person without a key, else by the scope of the key. */
export function maySee(page: { readonly scope: string | null; readonly role: string }): boolean {
  const role = session.value?.role;
  if (role !== undefined) return roles.indexOf(role) >= roles.indexOf(page.role);
  return page.scope === null || may(page.scope);
}

export function may(scope: string): boolean {
  const scopes = session.value?.scopes ?? [];
  return scopes.includes(scope) || (scope === 'approve' && scopes.includes('admin'));
}

/** Where an operation is asked: its path filled in, and its query behind it. */
export function targetOf<K extends Operation>(operation: K, { params, query }: Input<K> = {}): string {
  const [, path = ''] = operation.split(' ');
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String((params as Fields | undefined)?.[name])),
  );
  return filled + queryText(query);
}

export function queryText(fields: Fields = {}): string {
  const filled = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [[name, String(value)]],
  );
  return filled.length === 0 ? '' : `?${new URLSearchParams(filled)}`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

function errorOf(reply: Response, parsed: Partial<Problem | Refusal>): ApiError {
  const requestId = reply.headers.get('x-request-id') ?? '';
  const { detail } = parsed;
  if (typeof detail === 'object') return new ApiError(reply.status, detail.code, detail.message, requestId);
  const code = 'code' in parsed ? (parsed.code ?? '') : '';
  return new ApiError(reply.status, code, detail ?? `The service answered ${reply.status}`, requestId);
}
