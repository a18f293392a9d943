import type { JsonView } from '../../base/json-scanner.ts';
import { type JsonParts, joinJson } from '../../base/json-splice.ts';
import { Problem } from '../../base/problem.ts';
import type { CallResult, InputResponses, ServerRequest } from '../mcp-model.ts';
import type { RpcMessage } from './rpc-message.ts';

/** What a server may ask a caller. Everything else it asks is answered here and now. */
const passedOn: ReadonlySet<string> = new Set(['elicitation/create', 'sampling/createMessage', 'roots/list']);

/** A question, with the id under which the server wants its answer. */
export type Question = ServerRequest & { readonly id: JsonView };
export type Respond = (message: Buffer) => void;

/** The question to the caller in a server's message; null when there is none, or it is answered with `respond` already. */
export function questionIn(message: RpcMessage, respond: Respond): Question | null {
  const { id, method, params } = message;
  if (method === undefined || id === undefined) return null;
  if (passedOn.has(method)) return { key: id.string() ?? id.text(), id, method, params };
  if (method === 'ping') respond(response(id, { result: ['{}'] }));
  else respond(response(id, refusal(-32601, `${method} is not offered by this client`)));
  return null;
}

/** Asked of nobody: right after the handshake, before any call. We have no roots of our own. */
export function respondUnasked({ id, method }: Question, respond: Respond, why: string): void {
  if (method === 'roots/list') respond(response(id, { result: ['{"roots":[]}'] }));
  else respond(response(id, refusal(-32603, why)));
}

/** A question as the result of a call; its answer goes out through `respond`, and `next` is what the server makes of it. */
export function toQuestionResult(
  question: Question,
  on: {
    readonly respond: (message: Buffer) => Promise<void>;
    readonly next: (signal: AbortSignal | undefined) => Promise<CallResult>;
    readonly abandon: () => void;
  },
): CallResult {
  const { key, id } = question;
  return {
    kind: 'question',
    requests: [question],
    async answer(responses: InputResponses, signal, refusals) {
      const result = responses.get(key);
      const refused = refusals?.get(key);
      if (refused !== undefined) {
        await on.respond(response(id, { error: [refused.span()] }));
        return on.next(signal);
      }
      if (result === undefined)
        throw new Problem('invalid_request', `input_responses: expected an answer to "${key.slice(0, 100)}"`);
      await on.respond(response(id, { result: [result.span()] }));
      return on.next(signal);
    },
    abandon: on.abandon,
  };
}

function response(
  id: JsonView,
  outcome: { readonly result: JsonParts } | { readonly error: JsonParts },
): Buffer {
  const [name, text] = 'result' in outcome ? ['result', outcome.result] : ['error', outcome.error];
  return joinJson(['{"jsonrpc":"2.0","id":', id.span(), `,"${name}":`, ...text, '}']);
}

function refusal(code: number, message: string): { readonly error: JsonParts } {
  return { error: [JSON.stringify({ code, message })] };
}
