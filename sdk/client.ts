/**
 * The client of MCP Rank: search, outcomes, MCP calls, users, their connections and providers, in a browser or in Node.
 *
 * Types of requests and replies are those of the OpenAPI document, spelled as on the wire. A failed call throws an
 * MCPRankError with the service's own code; NotConnectedError when a user has to connect first. What is safe to repeat
 * (reads, searches, whatever has an idempotency key) is tried again twice, after the `Retry-After` that was asked for;
 * everything else is sent once. An AbortSignal ends any call, waits included.
 *
 * An API key belongs to a server of yours: do not ship one to browsers of people you do not trust with it.
 */
export { Agent, type AgentOptions, type AgentRun, type AgentStep } from './agent/agent.ts';
export type {
  Api,
  ApiKey,
  ApprovalNeeded,
  Health,
  InputNeeded,
  Invocation,
  SearchHit,
  /** A server that a search found. */
  SearchHit as FoundServer,
  SearchQuery as SearchRequest,
  SearchResult,
  Server,
  Session,
  SessionStatus,
  Tool,
  ToolResult,
} from './api.ts';
export {
  ApprovalRequiredError,
  ConnectError,
  type ConnectSession,
  MCPRankError,
  NotConnectedError,
} from './errors.ts';
export type { InputResponses, McpApi, OnInput, ToolCall, ToolReply } from './mcp.ts';
export { MCPRankClient, type MCPRankClientOptions } from './mcprank-client.ts';
export { type ProxyApi, proxyPath } from './proxy.ts';
export type { CallOptions } from './sender.ts';
export type { AccountApi, ConnectRequest, User } from './user.ts';
