/**
 * A prompt in, an answer out: finds tools for the prompt, lets a model call them, and tells the service what came of it.
 *
 * The search for the prompt decides which tools are offered; calls go through the service with the search's id, so
 * their outcomes teach the ranking. A user who has to connect first is shown the session by `onConnect`, and the call
 * goes on when the connection is there. A tool that fails is told to the model in words; what the agent itself cannot
 * work with (a bad key, a model that does not answer) is thrown. It ends when the model answers without calling, or
 * after `maxToolCalls` calls, when the model is asked once more for an answer in words.
 */

import type { SearchQuery, ToolResult } from '../api.ts';
import { type ConnectSession, MCPRankError, NotConnectedError } from '../errors.ts';
import type { McpApi, OnInput, ToolCall } from '../mcp.ts';
import type { MCPRankClient } from '../mcprank-client.ts';
import {
  type AnthropicLike,
  anthropicAdapter,
  type Call,
  type CallResult,
  type OpenAiLike,
  openAiAdapter,
} from './model-adapter.ts';
import { type FoundTool, offerTools, textOf } from './tools.ts';

type Model =
  | { readonly provider: 'openai'; readonly client: OpenAiLike }
  | { readonly provider: 'anthropic'; readonly client: AnthropicLike };

export type AgentOptions = Model & {
  readonly rank: MCPRankClient;
  readonly model: string;
  /** Whom it acts for; without it, in the name of the key alone. */
  readonly userId?: string;
  readonly system?: string;
  /** Further fields of every request to the model, such as its temperature. */
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** Narrows the search: filters, min_score, limit. */
  readonly search?: Omit<SearchQuery, 'query' | 'cursor'>;
  /** Tools that a model is offered (20): more of them cost more than they help. */
  readonly maxTools?: number;
  readonly maxToolCalls?: number;
  /** Characters of one result that the model reads (20,000). */
  readonly maxResultChars?: number;
  /** Sends the user to `session.auth_url`. The agent waits for the session by itself. */
  readonly onConnect?: (session: ConnectSession, step: AgentStep) => unknown;
  readonly onInput?: OnInput;
  /** After each call. */
  readonly onStep?: (step: AgentStep) => void;
};

export type AgentStep = {
  readonly serverId: string;
  readonly tool: string;
  readonly arguments: unknown;
  readonly text: string;
  readonly isError: boolean;
};
export type AgentRun = {
  readonly text: string;
  readonly stop: 'answered' | 'max_tool_calls';
  readonly steps: readonly AgentStep[];
  readonly queryLogId: string;
};
type ToolOutcome = { readonly text: string; readonly isError: boolean };

const defaults = { maxTools: 20, maxToolCalls: 10, maxResultChars: 20_000 };
/** The service takes no longer query. */
const maxQuery = 1_000;
const instructions =
  'Use the tools where they help with the task. When a tool fails, try another way or say what is missing.';
/** What a model can do something about; anything else is the caller's to know. */
const tellable = new Set([
  'invalid_request',
  'not_found',
  'server_gone',
  'conflict',
  'upstream_error',
  'provider_not_connected',
  'token_expired',
  'not_connected',
  'timeout',
]);

export class Agent {
  readonly #options: AgentOptions & typeof defaults;

  constructor(options: AgentOptions) {
    this.#options = { ...defaults, ...options };
  }

  async run(prompt: string, { signal }: { readonly signal?: AbortSignal } = {}): Promise<AgentRun> {
    const { rank, search, maxTools, maxToolCalls, onStep } = this.#options;
    const found = await rank.search({ limit: 5, ...search, query: prompt.slice(0, maxQuery) }, { signal });
    const tools = offerTools(found.servers, maxTools);
    const queryLogId = found.metadata.query_log_id;
    const model = this.#open(prompt);
    const steps: AgentStep[] = [];

    for (;;) {
      const mayCall = tools.length > 0 && steps.length < maxToolCalls;
      const message = await model.next(tools, mayCall, signal);
      const stop = mayCall || tools.length === 0 ? 'answered' : 'max_tool_calls';
      if (message.calls.length === 0 || !mayCall) return { text: message.text, stop, steps, queryLogId };
      const results: CallResult[] = [];
      for (const call of message.calls) {
        if (steps.length >= maxToolCalls) {
          results.push({ id: call.id, text: 'Not called: the limit of calls is reached', isError: true });
          continue;
        }
        const step = await this.#step(call, tools, queryLogId, signal);
        steps.push(step);
        onStep?.(step);
        results.push({ id: call.id, text: step.text, isError: step.isError });
      }
      model.answer(results);
    }
  }

  #open(prompt: string) {
    const options = this.#options;
    const { model, system = instructions, parameters = {} } = options;
    const opening = { model, system, prompt, parameters };
    return options.provider === 'openai'
      ? openAiAdapter(options.client, opening)
      : anthropicAdapter(options.client, opening);
  }

  async #step(
    call: Call,
    tools: readonly FoundTool[],
    queryLogId: string,
    signal: AbortSignal | undefined,
  ): Promise<AgentStep> {
    const tool = tools.find(({ alias }) => alias === call.alias);
    const step = { serverId: tool?.serverId ?? '', tool: tool?.name ?? call.alias, arguments: call.args };
    if (tool === undefined) return { ...step, text: `There is no tool ${call.alias}`, isError: true };
    if (typeof call.args !== 'object' || call.args === null || Array.isArray(call.args))
      return { ...step, text: 'The arguments have to be a JSON object', isError: true };
    const request = {
      server_id: tool.serverId,
      name: tool.name,
      arguments: call.args as Record<string, unknown>,
      query_log_id: queryLogId,
    };
    try {
      return { ...step, ...(await this.#call(request, step, signal)) };
    } catch (error) {
      if (!(error instanceof MCPRankError) || !tellable.has(error.code)) throw error;
      return { ...step, text: error.detail, isError: true };
    }
  }

  async #call(
    request: ToolCall,
    step: Omit<AgentStep, 'text' | 'isError'>,
    signal: AbortSignal | undefined,
  ): Promise<ToolOutcome> {
    const { rank, userId, onConnect } = this.#options;
    const mcp = userId === undefined ? rank.mcp : rank.user(userId).mcp;
    try {
      return await this.#once(mcp, request, signal);
    } catch (error) {
      if (!(error instanceof NotConnectedError) || onConnect === undefined || userId === undefined)
        throw error;
      const { session } = error;
      if (session === undefined) throw error;
      await onConnect(session, { ...step, text: error.detail, isError: true });
      const seen = await rank.user(userId).sessions.wait(session.id, { signal });
      if (seen.status !== 'complete')
        return { text: seen.error ?? 'The user did not connect', isError: true };
      return this.#once(mcp, request, signal);
    }
  }

  async #once(mcp: McpApi, request: ToolCall, signal: AbortSignal | undefined): Promise<ToolOutcome> {
    const { onInput, maxResultChars } = this.#options;
    const reply =
      onInput === undefined
        ? await mcp.callTool(request, { signal })
        : await mcp.callTool(request, { signal, onInput });
    if ('status' in reply)
      return { text: 'The tool asks the user something, and nobody is there to answer', isError: true };
    const result: ToolResult = reply;
    return { text: textOf(result, maxResultChars), isError: result.isError };
  }
}
