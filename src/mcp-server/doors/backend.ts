import type { JsonPart } from '../../base/json-splice.ts';
import type { Caller, InputResponses, McpAnswer, RpcError, RpcParams } from '../../mcp/mcp.ts';
import type { ResultBody } from '../revision-words.ts';
import type { Listen } from '../streams/notification-streams.ts';

/** What stands behind one door of ours: `/mcp` and `/mcp/servers/{id}` differ in this, and in nothing else. */
export type Backend = {
  /** By which the sessions of this door are told from others'. */
  readonly door: string;
  introduce(caller: McpCaller): Promise<Introduction>;
  /** Who answers, for results that do not say it; may be a minute old. */
  serverInfo(caller: McpCaller): Promise<JsonPart>;
  request(caller: McpCaller, request: BackendRequest): Promise<Outcome>;
  /** Absent where there is nothing to tell beside the calls. */
  readonly listen?: (caller: McpCaller) => Listen;
  /** Ends what that session or stream subscribed to, where no other wants it. */
  readonly letGo?: (caller: McpCaller) => Promise<void>;
};

export type McpCaller = Caller & {
  readonly maySearch: boolean;
  /** The client's session or stream, by which its subscriptions are told from those of others with the same key. */
  readonly subscriber?: string;
  /** Counts so many further requests against the key's limit; throws when there is no room. */
  readonly charge?: ((requests: number) => void | Promise<void>) | undefined;
};

/** What a server says of itself, as JSON text. */
export type Introduction = {
  readonly serverInfo: JsonPart;
  readonly capabilities: JsonPart;
  readonly instructions: JsonPart | undefined;
  /** Whether it can tell something beside the calls. */
  readonly canNotify: boolean;
};

export type BackendRequest = {
  readonly method: string;
  readonly params: RpcParams;
  readonly continuation?: string | undefined;
  readonly inputResponses?: InputResponses | undefined;
  readonly refusals?: InputResponses | undefined;
};

export type Outcome =
  | { readonly kind: 'result'; readonly body: ResultBody }
  | { readonly kind: 'error'; readonly error: RpcError }
  | { readonly kind: 'input'; readonly needed: Extract<McpAnswer, { kind: 'input' }> };
