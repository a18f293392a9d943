import { Problem } from '../base/problem.ts';

/** 1 MB; a catalogue larger than that goes through `mcprank catalog import`. */
export const bodyLimitBytes = 1_048_576;
/** Deeper than any tool's schema seen in the catalogues; V8's parser would recurse on it. */
const maxDepth = 64;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });
/** Raw NUL, or an escape that may stand for NUL or for half a surrogate pair: worth a walk through the value. */
const suspiciousText = /\0|\\u(0000|[dD][89a-fA-F])/;

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
