import type { JsonView } from '../base/json-scanner.ts';
import type { JsonParts } from '../base/json-splice.ts';
import { Problem } from '../base/problem.ts';
import type { ReplyHeaders } from '../outbound/outbound.ts';

/** The room's vocabulary; outside it is imported from `mcp.ts`. */

/** The params of a request: what stands between the braces of the object, as it came, and what is read of it. */
export type RpcParams = {
  /** Without `_meta`, and without what resumes an earlier request. */
  readonly members: JsonParts;
  readonly name: string | undefined;
  readonly uri: string | undefined;
  readonly arguments: JsonView | undefined;
  readonly meta: JsonView | undefined;
};
export type RpcRequest = { readonly method: string; readonly params?: RpcParams | undefined };
export type RpcError = {
  readonly code: number;
  readonly message: string;
  readonly data: JsonView | undefined;
  /** The error as it is passed on. */
  readonly text: JsonParts;
};
/** A result as it came; its members are noted. */
export type RpcReply = { readonly result: JsonView } | { readonly error: RpcError };

/** Who calls, and until when it matters. */
export type Caller = {
  readonly developerId: string;
  /** The user it acts for; nothing is shared between users. */
  readonly userId?: string | undefined;
  readonly keyId: string;
  /** Which of the user's accounts at a server it acts by; without, the one that was connected first. */
  readonly account?: string | undefined;
  /** The developer's name, as pages show it to users. */
  readonly developer?: string;
  readonly signal?: AbortSignal;
  /** Whose groups are these by now? Throws where its key or its user's token has come to an end since the call began. */
  readonly recheck?: () => Promise<{ readonly groups?: readonly string[] | undefined }>;
  readonly onNotification?: OnNotification | undefined;
  /** The OAuth client it came through, and the groups of the person who signed in: what toolsets are bound to. */
  readonly client?: string | undefined;
  readonly groups?: readonly string[] | undefined;
  /** The toolset whose door it came through. */
  readonly toolset?: string;
  /** false: the operator's own credentials for the server do not go with its calls. */
  readonly usesSharedCredential?: boolean;
  /** The toolset whose rule let this call pass, for the record; null: none did. */
  readonly decidedBy?: string | null;
  /** SHA-256 of the called tool's definition as the catalogue had it then. */
  readonly definition?: string | null;
  /** It is a client of the revisions with a handshake, before this very server. */
  readonly prefersSession?: boolean;
  /** Header fields by which the caller itself mirrors tool arguments (2026-07-28); without, we mirror them. */
  readonly mirrored?: Readonly<Record<string, string>>;
};

/** A program that runs as our child and speaks MCP over its standard streams. */
export type Program = {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** One child for all callers: the operator says that it keeps no user's state. */
  readonly isShared?: boolean;
  /** Its values name the caller: the child of one can never be another's. */
  readonly isOfCaller?: boolean;
  /** Of one with the values of its caller filled in: what the file says. */
  readonly template?: Program;
};

/** One server as one principal reaches it. */
export type Target = {
  /** Made of server, address, principal and credential version: whoever differs in any of them shares nothing. */
  readonly key: string;
  /** Of a program: the key of the child that listed its tools in the operator's name. */
  readonly spareKey?: string;
  readonly serverId: string;
  readonly principal: string;
  /** Whose places it counts among. */
  readonly developerId: string;
  /** The revision to speak, where the operator says so. */
  readonly revision: string | null;
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
  /** Called with the head of every reply. True: the request must be sent again, with the DPoP nonce just received (RFC 9449 section 9). */
  onResponse(status: number, headers: ReplyHeaders): boolean;
};

export function fixedCredential(headers: Readonly<Record<string, string>>): Credential {
  return { fields: () => headers, onResponse: () => false };
}

/** A question to the caller in the middle of a call: elicitation, sampling, roots (the specification's "server requests"). */
export type ServerRequest = {
  /** By which its answer is known. */
  readonly key: string;
  readonly method: string;
  /** As the server sent them. */
  readonly params: JsonView | undefined;
};
/** Answers by the keys of the questions. */
export type InputResponses = ReadonlyMap<string, JsonView>;

/** What came of a request: its reply, or (servers with a handshake only) a question, on whose answer it goes on. */
export type CallResult =
  | { readonly kind: 'reply'; readonly reply: RpcReply }
  | {
      readonly kind: 'question';
      readonly requests: readonly ServerRequest[];
      /** `refusals`: JSON-RPC errors in place of answers, by the keys of the questions. */
      answer(responses: InputResponses, signal?: AbortSignal, refusals?: InputResponses): Promise<CallResult>;
      abandon(): void;
    };

export type Limits = {
  readonly firstByteMs: number;
  readonly idleMs: number;
  /** A server that does not know `server/discover` may stay silent: after this it is asked the older way. */
  readonly discoverMs: number;
  /** One exchange, from the request to its answer. */
  readonly totalMs: number;
  /** A question to the caller stays open so long. */
  readonly questionMs: number;
  readonly maxBytes: number;
  /** "Speaks an older revision" is doubted after this: the server may have learnt the new one. */
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
  /** 401 or 403, with `auth`; that of a server that failed. */
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
  /** It speaks 2026-07-28 to a server that may speak the revisions with a handshake as well. */
  hasOlderWay?(): boolean;
  /** It is being started. */
  isOpening?(): boolean;
  send(request: RpcRequest, options: SendOptions): Promise<CallResult>;
  /** Called with what the server tells beside all calls (lists that changed, lines of its log) until it is unsubscribed. */
  listen(onNotification: OnNotification): () => void;
  close(): void;
};

export type SendOptions = {
  readonly signal?: AbortSignal | undefined;
  /** Header fields that mirror tool arguments (2026-07-28 `x-mcp-header`). */
  readonly mirrored?: Readonly<Record<string, string>> | undefined;
  /** Called with what the server tells on the way to its answer. */
  readonly onNotification?: OnNotification | undefined;
};

/** Progress, a line of the server's log: told, not asked. */
export type Notification = { readonly method: string; readonly params: JsonParts | undefined };
export type OnNotification = (notification: Notification) => void;
