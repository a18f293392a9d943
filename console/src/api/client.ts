import { signal } from '@preact/signals';
import type { Session } from './types.ts';

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
export const session = signal<Session | undefined>(undefined);

export type Answer<T> = { readonly body: T; readonly ms: number };

export async function call<T>(
  method: string,
  path: string,
  options: { readonly body?: unknown; readonly signal?: AbortSignal } = {},
): Promise<Answer<T>> {
  const started = performance.now();
  let reply: Response;
  try {
    reply = await fetch(path, {
      method,
      headers: {
        ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(method === 'GET' || session.value?.csrf === undefined
          ? {}
          : { 'x-csrf-token': session.value.csrf }),
      },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  } catch (cause) {
    if ((cause as { name?: string }).name === 'AbortError') throw cause;
    throw new ApiError(0, 'unreachable', 'The service does not answer. Is it still running?', '');
  }
  const ms = performance.now() - started;
  const text = await reply.text();
  const parsed = parse(text);
  if (reply.ok) return { body: parsed as T, ms };
  const fault = faultOf(reply, parsed);
  // The session is over (or its key revoked): back to the door.
  if (fault.status === 401 && session.value?.signed_in === true)
    session.value = { signed_in: false, version: session.value.version };
  throw fault;
}

export async function get<T>(path: string, aborted?: AbortSignal): Promise<T> {
  return (await call<T>('GET', path, aborted === undefined ? {} : { signal: aborted })).body;
}

export async function whoAmI(): Promise<void> {
  session.value = await get<Session>('/console/session');
}

export async function signIn(key: string): Promise<void> {
  session.value = (await call<Session>('POST', '/console/session', { body: { key } })).body;
}

export async function signOut(): Promise<void> {
  session.value = (await call<Session>('DELETE', '/console/session')).body;
}

export function may(scope: string): boolean {
  return session.value?.scopes?.includes(scope) === true;
}

export function query(fields: Readonly<Record<string, string | number | undefined>>): string {
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

function faultOf(reply: Response, parsed: unknown): ApiError {
  const { detail, code } = parsed as {
    detail?: string | { code?: string; message?: string };
    code?: string;
  };
  const requestId = reply.headers.get('x-request-id') ?? '';
  if (typeof detail === 'object')
    return new ApiError(reply.status, detail.code ?? '', detail.message ?? 'Not allowed', requestId);
  return new ApiError(reply.status, code ?? '', detail ?? `The service answered ${reply.status}`, requestId);
}
