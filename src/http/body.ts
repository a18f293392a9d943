import type { IncomingMessage } from 'node:http';
import { Problem } from '../base/problem.ts';

/** 1 MB; a catalogue larger than that goes through `mcprank catalog import`. */
const bodyLimitBytes = 1_048_576;
/** Deeper than any tool's schema seen in the catalogues; V8's parser would recurse on it. */
const maxDepth = 64;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });
/** Raw NUL, or an escape that may stand for NUL or for half a surrogate pair: worth a walk through the value. */
const suspiciousText = /\0|\\u(0000|[dD][89a-fA-F])/;

const jsonTypes = /^application\/([a-z0-9.+-]+\+)?json(\s*;|$)/i;
const formType = 'application/x-www-form-urlencoded';

/**
 * Takes in the body of a request and hands over what it says; undefined where there is none. A type that nobody here
 * reads, and a body that is too large, are refused before they are read. Never calls back when the caller goes away.
 */
export function receiveBody(request: IncomingMessage, mayBeForm: boolean, done: Received): void {
  const { headers, method } = request;
  const announced = Number(headers['content-length'] ?? 0);
  const bare = headers['transfer-encoding'] === undefined && announced === 0;
  const parse = parserFor(headers['content-type'] ?? '', mayBeForm);
  if (bare || method === 'GET' || method === 'HEAD') done(null);
  else if (parse === null) done(new Problem('invalid_request', 'content-type: expected application/json'));
  else if (announced > bodyLimitBytes) done(tooLarge());
  else collect(request, parse, done);
}

type Received = (error: Error | null, value?: unknown) => void;

function collect(request: IncomingMessage, parse: (bytes: Buffer) => unknown, done: Received): void {
  const chunks: Buffer[] = [];
  let size = 0;
  const stop = () => request.off('data', take).off('end', finish);
  const take = (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    if (size <= bodyLimitBytes) return;
    stop();
    done(tooLarge());
  };
  const finish = () => {
    const [first] = chunks;
    let value: unknown;
    try {
      // A chunked body may turn out to have nothing in it.
      if (first !== undefined) value = parse(chunks.length === 1 ? first : Buffer.concat(chunks, size));
    } catch (error) {
      done(error as Error);
      return;
    }
    done(null, value);
  };
  request.on('data', take).on('end', finish);
}

function parserFor(type: string, mayBeForm: boolean): ((bytes: Buffer) => unknown) | null {
  if (type === 'application/json' || jsonTypes.test(type)) return parseJsonBody;
  const isForm = type.split(';', 1)[0]?.trim().toLowerCase() === formType;
  return mayBeForm && isForm ? parseForm : null;
}

function parseForm(bytes: Buffer): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(bytes.toString()));
}

function tooLarge(): Problem {
  return new Problem('invalid_request', `body: larger than 1 MB (${bodyLimitBytes} bytes)`);
}

/**
 * JSON from the wire. Refuses what a parser would swallow and a database or a model would choke on: bytes that are
 * not UTF-8, deep nesting, NUL, lone surrogates (RFC 8259 sections 8.1 and 8.2).
 */
export function parseJsonBody(bytes: Buffer): unknown {
  const text = decodeBody(bytes);
  if (depthOf(text) > maxDepth)
    throw new Problem('invalid_request', `body: nested deeper than ${maxDepth} levels`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Problem('invalid_request', 'body: expected JSON');
  }
  if (suspiciousText.test(text)) refuseBadText(value, '');
  return value;
}

function decodeBody(bytes: Buffer): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new Problem('invalid_request', 'body: expected UTF-8');
  }
}

function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x22) inString = !inString;
    else if (code === 0x5c && inString) i++;
    else if (inString) continue;
    else if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x7d || code === 0x5d) depth--;
  }
  return deepest;
}

/** Names the first text with NUL or a lone surrogate, keys included. */
function refuseBadText(value: unknown, path: string): void {
  if (typeof value === 'string') {
    if (value.includes('\0') || !value.isWellFormed())
      throw new Problem('invalid_request', `${path || 'body'}: must not contain NUL or lone surrogates`);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      refuseBadText(key, path || 'body');
      refuseBadText(item, Array.isArray(value) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`);
    }
  }
}
