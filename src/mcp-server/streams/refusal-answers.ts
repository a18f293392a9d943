import type { JsonView } from '../../base/json-scanner.ts';
import { Problem } from '../../base/problem.ts';
import { rpcError, UpstreamFailure } from '../../mcp/mcp.ts';
import { capabilitiesIn, missingFor } from '../client-capabilities.ts';
import { declaredCapabilities } from '../client-request.ts';
import type { AskedRequest } from '../door-request.ts';
import type { McpCaller, Outcome } from '../doors/backend.ts';
import { modernResult } from '../revision-words.ts';
import { type Answer, errorMessage, errorReply, type McpHttpReply, resultMessage } from './answer.ts';

/** What a client is answered that gets no result: a refusal in words, or questions. */

export const unusable = -32000;
/** The caller may not, or not yet: `data` says by which toolset, or what has to be approved. */
const denied = -32003;
export const methodNotFound = -32601;
const headerMismatch = -32020;
const missingCapability = -32021;

/** What a client is told in the protocol's own form; every other error is one of HTTP. */
export function errorInWords(error: unknown): ReturnType<typeof rpcError> | null {
  if (error instanceof UpstreamFailure) return rpcError(unusable, error.detail, { reason: error.reason });
  if (!(error instanceof Problem) || !refusals.has(error.kind)) return null;
  return rpcError(denied, error.detail, { code: error.kind, ...error.facts });
}

/** Of the caller's rights: denied, an approval that is used, a budget that is. */
const refusals: ReadonlySet<string> = new Set(['denied', 'conflict', 'rate_limited']);

/** Who came with an access token learns by the status, too: to sign in again would not help (RFC 6750 section 3.1). */
export function statusOfDenied(error: unknown, { client }: McpCaller): number | undefined {
  return client !== undefined && error instanceof Problem && error.kind === 'denied' ? 403 : undefined;
}

export const notAllowed: McpHttpReply = {
  ...errorReply(405, undefined, rpcError(unusable, 'Method not allowed.')),
  headers: { allow: 'POST' },
};

/** What 2026-07-28 wants the HTTP status of these errors to be; every other error is the answer, and no failure of HTTP. */
const statuses: ReadonlyMap<number, number> = new Map([
  [methodNotFound, 404],
  [headerMismatch, 400],
  [missingCapability, 400],
]);

export function errorAnswer(
  id: JsonView,
  error: ReturnType<typeof rpcError>,
  age: AskedRequest['age'],
): Answer {
  const status = age === 'modern' ? (statuses.get(error.code) ?? 200) : 200;
  return { status, message: errorMessage(id, error) };
}

type Needed = Extract<Outcome, { kind: 'input' }>['needed'];

/** A client of 2026-07-28 sends the same request again with its answers, if it said that it can be asked. */
export function inputAnswer(
  { id, params, method, age }: AskedRequest,
  needed: Needed,
  serverInfo: string | Buffer,
): Answer {
  const missing = missingFor(needed.requests, capabilitiesIn(declaredCapabilities(params)));
  if (missing !== null) {
    const data = { requiredCapabilities: missing };
    const error =
      approvalError(needed) ?? rpcError(missingCapability, 'Missing required client capability', data);
    return errorAnswer(id, error, age);
  }
  const members = [
    '"inputRequests":',
    ...needed.inputRequests,
    `,"requestState":${JSON.stringify(needed.continuation)}`,
  ];
  const [, ...rest] = modernResult(method, { members }, serverInfo);
  return { status: 200, message: resultMessage(id, ['{"resultType":"input_required"', ...rest]) };
}

/** For a client that cannot be sent to a page: its user goes there, and makes the very same call again. */
export function approvalError({ approval }: Needed): ReturnType<typeof rpcError> | null {
  if (approval === undefined) return null;
  const { id, expiresAt, url } = approval;
  const data = {
    code: 'approval_required',
    approval: { id, expires_at: new Date(expiresAt).toISOString(), url },
  };
  return rpcError(
    denied,
    `Somebody has to approve this call first, at ${url}; then make it again as it is`,
    data,
  );
}

export function cannotAsk(missing: Readonly<Record<string, unknown>>): string {
  const what = Object.keys(missing).join(', ');
  return `The server asks for input in the middle of this call, which needs a client that declares ${what}, or one of the 2026-07-28 revision`;
}
