import { Type } from 'typebox';
import { type ProblemKind, problemTable } from '../base/problem.ts';
import type { Route } from '../http/route.ts';

const codes = (isRefusal: boolean) => [
  ...new Set(
    Object.values(problemTable)
      .filter(({ status, code }) => (status === 403) === isRefusal && code !== 'setup')
      .map(({ code }) => code),
  ),
];

/** What a failed call is answered with (docs/errors.md). */
export const problemSchema = Type.Object(
  { detail: Type.String({ description: 'what was wrong, in words' }), code: Type.Enum(codes(false)) },
  { $id: 'Problem' },
);

/** With 403 the detail is an object: what is missing, and where a user can give it. */
export const refusalSchema = Type.Object(
  {
    detail: Type.Object(
      { code: Type.Enum(codes(true)), message: Type.String() },
      {
        additionalProperties: Type.Unknown(),
        description: 'with `auth_url` and `session_id` where a user can help',
      },
    ),
  },
  { $id: 'Refusal' },
);

/** What may go wrong with any request of a kind: malformed, not authorised, too much, or no fault of the caller's. */
export function problemsOf({ scope, user, challenge, body, rawBody, problems = [] }: Route): ProblemKind[] {
  return [
    'invalid_request',
    ...(scope === null ? [] : (['invalid_api_key', 'missing_scope', 'cross_site', 'rate_limited'] as const)),
    ...(user === undefined
      ? []
      : [challenge === true ? ('unauthorized_token' as const) : ('invalid_token' as const)]),
    ...(body === undefined && rawBody !== true ? [] : (['request_timeout'] as const)),
    ...problems,
    'internal',
    'unavailable',
  ];
}
