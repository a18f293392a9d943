import { Problem, type ProblemKind, problemTable } from '../base/problem.ts';

/** A failed request as it goes out. The only file that writes `{"detail": …}`. */
export type ErrorResponse = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/** What went wrong as a Problem; anything unforeseen becomes `internal` with the error as its cause. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem('internal', 'Internal error', { cause: error });
}

/** `door`: the URL of the door of MCP that was called; undefined elsewhere. */
export function errorResponse(problem: Problem, requestId: string, door?: string): ErrorResponse {
  const { status, code } = problemTable[problem.kind];
  const detail =
    status === 500 ? `Internal error; quote request ${requestId} to the operator` : problem.detail;
  const body = status === 403 ? { detail: { code, message: detail, ...problem.facts } } : { detail, code };
  return {
    status,
    headers: {
      ...(problem.retryAfterMs !== undefined && {
        'retry-after': String(Math.max(1, Math.ceil(problem.retryAfterMs / 1000))),
      }),
      // RFC 9110 section 15.5.6.
      ...(status === 405 &&
        problem.facts !== undefined && { allow: [problem.facts.allow].flat().join(', ') }),
      ...challengeOf(problem, status, door),
    },
    body: JSON.stringify(body),
  };
}

/**
 * RFC 9110 section 15.5.2 wants a challenge with a 401, RFC 6750 section 3 says how. Only who showed nothing, or a token that is
 * no good, is told where to sign in (RFC 9728 section 5.1): a client with a bad API key would sign in past it, for ever.
 */
function challengeOf(
  { kind }: Problem,
  status: number,
  door: string | undefined,
): Readonly<Record<string, string>> {
  const error = kind === 'missing_scope' && door === undefined ? undefined : oauthErrors.get(kind);
  if (status !== 401 && error === undefined) return {};
  const parts = [
    ...(error === undefined ? [] : [`error="${error}"`]),
    ...(error === 'insufficient_scope' ? ['scope="mcp"'] : []),
    ...(door === undefined || !tellsWhere.has(kind) ? [] : [`resource_metadata="${metadataUrl(door)}"`]),
  ];
  return { 'www-authenticate': `Bearer ${parts.join(', ')}`.trim() };
}

const oauthErrors: ReadonlyMap<ProblemKind, string> = new Map([
  ['unauthorized_token', 'invalid_token'],
  ['invalid_token', 'invalid_token'],
  ['missing_scope', 'insufficient_scope'],
]);
const tellsWhere: ReadonlySet<ProblemKind> = new Set(['sign_in_required', 'unauthorized_token']);

/** RFC 9728 section 3.1: the well-known place stands between host and path. */
function metadataUrl(door: string): string {
  const { origin, pathname } = new URL(door);
  return `${origin}/.well-known/oauth-protected-resource${pathname}`;
}
