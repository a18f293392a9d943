/**
 * Everything that goes wrong on purpose. A room throws a Problem; `http/` turns it into a reply and
 * `cli/` into a message and an exit code. `detail` is public by definition; private facts go in `cause`.
 */
type Row = { readonly status: number; readonly code: string; readonly retryable: boolean };

/** The one table of errors: kind -> HTTP status, the `code` that clients read, and whether trying again helps. */
export const problemTable = Object.freeze({
  invalid_request: { status: 400, code: 'invalid_request', retryable: false },
  invalid_grant: { status: 400, code: 'invalid_grant', retryable: false },
  invalid_api_key: { status: 401, code: 'invalid_api_key', retryable: false },
  /** At a door of MCP, where nothing was shown: its client is told where people sign in (RFC 9728 section 5.1). */
  sign_in_required: { status: 401, code: 'sign_in_required', retryable: false },
  missing_scope: { status: 403, code: 'missing_scope', retryable: false },
  /** Somebody in the console, whose role is too small. */
  missing_role: { status: 403, code: 'missing_role', retryable: false },
  denied: { status: 403, code: 'denied', retryable: false },
  invalid_token: { status: 403, code: 'invalid_token', retryable: false },
  cross_site: { status: 403, code: 'cross_site', retryable: false },
  /** The same where a client speaks MCP, which wants 401 (authorization, section "Token Handling"). */
  unauthorized_token: { status: 401, code: 'invalid_token', retryable: false },
  provider_not_connected: { status: 403, code: 'provider_not_connected', retryable: false },
  token_expired: { status: 403, code: 'token_expired', retryable: false },
  not_found: { status: 404, code: 'not_found', retryable: false },
  method_not_allowed: { status: 405, code: 'method_not_allowed', retryable: false },
  request_timeout: { status: 408, code: 'request_timeout', retryable: true },
  conflict: { status: 409, code: 'conflict', retryable: false },
  server_gone: { status: 410, code: 'server_gone', retryable: false },
  too_large: { status: 413, code: 'too_large', retryable: false },
  rate_limited: { status: 429, code: 'rate_limited', retryable: true },
  internal: { status: 500, code: 'internal_error', retryable: false },
  upstream_error: { status: 502, code: 'upstream_error', retryable: true },
  unavailable: { status: 503, code: 'unavailable', retryable: true },
  /** The operator's machine or setting is at fault: shown by the CLI at start, never sent to a client. */
  setup: { status: 500, code: 'setup', retryable: false },
} satisfies Record<string, Row>);

export type ProblemKind = keyof typeof problemTable;

export type ProblemOptions = {
  readonly cause?: unknown;
  /** Milliseconds after which the caller may try again; becomes `Retry-After` in whole seconds. */
  readonly retryAfterMs?: number;
  /** What the status does not say: the request was wrong, whoever found that out. */
  readonly isCallersFault?: boolean;
  /** More public fields beside the text, for kinds whose `detail` is an object (403). */
  readonly facts?: Readonly<Record<string, unknown>>;
};

export function isRetryable({ kind }: Problem): boolean {
  return problemTable[kind].retryable;
}

export class Problem extends Error {
  readonly kind: ProblemKind;
  readonly retryAfterMs: number | undefined;
  readonly facts: Readonly<Record<string, unknown>> | undefined;
  readonly isCallersFault: boolean;

  constructor(kind: ProblemKind, detail: string, options: ProblemOptions = {}) {
    super(detail, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = 'Problem';
    this.kind = kind;
    this.retryAfterMs = options.retryAfterMs;
    this.facts = options.facts;
    this.isCallersFault = options.isCallersFault === true;
  }

  /** The public text. */
  get detail(): string {
    return this.message;
  }
}
