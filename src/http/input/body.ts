import type { IncomingMessage, ServerResponse } from 'node:http';
import { JsonFault, type JsonShape, type JsonView, scanJson } from '../../base/json-scanner.ts';
import { isLarge, joinLarge, scanLarge } from '../../base/large-json.ts';
import { Problem } from '../../base/problem.ts';
import type { ArrivalDeadline } from './arrival-deadline.ts';

/** 1 MB; a catalogue larger than that goes through `mcprank catalog import`. */
export const bodyLimitBytes = 1_048_576;

/** Raw NUL, or an escape that may stand for NUL or for half a surrogate pair: worth a walk through the value. */
const suspiciousText = /\0|\\u(0000|[dD][89a-fA-F])/;

const jsonTypes = /^application\/([a-z0-9.+-]+\+)?json(\s*;|$)/i;
const formType = 'application/x-www-form-urlencoded';

/** What a body is, by its Content-Type; null: nothing that anybody here reads. */
export function bodyKind(contentType: string, mayBeForm: boolean): 'json' | 'form' | null {
  if (contentType === 'application/json' || jsonTypes.test(contentType)) return 'json';
  const isForm = contentType.split(';', 1)[0]?.trim().toLowerCase() === formType;
  return mayBeForm && isForm ? 'form' : null;
}

/** What is expected in place of that. */
export function expectedType(mayBeForm: boolean): string {
  return `content-type: expected ${mayBeForm ? formType : 'application/json'}`;
}

/** Whether a request announces that it has no body. */
export function isBodiless({ headers, method }: IncomingMessage): boolean {
  const announced = Number(headers['content-length'] ?? 0);
  const bare = headers['transfer-encoding'] === undefined && announced === 0;
  return bare || method === 'GET' || method === 'HEAD';
}

/**
 * A body whole; undefined where it turns out to have nothing in it. `100 Continue` is said here and not before: whoever is
 * refused need not send it (RFC 9110 section 10.1.1, threats D3). Throws `invalid_request` for one that is too large, before
 * it is read where it says so, and `request_timeout` for one that does not arrive in time.
 */
export function receiveBody(
  request: IncomingMessage,
  reply: ServerResponse,
  { limitBytes, deadline }: { readonly limitBytes: number; readonly deadline: ArrivalDeadline },
): Promise<Buffer | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) throw tooLarge(limitBytes);
  if (request.headers.expect?.toLowerCase() === '100-continue') reply.writeContinue();
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const fail = (problem: Problem) => {
      deadline.done(arrival);
      request.off('data', take);
      reject(problem);
    };
    const take = (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > limitBytes) fail(tooLarge(limitBytes));
    };
    const arrival = deadline.start(() =>
      fail(new Problem('request_timeout', 'The request took too long to arrive')),
    );
    request.on('data', take);
    request.on('end', () => {
      deadline.done(arrival);
      const [first] = chunks;
      if (isLarge({ length: size })) resolve(joinLarge(chunks, size));
      else resolve(chunks.length > 1 ? Buffer.concat(chunks, size) : first);
    });
    request.on('close', () => {
      if (!request.complete) fail(new Problem('request_timeout', 'The caller went away'));
    });
  });
}

function tooLarge(limitBytes: number): Problem {
  const size =
    limitBytes < bodyLimitBytes
      ? `${Math.floor(limitBytes / 1_024)} kB`
      : `${Math.floor(limitBytes / bodyLimitBytes)} MB`;
  return new Problem('invalid_request', `body: larger than ${size} (${limitBytes} bytes)`);
}

export function parseForm(bytes: Buffer): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(bytes.toString()));
}

/** JSON from the wire, with its members where they stand. Throws `invalid_request` in words. */
export function scanJsonBody(bytes: Buffer, shape?: JsonShape): JsonView {
  try {
    return scanJson(bytes, shape);
  } catch (error) {
    throw inWords(error);
  }
}

/** The same for what is large, which is given away (`base/large-json.ts`). */
export async function scanLargeBody(bytes: Buffer, shape: JsonShape): Promise<JsonView> {
  try {
    return await scanLarge(bytes, shape);
  } catch (error) {
    throw inWords(error);
  }
}

function inWords(error: unknown): unknown {
  return error instanceof JsonFault
    ? new Problem('invalid_request', wordsFor(error), { cause: error })
    : error;
}

function wordsFor({ reason, member }: JsonFault): string {
  switch (reason) {
    case 'utf8':
      return 'body: expected UTF-8';
    case 'depth':
      return 'body: nested deeper than 64 levels';
    case 'duplicate':
      return `${member}: sent twice`;
    case 'syntax':
      return 'body: expected JSON';
  }
}

/**
 * JSON from the wire as a value. Refuses what a parser would swallow and a database or a model would choke on: bytes that
 * are not UTF-8, deep nesting, NUL, lone surrogates (RFC 8259 sections 8.1 and 8.2).
 */
export function parseJsonBody(bytes: Buffer): unknown {
  const text = scanJsonBody(bytes).text();
  const value: unknown = JSON.parse(text);
  if (suspiciousText.test(text)) refuseBadText(value, '');
  return value;
}

/** Names the first text with NUL or a lone surrogate, keys included. */
export function refuseBadText(value: unknown, path: string): void {
  if (typeof value === 'string') {
    if (value.includes('\0') || !value.isWellFormed())
      throw new Problem('invalid_request', `${path || 'body'}: must not contain NUL or lone surrogates`);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [key, item] of Object.entries(value)) {
    refuseBadText(key, path || 'body');
    refuseBadText(item, Array.isArray(value) ? `${path}[${key}]` : joinPath(path, key));
  }
}

function joinPath(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}
