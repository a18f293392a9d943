import type { Vault } from '../vault/vault.ts';
import type { Pool } from './channel-pool.ts';
import { createInputs, type InputNeeded, type Subject } from './input-required.ts';
import type { Caller, Channel, InputResponses, Json, RpcReply, RpcRequest, Step } from './mcp-model.ts';
import { createMirrors, listAllTools } from './messages/tool-list.ts';
import { type Found, principalOf } from './targets.ts';
import type { Consent } from './with-authorization.ts';

export type McpCall = RpcRequest & {
  readonly serverId: string;
  readonly queryLogId?: string | null;
  /** Of an earlier `input` answer, with the caller's answers: the same request goes on. */
  readonly continuation?: string | undefined;
  readonly inputResponses?: InputResponses | undefined;
};

export type McpAnswer =
  | { readonly kind: 'reply'; readonly reply: RpcReply; readonly upstreamMs: number }
  | ({ readonly kind: 'input'; readonly upstreamMs: number } & InputNeeded);

/** One exchange from the caller's side: find whose credential -> take a channel -> send -> answer, or a question to the caller. */
export type Exchanges = {
  proceed(caller: Caller, call: McpCall): Promise<McpAnswer>;
  /** Every page of a server's tools. */
  listTools(
    caller: Caller,
    serverId: string,
  ): Promise<{ readonly tools: readonly Json[]; readonly upstreamMs: number }>;
  close(): void;
};

/** Methods that are the proxy's own business with the upstream, or have no single answer. */
const notOffered = /^(initialize|subscriptions\/listen|notifications\/.*)$/;

export function createExchanges(deps: {
  readonly consent: Consent;
  readonly pool: Pool;
  readonly tickets: Vault['sealedTokens'];
  readonly askMs: number;
  readonly now: () => number;
}): Exchanges {
  const { consent, pool, tickets, askMs, now } = deps;
  const mirrors = createMirrors();
  const inputs = createInputs({ tickets, askMs });

  /** Sends, and mends one thing: arguments that a modern server wants mirrored in headers and we did not know of. */
  const send = (
    channel: Channel,
    { record }: Found,
    request: RpcRequest,
    { signal, notice, mirrored }: Caller,
  ): Promise<Step> => {
    if (request.method !== 'tools/call') return channel.send(request, { signal, notice });
    if (mirrored !== undefined) return channel.send(request, { signal, notice, mirrored });
    const once = () => {
      const headers = mirrors.headers(record, request.params ?? {});
      return channel.send(request, { signal, notice, mirrored: headers });
    };
    const again = async () => {
      mirrors.learn(record, await listAllTools(channel, { signal }));
      return once();
    };
    return once().then((step) => (isMismatch(step) ? again() : step));
  };

  /** Waits for a step, and lets go of what it held unless the step is a question. */
  const finish = async (
    principal: string,
    subject: Subject,
    begin: () => Promise<Step>,
    release: () => void,
  ): Promise<McpAnswer> => {
    const started = now();
    let parked = false;
    try {
      const taken = await begin();
      const upstreamMs = now() - started;
      if (taken.kind === 'ask') {
        const needed = inputs.park(principal, subject, taken, release);
        parked = true;
        return { kind: 'input', upstreamMs, ...needed };
      }
      const { reply } = taken;
      if ('result' in reply && reply.result.resultType === 'input_required')
        return { kind: 'input', upstreamMs, ...inputs.seal(principal, subject, reply.result) };
      return { kind: 'reply', reply, upstreamMs };
    } finally {
      if (!parked) release();
    }
  };

  return {
    proceed(caller, call) {
      const { serverId, method, params, continuation, inputResponses = {} } = call;
      if (notOffered.test(method)) return Promise.resolve(notOfferedAnswer(method));
      const principal = principalOf(caller);
      const subject: Subject = { serverId, method, params };
      const { signal } = caller;
      let resumed: ReturnType<typeof inputs.resume> | null | undefined;
      return consent.with(caller, serverId, subject, (found) => {
        // Once: a continuation is used up by being resumed, and the repetition after a renewed token goes on with it.
        resumed ??=
          continuation === undefined ? null : inputs.resume(principal, subject, continuation, inputResponses);
        if (resumed?.kind === 'waiting') {
          const { ask, release } = resumed;
          return finish(principal, subject, () => ask.answer(inputResponses, signal), release);
        }
        const request = resumed?.request ?? { method, params };
        const { channel, release } = pool.acquire(found.target);
        return finish(principal, subject, () => send(channel, found, request, caller), release);
      });
    },
    listTools: (caller, serverId) =>
      consent.with(caller, serverId, { method: 'tools/list' }, async ({ record, target }) => {
        const started = now();
        const lease = pool.acquire(target);
        try {
          const tools = await listAllTools(lease.channel, { signal: caller.signal });
          // The catalogue may know of none; what the server lists itself is what it goes by.
          if (record.tools.length === 0) mirrors.learn(record, tools);
          return { tools, upstreamMs: now() - started };
        } finally {
          lease.release();
        }
      }),
    close: inputs.close,
  };
}

function isMismatch(step: Step): boolean {
  return step.kind === 'reply' && 'error' in step.reply && step.reply.error.code === -32020;
}

function notOfferedAnswer(method: string): McpAnswer {
  const message = `${method} is not offered through this proxy`;
  return { kind: 'reply', reply: { error: { code: -32601, message } }, upstreamMs: 0 };
}
