import type {
  Api,
  ApprovalNeeded,
  InputNeeded,
  McpTool,
  RpcCall,
  RpcEnvelope,
  ServerBasics,
  ToolCall as ToolCallBody,
  ToolResult,
} from './api.ts';
import { ApprovalRequiredError } from './errors.ts';
import type { CallOptions, Operation, SendOptions } from './sender.ts';

export type ToolCall = Omit<ToolCallBody, 'continuation' | 'input_responses'>;
export type ToolReply = ToolResult | InputNeeded | ApprovalNeeded;
export type InputResponses = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export type ToolCallOptions = CallOptions & {
  /** One key, one execution: the call may then be repeated when its answer was lost. */
  readonly idempotencyKey?: string | undefined;
};
/** Answers what the server asks, by the same names; called as often as it asks. */
export type OnInput = (asked: InputNeeded['input_requests']) => Promise<InputResponses> | InputResponses;

export type McpApi = {
  server(serverId: string, options?: CallOptions): Promise<ServerBasics>;
  /** Any method; a JSON-RPC error is in the envelope and is not thrown. */
  call(call: RpcCall, options?: CallOptions): Promise<RpcEnvelope>;
  listTools(serverId: string, options?: CallOptions): Promise<readonly McpTool[]>;
  /** With `onInput`, questions of the server are answered on the way, and the result is one. Throws ApprovalRequiredError. */
  callTool(call: ToolCall, options: ToolCallOptions & { readonly onInput: OnInput }): Promise<ToolResult>;
  callTool(call: ToolCall, options?: ToolCallOptions): Promise<ToolReply>;
  /** Goes on with a call that needed input, or has been approved. */
  continueTool(
    call: ToolCall,
    needed: Pick<InputNeeded, 'continuation'>,
    responses?: InputResponses,
    options?: CallOptions,
  ): Promise<ToolReply>;
};

/** How a call goes out: in nobody's name but the key's, or with a user's MIT. */
export type Send = <K extends Operation>(operation: K, options: SendOptions<K>) => Promise<Api[K]['reply']>;

/** A server that asks again and again is cut off. */
const maxQuestions = 20;

export function createMcpApi(send: Send): McpApi {
  const continueTool: McpApi['continueTool'] = (
    call,
    { continuation },
    input_responses = {},
    { signal } = {},
  ) => send('POST /v1/mcp/tools/call', { body: { ...call, continuation, input_responses }, signal });

  async function callTool(
    call: ToolCall,
    options: ToolCallOptions & { readonly onInput: OnInput },
  ): Promise<ToolResult>;
  async function callTool(call: ToolCall, options?: ToolCallOptions): Promise<ToolReply>;
  async function callTool(
    call: ToolCall,
    options: ToolCallOptions & { readonly onInput?: OnInput } = {},
  ): Promise<ToolReply> {
    const { idempotencyKey, onInput, signal } = options;
    let reply = await send('POST /v1/mcp/tools/call', {
      body: call,
      signal,
      ...(idempotencyKey === undefined
        ? {}
        : { repeatable: true, headers: { 'idempotency-key': idempotencyKey } }),
    });
    if (onInput === undefined) return reply;
    for (let asked = 0; 'status' in reply && asked < maxQuestions; asked++) {
      if ('approval' in reply) throw new ApprovalRequiredError(reply);
      reply = await continueTool(call, reply, await onInput(reply.input_requests), { signal });
    }
    return reply;
  }

  return {
    callTool,
    continueTool,
    server: (server_id, { signal } = {}) => send('GET /v1/mcp/server', { query: { server_id }, signal }),
    call: (call, { signal } = {}) => send('POST /v1/mcp/call', { body: call, signal }),
    async listTools(server_id, { signal } = {}) {
      return (await send('POST /v1/mcp/tools/list', { body: { server_id }, signal })).tools;
    },
  };
}
