import { Problem } from '../base/problem.ts';
import type { ReplyHeaders } from '../outbound/outbound.ts';

/** The room's vocabulary; outside it is imported from `mcp.ts`. */

export type Json = Readonly<Record<string, unknown>>;
export type RpcError = { readonly code: number; readonly message: string; readonly data?: unknown };
export type RpcReply = { readonly result: Json } | { readonly error: RpcError };
export type RpcRequest = { readonly method: string; readonly params?: Json | undefined };

/** Who calls, and until when it matters. */
export type Caller = {
  readonly developerId: string;
  /** The user it acts for; nothing is shared between users. */
  readonly userId?: string | undefined;
  readonly keyId: string;
  /** The developer's name, as pages show it to users. */
  readonly developer?: string;
  readonly signal?: AbortSignal;
  readonly notice?: Notice;
  /** Header fields by which the caller itself mirrors tool arguments (2026-07-28); without, we mirror them. */
  readonly mirrored?: Readonly<Record<string, string>>;
};

/** A program that runs as our child and speaks MCP over its standard streams. */
export type Program = {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
};

/** One server as one principal reaches it. */
export type Target = {
  /** Made of server, address, principal and credential version: whoever differs in any of them shares nothing. */
  readonly key: string;
  readonly serverId: string;
  readonly principal: string;
  readonly hint: 'streamable-http' | 'sse' | 'stdio';
  /** null for a program. */
  readonly url: string | null;
  readonly program: Program | null;
  /** What shows who we are, and a name that changes when it does. */
  readonly credential: Credential;
  readonly credentialVersion: string;
};

/** Goes with every request of one channel. */
export type Credential = {
  fields(method: string, url: string): Readonly<Record<string, string>>;
  /** Hears the head of every reply. True: the server only wanted a nonce, and the same request would be let in now (RFC 9449 section 9). */
  heard(status: number, headers: ReplyHeaders): boolean;
};

export function fixedCredential(headers: Readonly<Record<string, string>>): Credential {
  return { fields: () => headers, heard: () => false };
}

/** What a server wants to know before it goes on: method and params by its own key. */
export type InputRequests = Readonly<Record<string, RpcRequest>>;
export type InputResponses = Readonly<Record<string, Json>>;

/** Where an exchange stands: finished, or (initialize-era servers only) waiting for the caller's answer. */
export type Step =
  | { readonly kind: 'reply'; readonly reply: RpcReply }
  | {
      readonly kind: 'ask';
      readonly requests: InputRequests;
      answer(responses: InputResponses, signal?: AbortSignal): Promise<Step>;
      abandon(): void;
    };

export type Limits = {
  readonly firstByteMs: number;
  readonly idleMs: number;
  /** One exchange, from the request to its answer. */
  readonly totalMs: number;
  /** A question to the caller stays open so long. */
  readonly askMs: number;
  readonly maxBytes: number;
  /** A verdict "old server" is doubted after this: the server may have learnt the new revision. */
  readonly reprobeMs: number;
};

/**
 * Why an upstream gave no usable answer:
 * refused       surely not run: unreachable, busy, rejected before execution
 * auth          it wants (other) credentials
 * rate_limited  it has had enough of us for now
 * timeout       sent, not answered in time
 * broken        sent, and the answer was cut off
 * protocol      what it answers is not MCP
 * too_large     the answer is larger than allowed
 * cancelled     the caller went away
 */
export type UpstreamReason =
  | 'refused'
  | 'auth'
  | 'rate_limited'
  | 'timeout'
  | 'broken'
  | 'protocol'
  | 'too_large'
  | 'cancelled';

export class UpstreamFailure extends Problem {
  readonly reason: UpstreamReason;
  /** The server's own WWW-Authenticate, with `auth`. */
  readonly challenge: string | undefined;
  /** 401 or 403, with `auth`. */
  readonly status: number | undefined;

  constructor(
    reason: UpstreamReason,
    detail: string,
    options: { cause?: unknown; retryAfterMs?: number; challenge?: string | undefined; status?: number } = {},
  ) {
    const { challenge, status, ...rest } = options;
    super('upstream_error', detail, rest);
    this.name = 'UpstreamFailure';
    this.reason = reason;
    this.challenge = challenge;
    this.status = status;
  }
}

/** What one revision's transport offers to the negotiation above it. */
export type Channel = {
  send(request: RpcRequest, options: SendOptions): Promise<Step>;
  close(): void;
};

export type SendOptions = {
  readonly signal?: AbortSignal | undefined;
  /** Header fields that mirror tool arguments (2026-07-28 `x-mcp-header`). */
  readonly mirrored?: Readonly<Record<string, string>> | undefined;
  /** Hears what the server tells on the way to its answer. Where many requests share one stream, nobody does. */
  readonly notice?: Notice | undefined;
};

/** Progress, a line of the server's log: told, not asked. */
export type Notice = (told: RpcRequest) => void;
