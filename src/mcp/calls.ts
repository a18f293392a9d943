import type { Vault } from '../vault/vault.ts';
import type { ChannelPool } from './channel-pool.ts';
import { type InputNeeded, InputRequired, type Resumed, type Subject } from './input-required.ts';
import type { Caller, CallResult, Channel, InputResponses, RpcReply, RpcRequest } from './mcp-model.ts';
import { rpcError } from './messages/rpc-message.ts';
import { noParams } from './messages/rpc-request.ts';
import { createMirrors, type ListedTool, listAllTools } from './messages/tool-list.ts';
import { type FoundTarget, principalOf } from './targets.ts';
import type { WithAuthorization } from './with-authorization.ts';

export type McpCall = RpcRequest & {
  readonly serverId: string;
  readonly queryLogId?: string | null;
  /** Of an earlier `input` answer, with the caller's answers: the same request goes on. */
  readonly continuation?: string | undefined;
  readonly inputResponses?: InputResponses | undefined;
  /** Errors in place of answers, where the question takes them. */
  readonly refusals?: InputResponses | undefined;
};

export type McpAnswer =
  | { readonly kind: 'reply'; readonly reply: RpcReply; readonly upstreamMs: number }
  | ({ readonly kind: 'input'; readonly upstreamMs: number } & InputNeeded);

export type ToolList = { readonly tools: readonly ListedTool[]; readonly upstreamMs: number };

type Deps = {
  readonly withAuthorization: WithAuthorization;
  readonly pool: ChannelPool;
  readonly tickets: Vault['sealedTokens'];
  readonly questionMs: number;
  readonly now: () => number;
};

/** Methods that are the proxy's own business with the upstream, or have no single answer. */
const notOffered = /^(initialize|subscriptions\/listen|notifications\/.*)$/;

/** One call from the caller's side: find whose credential → take a channel → send → answer, or a question to the caller. */
export class Calls {
  readonly #deps: Deps;
  readonly #mirrors = createMirrors();
  readonly #inputs: InputRequired;

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#inputs = new InputRequired(deps.tickets, deps.questionMs);
  }

  proceed(caller: Caller, call: McpCall): Promise<McpAnswer> {
    const { serverId, method, params, continuation } = call;
    const { inputResponses: responses = new Map(), refusals = new Map() } = call;
    if (notOffered.test(method)) return Promise.resolve(notOfferedAnswer(method));
    const principal = principalOf(caller);
    const subject: Subject = { serverId, method, params };
    let resumed: Resumed | null | undefined;
    return this.#deps.withAuthorization(caller, serverId, subject, (found) => {
      // Once: a continuation is used up by being resumed, and the repetition after a renewed token goes on with it.
      resumed ??=
        continuation === undefined
          ? null
          : this.#inputs.resume(principal, subject, continuation, { responses, refusals });
      if (resumed?.kind === 'waiting') {
        const { question, release } = resumed;
        return this.#finish(
          principal,
          subject,
          () => question.answer(responses, caller.signal, refusals),
          release,
        );
      }
      const request = resumed?.request ?? { method, params };
      const { channel, release } = this.#deps.pool.acquire(found.target, caller.prefersSession);
      return this.#finish(principal, subject, () => this.#send(channel, found, request, caller), release);
    });
  }

  /** Every page of a server's tools. */
  listTools(caller: Caller, serverId: string): Promise<ToolList> {
    const { withAuthorization, pool, now } = this.#deps;
    return withAuthorization(caller, serverId, { method: 'tools/list' }, async ({ record, target }) => {
      const started = now();
      const lease = pool.acquire(target);
      try {
        const tools = await listAllTools(lease.channel, { signal: caller.signal });
        // The catalogue may know of none; what the server lists itself is what it goes by.
        if (record.tools.length === 0) this.#mirrors.learn(record, tools);
        return { tools, upstreamMs: now() - started };
      } finally {
        lease.release();
      }
    });
  }

  close(): void {
    this.#inputs.close();
  }

  /** Sends, and mends one thing: arguments that a modern server wants mirrored in headers and we did not know of. */
  async #send(
    channel: Channel,
    { record }: FoundTarget,
    request: RpcRequest,
    { signal, onNotification, mirrored }: Caller,
  ): Promise<CallResult> {
    const options = { signal, onNotification };
    if (request.method !== 'tools/call') return channel.send(request, options);
    if (mirrored !== undefined) return channel.send(request, { ...options, mirrored });
    const sendOnce = () => {
      const headers = this.#mirrors.headers(record, request.params ?? noParams);
      return channel.send(request, { ...options, mirrored: headers });
    };
    const result = await sendOnce();
    if (!isHeaderMismatch(result)) return result;
    this.#mirrors.learn(record, await listAllTools(channel, { signal }));
    return sendOnce();
  }

  /** Waits for a result, and lets go of what it held unless the result is a question. */
  async #finish(
    principal: string,
    subject: Subject,
    begin: () => Promise<CallResult>,
    release: () => void,
  ): Promise<McpAnswer> {
    const started = this.#deps.now();
    let isParked = false;
    try {
      const result = await begin();
      const upstreamMs = this.#deps.now() - started;
      if (result.kind === 'question') {
        const needed = this.#inputs.park(principal, subject, result, release);
        isParked = true;
        return { kind: 'input', upstreamMs, ...needed };
      }
      const { reply } = result;
      if ('result' in reply && reply.result.get('resultType')?.string() === 'input_required')
        return { kind: 'input', upstreamMs, ...this.#inputs.seal(principal, subject, reply.result) };
      return { kind: 'reply', reply, upstreamMs };
    } finally {
      if (!isParked) release();
    }
  }
}

function isHeaderMismatch(result: CallResult): boolean {
  return result.kind === 'reply' && 'error' in result.reply && result.reply.error.code === -32020;
}

function notOfferedAnswer(method: string): McpAnswer {
  const error = rpcError(-32601, `${method} is not offered through this proxy`);
  return { kind: 'reply', reply: { error }, upstreamMs: 0 };
}
