import { isObject } from '../../base/json.ts';
import { type Json, type RpcReply, type RpcRequest, UpstreamFailure } from '../mcp-model.ts';
import { isWebPage, type RpcMessage, replyIn } from '../messages/rpc-message.ts';
import { cutOff } from '../transports/streamable-http.ts';
import type { Watch } from './event-relay.ts';

export type SessionWatch = Watch & {
  /** A request, and not a notification or an answer. */
  readonly expectsAnswer: boolean;
  /** The reply came by another way than on a stream. */
  settle(reply: RpcReply): void;
};

type Settled = { readonly reply: RpcReply } | { readonly failure: unknown };

/** The server could not be used (JSON-RPC 2.0 leaves -32000 to -32099 to implementations). */
const unusable = -32000;
const invalidParams = -32602;

/** Looks at what passes from a server to a client in its session: what came of its call, and what must not pass. */
export function createWatch(deps: {
  /** What the client sent; null: it only listens. */
  readonly message: RpcMessage | null;
  readonly eventId: (id: string) => string;
  /** Says something to the server in the client's name. */
  readonly tell: (message: Json) => void;
  /** The server asks the client something: that takes as long as people take. */
  readonly asked: () => void;
  readonly outcome: (call: RpcRequest, settled: Settled, ms: number) => void;
  readonly now: () => number;
}): SessionWatch {
  const { message: sent, tell, asked, outcome, now } = deps;
  const { id, method, params } = sent ?? {};
  const expectsAnswer = method !== undefined && id !== undefined && id !== null;
  const started = now();
  let isSettled = false;
  let canResume = false;

  const finish = (settled: Settled) => {
    if (isSettled) return;
    isSettled = true;
    if (method === 'tools/call') outcome({ method, params }, settled, now() - started);
  };
  return {
    expectsAnswer,
    settle: (reply) => finish({ reply }),
    eventId(given) {
      canResume = true;
      return deps.eventId(given);
    },
    pass(message) {
      const isRequest = message.method !== undefined && message.id !== undefined;
      if (isRequest && isUnsafeLink(message)) {
        const error = { code: invalidParams, message: 'url: expected an http(s) page' };
        tell({ jsonrpc: '2.0', id: message.id, error });
        return false;
      }
      if (isRequest) asked();
      if (!expectsAnswer || message.method !== undefined || message.id !== id) return true;
      const reply = replyIn(message);
      if (reply !== null) finish({ reply });
      return true;
    },
    end(failure) {
      // Who only listened was promised nothing.
      if (!expectsAnswer || isSettled) return null;
      const why = failure instanceof UpstreamFailure ? failure : cutOff();
      if (why.reason === 'cancelled') return null;
      // With an event's id the client comes back for the rest.
      if (canResume && (why.reason === 'broken' || why.reason === 'timeout')) return null;
      finish({ failure: why });
      if (why.reason === 'timeout')
        tell({
          jsonrpc: '2.0',
          method: 'notifications/cancelled',
          params: { requestId: id, reason: 'timeout' },
        });
      return {
        jsonrpc: '2.0',
        id,
        error: { code: unusable, message: why.detail, data: { reason: why.reason } },
      };
    },
  };
}

function isUnsafeLink({ method, params }: RpcMessage): boolean {
  return (
    method === 'elicitation/create' && isObject(params) && params.url !== undefined && !isWebPage(params.url)
  );
}
