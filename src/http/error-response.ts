import { Problem, problemTable } from '../base/problem.ts';

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

export function errorResponse(problem: Problem, requestId: string, publicUrl = ''): ErrorResponse {
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
      // RFC 9110 section 15.5.2 wants a challenge; RFC 9728 section 5.1 tells MCP clients where to read on.
      ...(status === 401 && {
        'www-authenticate': `Bearer ${
          problem.kind === 'unauthorized_token' ? 'error="invalid_token", ' : ''
        }resource_metadata="${publicUrl}/.well-known/oauth-protected-resource"`,
      }),
      // RFC 6750 section 3: what a client that speaks OAuth looks for.
      ...(problem.kind === 'invalid_token' && { 'www-authenticate': 'Bearer error="invalid_token"' }),
    },
    body: JSON.stringify(body),
  };
}
