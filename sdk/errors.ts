import type { ApprovalNeeded } from './api.ts';

/** What a caller may want to do about a connection that is missing. */
export type ConnectSession = {
  readonly id: string;
  readonly auth_url: string;
  readonly expires_at: string;
};

export type Failure = {
  /** The HTTP status; 0 when there was no reply at all. */
  readonly status: number;
  /** The kind, as in the table of docs/errors.md; `network` without a reply. */
  readonly code: string;
  readonly detail: string;
  /** To quote to whoever runs the service. */
  readonly requestId?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  /** Other public fields of a 403's detail. */
  readonly facts?: Readonly<Record<string, unknown>> | undefined;
  readonly cause?: unknown;
};

/** Every failed call ends in one of these, except those that the caller aborted. */
export class MCPRankError extends Error {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly requestId: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor({ status, code, detail, requestId, retryAfterMs, facts = {}, cause }: Failure) {
    super(`${detail} (${status === 0 ? '' : `${status} `}${code})`, cause === undefined ? {} : { cause });
    this.name = 'MCPRankError';
    this.status = status;
    this.code = code;
    this.detail = detail;
    this.requestId = requestId;
    this.retryAfterMs = retryAfterMs;
    this.facts = facts;
  }
}

/** The user has to connect (again): 403 `provider_not_connected` or `token_expired`. */
export class NotConnectedError extends MCPRankError {
  /** A session that is open already, where the service had one to offer. */
  readonly session: ConnectSession | undefined;

  constructor(failure: Failure) {
    super(failure);
    this.name = 'NotConnectedError';
    const session = failure.facts?.session;
    this.session = isSession(session) ? session : undefined;
  }
}

/** Somebody has to approve the call, at `approval.url`; then it goes on with `continuation`. */
export class ApprovalRequiredError extends MCPRankError {
  readonly approval: ApprovalNeeded['approval'];
  readonly continuation: string;

  constructor({ approval, continuation }: ApprovalNeeded) {
    const detail = `Somebody has to approve this call first, at ${approval.url}`;
    super({ status: 200, code: 'approval_required', detail });
    this.name = 'ApprovalRequiredError';
    this.approval = approval;
    this.continuation = continuation;
  }
}

/** A session that ended without a connection: the user said no, or the time was over. */
export class ConnectError extends MCPRankError {
  constructor(detail: string) {
    super({ status: 0, code: 'not_connected', detail });
    this.name = 'ConnectError';
  }
}

/** The error that a failed reply stands for. */
export async function errorOf(reply: Response): Promise<MCPRankError> {
  const text = await reply.text().catch(() => '');
  const body = parsed(text);
  const { detail } = body;
  const inner = isObject(detail) ? detail : {};
  const { code = body.code, message, ...facts } = inner;
  const failure: Failure = {
    status: reply.status,
    code: typeof code === 'string' ? code : `http_${reply.status}`,
    detail: textOf(detail) ?? textOf(message) ?? (text.slice(0, 200) || reply.statusText),
    requestId: reply.headers.get('x-request-id') ?? undefined,
    retryAfterMs: retryAfterOf(reply.headers.get('retry-after')),
    facts,
  };
  const toConnect = failure.code === 'provider_not_connected' || failure.code === 'token_expired';
  return toConnect ? new NotConnectedError(failure) : new MCPRankError(failure);
}

/** Seconds or a date (RFC 9110 section 10.2.3). */
function retryAfterOf(value: string | null): number | undefined {
  if (value === null) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1_000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSession(value: unknown): value is ConnectSession {
  return isObject(value) && typeof value.id === 'string' && typeof value.auth_url === 'string';
}
