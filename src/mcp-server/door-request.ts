import type { Decision } from './client-request.ts';
import type { ClientSession } from './client-sessions.ts';
import type { Backend, McpCaller } from './doors/backend.ts';

/** One HTTP request of a client. */
export type McpHttpRequest = {
  readonly method: 'POST' | 'GET' | 'DELETE';
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer | undefined;
};

/** One request on its way to one door. */
export type DoorRequest = {
  readonly backend: Backend;
  readonly request: McpHttpRequest;
  readonly caller: McpCaller;
  readonly session: ClientSession | null;
};
export type AskedRequest = Extract<Decision, { kind: 'request' }>;
