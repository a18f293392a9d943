import { Problem } from '../../base/problem.ts';
import type { InputResponses, Json, Step } from '../mcp-model.ts';
import type { RpcMessage } from './rpc-message.ts';

/** What a server may ask a caller. Everything else it asks is answered here and now. */
const asked = new Set(['elicitation/create', 'sampling/createMessage', 'roots/list']);

export type Ask = {
  readonly id: string | number;
  readonly method: string;
  readonly params: Json | undefined;
};

/** The question to the caller in a server's request; null when it is answered with `respond` already. */
export function askIn(message: RpcMessage, respond: (text: string) => void): Ask | null {
  const { id, method } = message;
  // A notification (progress, log): nothing to do, the answer comes after it.
  if (method === undefined || id === undefined || id === null) return null;
  if (asked.has(method)) return { id, method, params: message.params };
  const outcome =
    method === 'ping'
      ? { result: {} }
      : { error: { code: -32601, message: `${method} is not offered by this client` } };
  respond(JSON.stringify({ jsonrpc: '2.0', id, ...outcome }));
  return null;
}

/** A question as a step; its answer goes out through `respond`, and then `next` is what the server makes of it. */
export function askStep(
  ask: Ask,
  wire: {
    readonly respond: (text: string) => Promise<void>;
    readonly next: (signal: AbortSignal | undefined) => Promise<Step>;
    readonly abandon: () => void;
  },
): Step {
  const key = String(ask.id);
  return {
    kind: 'ask',
    requests: { [key]: { method: ask.method, ...(ask.params === undefined ? {} : { params: ask.params }) } },
    async answer(responses: InputResponses, signal) {
      const result = responses[key];
      if (result === undefined)
        throw new Problem('invalid_request', `input_responses: expected an answer to "${key.slice(0, 100)}"`);
      await wire.respond(JSON.stringify({ jsonrpc: '2.0', id: ask.id, result }));
      return wire.next(signal);
    },
    abandon: wire.abandon,
  };
}
