import { parseRetryAfter } from '../../base/retry.ts';
import { type RpcRequest, type Step, UpstreamFailure } from '../mcp-model.ts';
import { discoverMethod, isModernError, isModernResult, modernRevision } from '../messages/rpc-message.ts';
import { supportsModern } from '../transports/duplex.ts';
import { cutOff, type Posted, unauthorised } from '../transports/streamable-http.ts';

/** What an answer says about the server that gave it: how old it is, whether it lost its session, why it failed. */

export type Era = 'modern' | 'session' | 'sse';

/** Answers that mean "not this way" before anything ran, so that the next older way may be tried. */
const wrongWay = new Set([400, 404, 405, 500]);
/** Codes under which servers in the wild report a session that they do not know (any more). */
const goneCodes = new Set([-32000, -32001, -32003, -32004]);
export const discover: RpcRequest = { method: discoverMethod };

export function isRefusal({ status, step }: Posted): boolean {
  return wrongWay.has(status) && status !== 500 && !isModernStep(step);
}

/** Modern, old, or (overloaded, unauthorised) not to be told from this answer. */
export function judge(posted: Posted, question: RpcRequest): 'modern' | 'old' | 'unknown' {
  const { status, step } = posted;
  if (status < 300) {
    if (question === discover) return supportsModern(step) ? 'modern' : 'old';
    return step?.kind === 'reply' && isModernResult(step.reply) ? 'modern' : 'old';
  }
  if (!wrongWay.has(status)) return 'unknown';
  return isModernStep(step) && !offersOnlyOld(step) ? 'modern' : 'old';
}

function isModernStep(step: Step | null): boolean {
  return step?.kind === 'reply' && isModernError(step.reply);
}

/** -32022 with a list of versions that ours is not in: a modern server's word that it wants the handshake. */
function offersOnlyOld(step: Step | null): boolean {
  const isRefusal = step?.kind === 'reply' && 'error' in step.reply && step.reply.error.code === -32022;
  return isRefusal && !supportedBy(step)?.includes(modernRevision);
}

/** The versions in a -32022. */
export function supportedBy(step: Step | null): readonly unknown[] | null {
  if (step?.kind !== 'reply' || !('error' in step.reply) || step.reply.error.code !== -32022) return null;
  const { supported } = (step.reply.error.data ?? {}) as { supported?: unknown };
  return Array.isArray(supported) ? supported : null;
}

export function isSessionGone({ status, step }: Posted): boolean {
  if (status === 404) return true;
  return (
    status === 400 && step?.kind === 'reply' && 'error' in step.reply && goneCodes.has(step.reply.error.code)
  );
}

export function contradicts({ status, step }: Posted, era: Era | undefined): boolean {
  if (era === 'modern')
    return (wrongWay.has(status) && status !== 500 && step === null) || offersOnlyOld(step);
  return status === 405 || (status === 404 && step === null) || isModernStep(step);
}

export function stepOf(posted: Posted): Step {
  const { status, step } = posted;
  if (step === null || status === 401 || status === 403 || status === 429) throw failureOf(posted);
  return step;
}

/** A failed status in words. What the body says beside it may be anything and is not repeated. */
export function failureOf({ status, headers }: Posted): UpstreamFailure {
  if (status < 300)
    return status === 202
      ? new UpstreamFailure('protocol', 'The server accepted the request and never answered it')
      : cutOff();
  if (status < 400)
    return new UpstreamFailure(
      'protocol',
      `The server redirects (${status}), and redirects are not followed`,
    );
  if (status === 401 || status === 403) return unauthorised(status, headers);
  if (status === 429) {
    const askedMs = parseRetryAfter(headers['retry-after']) ?? 5_000;
    return new UpstreamFailure('rate_limited', 'The server has too many requests (429)', {
      retryAfterMs: Math.min(Math.max(askedMs, 1_000), 3_600_000),
    });
  }
  if (status < 500 && status !== 408)
    return new UpstreamFailure('protocol', `The server does not speak MCP there (${status})`);
  return new UpstreamFailure(
    status === 408 || status === 504 ? 'timeout' : 'broken',
    `The server failed (${status})`,
  );
}
