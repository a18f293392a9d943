import { parseRetryAfter } from '../../base/retry.ts';
import { type CallResult, type RpcRequest, UpstreamFailure } from '../mcp-model.ts';
import { discoverRequest, supportedVersions, supportsModern } from '../messages/handshake.ts';
import { isModernError, isModernResult, modernRevision } from '../messages/rpc-message.ts';
import type { Posted } from '../transports/post.ts';
import { cutOff, unauthorized } from '../transports/reply-checks.ts';
import type { ProtocolMode } from './negotiation.ts';

/** What an answer says about the server that gave it: how old it is, whether it lost its session, why it failed. */

/** Statuses that say nothing about a server's age: who calls, how much, and whether it works at all. */
const inconclusive = new Set([401, 403, 408, 425, 429, 502, 503, 504]);
/** Answers that mean "not this way" before anything ran. */
const wrongWay = new Set([400, 404, 405, 406, 409, 412, 415, 422, 501]);
/** Codes under which servers in the wild report a session that they do not know (any more). */
const goneCodes = new Set([-32000, -32001, -32003, -32004]);

/** The handshake was refused by a server that knows none: another way may be tried. */
export function isWithoutHandshake({ status, result }: Posted): boolean {
  return wrongWay.has(status) && !isModernReply(result);
}

/** What the answer to a modern request shows. Any complete answer that is not a modern one is an older server's. */
export function judgeModern(
  { status, result }: Posted,
  question: RpcRequest,
): 'modern' | 'older' | 'inconclusive' {
  if (status < 300) {
    if (question === discoverRequest) return supportsModern(result) ? 'modern' : 'older';
    return result?.kind === 'reply' && isModernResult(result.reply) ? 'modern' : 'older';
  }
  if (inconclusive.has(status) || (status >= 300 && status < 400)) return 'inconclusive';
  return isModernReply(result) && !offersOnlyOlder(result) ? 'modern' : 'older';
}

function isModernReply(result: CallResult | null): boolean {
  return result?.kind === 'reply' && isModernError(result.reply);
}

function errorCode(result: CallResult | null): number | undefined {
  return result?.kind === 'reply' && 'error' in result.reply ? result.reply.error.code : undefined;
}

export function isUnknownMethod({ result }: Posted): boolean {
  return errorCode(result) === -32601;
}

/** −32022 with a list of versions that ours is not in: a modern server's word that it wants the handshake. */
function offersOnlyOlder(result: CallResult | null): boolean {
  return errorCode(result) === -32022 && !supportedVersions(result)?.includes(modernRevision);
}

/** It refuses our revision and names it among its own: perhaps it just learnt it. */
export function namesOurRevision({ result }: Posted): boolean {
  return errorCode(result) === -32022 && supportedVersions(result)?.includes(modernRevision) === true;
}

export function isSessionGone({ status, result }: Posted): boolean {
  return status === 404 || (status === 400 && goneCodes.has(errorCode(result) ?? 0));
}

/** Whether an answer shows that the server does not (or no longer) speak in the way that was settled. */
export function contradicts({ status, result }: Posted, mode: ProtocolMode | undefined): boolean {
  if (mode === 'stateless') return (wrongWay.has(status) && result === null) || offersOnlyOlder(result);
  return status === 405 || (status === 404 && result === null) || isModernReply(result);
}

export function resultOf(posted: Posted): CallResult {
  const { status, result } = posted;
  if (result === null || status === 401 || status === 403 || status === 429) throw failureOf(posted);
  return result;
}

/** A failed status in words. What the body says beside it may be anything and is not repeated. */
export function failureOf({ status, headers }: Pick<Posted, 'status' | 'headers'>): UpstreamFailure {
  if (status < 300)
    return status === 202
      ? new UpstreamFailure('protocol', 'The server accepted the request and never answered it')
      : cutOff();
  if (status < 400) return new UpstreamFailure('protocol', redirectText(status, headers.location));
  if (status === 401 || status === 403) return unauthorized(status, headers);
  if (status === 429) {
    const askedMs = parseRetryAfter(headers['retry-after']) ?? 5_000;
    return new UpstreamFailure('rate_limited', 'The server has too many requests (429)', {
      retryAfterMs: Math.min(Math.max(askedMs, 1_000), 3_600_000),
    });
  }
  if (status < 500 && status !== 408)
    return new UpstreamFailure('protocol', `The server does not speak MCP there (${status})`);
  const reason = status === 408 || status === 504 ? 'timeout' : 'broken';
  return new UpstreamFailure(reason, `The server failed (${status})`, { status });
}

/** Where it leads is said without path and query: a user's own key may stand in either. */
function redirectText(status: number, location: unknown): string {
  const target = typeof location === 'string' ? URL.parse(location) : null;
  const place = target === null ? '' : ` to ${target.origin}`.slice(0, 300);
  return `The server redirects${place} (${status}); followed is a 307 or 308 on its own origin, once`;
}
