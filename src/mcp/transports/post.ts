import type { Outbound, ReplyHeaders } from '../../outbound/outbound.ts';
import type { CallResult, Credential, Limits, OnNotification } from '../mcp-model.ts';
import type { RpcMessage } from '../messages/rpc-message.ts';

/** What came back for one POST. `result` is null when the body held no answer to our request. */
export type Posted = {
  readonly status: number;
  readonly headers: ReplyHeaders;
  readonly result: CallResult | null;
};

export type Post = {
  readonly body: Buffer | string;
  /** null: a notification or a response, which is not answered. */
  readonly id: number | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** Until the reply begins; the limits' own unless given. */
  readonly firstByteMs?: number | undefined;
  /** Sends the answer to a server's question, on servers that may ask. */
  readonly respond?: ((message: Buffer) => Promise<void>) | undefined;
  readonly onNotification?: OnNotification | undefined;
  /** Subscribes to questions that come on the GET stream while this request is in flight; returns how to unsubscribe. */
  readonly subscribe?: ((onMessage: (message: RpcMessage) => void) => () => void) | undefined;
  /** Nobody waits for the answer any more. */
  readonly onAbandoned?: () => void;
};

export type Poster = (post: Post) => Promise<Posted>;

/** Where requests go: the URL, and what each of them carries. */
export type Endpoint = {
  readonly outbound: Outbound;
  readonly credential: Credential;
  readonly limits: Limits;
  /** Changes where the server redirects on its own origin. */
  url: string;
};
