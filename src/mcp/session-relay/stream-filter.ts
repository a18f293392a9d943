import type { JsonView } from '../../base/json-scanner.ts';
import { joinJson } from '../../base/json-splice.ts';
import { type RpcReply, type RpcRequest, UpstreamFailure } from '../mcp-model.ts';
import { isWebPage, type RpcMessage, replyIn, rpcError } from '../messages/rpc-message.ts';
import { paramsOf } from '../messages/rpc-request.ts';
import { cutOff } from '../transports/reply-checks.ts';
import type { StreamFilter } from './event-relay.ts';

export type SessionFilter = StreamFilter & {
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
export function createSessionFilter(deps: {
  /** What the client sent; null: it only listens. */
  readonly message: RpcMessage | null;
  readonly eventId: (id: string) => string;
  /** Sends something to the server in the client's name. */
  readonly tell: (message: Buffer) => void;
  /** The server asks the client something: that takes as long as people take. */
  readonly onQuestion: () => void;
  readonly onOutcome: (call: RpcRequest, settled: Settled, ms: number) => void;
  /** Of the session. */
  readonly unanswered: {
    keep(id: string, finish: (reply: RpcReply | null) => void): void;
    answered(id: string, reply: RpcReply): void;
  };
  readonly now: () => number;
}): SessionFilter {
  const { message: sent, tell, onQuestion, onOutcome, unanswered, now } = deps;
  const id = sent?.id;
  const method = sent?.method;
  const expectsAnswer = method !== undefined && id !== undefined;
  const started = now();
  let isSettled = false;
  let canResume = false;

  const finish = (settled: Settled) => {
    if (isSettled) return;
    isSettled = true;
    if (method === 'tools/call')
      onOutcome({ method, params: paramsOf(sent?.params) }, settled, now() - started);
  };
  return {
    expectsAnswer,
    settle: (reply) => finish({ reply }),
    isSettled: () => isSettled,
    eventId(given) {
      canResume = true;
      return deps.eventId(given);
    },
    pass(message) {
      const isRequest = message.method !== undefined && message.id !== undefined;
      if (isRequest && isUnsafeLink(message)) {
        tell(errorTo(message.id, invalidParams, 'url: expected an http(s) page'));
        return false;
      }
      if (isRequest) onQuestion();
      if (message.method !== undefined || message.id === undefined) return true;
      const reply = replyIn(message);
      if (reply === null) return true;
      if (!expectsAnswer) unanswered.answered(message.id.text(), reply);
      else if (message.id.text() === id.text()) finish({ reply });
      return true;
    },
    end(failure) {
      // Who only listened was promised nothing.
      if (!expectsAnswer || isSettled) return null;
      const why = failure instanceof UpstreamFailure ? failure : cutOff();
      if (why.reason === 'cancelled') return null;
      // With an event's id the client comes back for the rest.
      if (canResume && (why.reason === 'broken' || why.reason === 'timeout')) {
        unanswered.keep(id.text(), (reply) => finish(reply === null ? { failure: why } : { reply }));
        return null;
      }
      finish({ failure: why });
      if (why.reason === 'timeout')
        tell(
          joinJson([
            '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":',
            id.span(),
            ',"reason":"timeout"}}',
          ]),
        );
      return errorTo(id, unusable, why.detail, { reason: why.reason });
    },
  };
}

function errorTo(
  id: JsonView | undefined,
  code: number,
  message: string,
  data?: Readonly<Record<string, unknown>>,
): Buffer {
  const { text } = rpcError(code, message, data);
  return joinJson(['{"jsonrpc":"2.0","id":', id?.span() ?? 'null', ',"error":', ...text, '}']);
}

function isUnsafeLink({ method, params }: RpcMessage): boolean {
  const url = params?.present('url');
  return method === 'elicitation/create' && url !== undefined && !isWebPage(url.string());
}
