import {
  type Channel,
  type Json,
  type Limits,
  type RpcRequest,
  type SendOptions,
  type Step,
  UpstreamFailure,
} from '../mcp-model.ts';
import {
  discoverMethod,
  modernRequestText,
  modernRevision,
  type RpcMessage,
  replyIn,
  requestText,
} from '../messages/rpc-message.ts';
import { askIn, askStep } from '../messages/server-request.ts';
import {
  cancelledText,
  discovered,
  initializedText,
  initializeRequest,
} from '../negotiation/upstream-session.ts';
import { Mailbox } from './async-queue.ts';

/** One line there and one back, shared by all requests: a child's streams, or the two halves of HTTP+SSE. */
export type Duplex = Channel & {
  hear(message: RpcMessage): void;
  /** Nothing more will be heard: every request under way ends with this. */
  fail(failure: UpstreamFailure): void;
  /** Discovers which era the other side speaks (or only shakes hands, when it can only be old). */
  open(options: { readonly mayBeModern: boolean }): Promise<void>;
};

/** A request under way, until its answer, its time, its caller or the line is over. */
class Pending {
  readonly method: string;
  readonly #steps = new Mailbox<Step>();
  readonly #over: (giveUp: boolean) => void;
  #timer: NodeJS.Timeout | undefined;
  #signal: AbortSignal | undefined;

  constructor(method: string, over: (giveUp: boolean) => void) {
    this.method = method;
    this.#over = over;
  }

  /** Another so many milliseconds from now. */
  extend(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(expire, ms, this);
  }

  /** The next step, for a caller who may go away meanwhile. */
  take(signal: AbortSignal | undefined): Promise<Step> {
    this.#signal = signal;
    signal?.addEventListener('abort', this);
    if (signal?.aborted) this.handleEvent();
    return this.#steps.take();
  }

  /** A question: whoever waited may go, and somebody else may bring the answer. */
  ask(step: Step): void {
    this.#leave();
    this.#steps.put(step);
  }

  settle(step: Step): void {
    this.finish(false);
    this.#steps.put(step);
  }

  fail(error: unknown, giveUp = false): void {
    this.finish(giveUp);
    this.#steps.fail(error);
  }

  /** No longer waited for; `giveUp`: the server is still at it and is told to stop. */
  finish(giveUp: boolean): void {
    clearTimeout(this.#timer);
    this.#leave();
    this.#over(giveUp);
  }

  /** The signal's call. */
  handleEvent(): void {
    this.fail(new UpstreamFailure('cancelled', 'The caller went away'), true);
  }

  #leave(): void {
    this.#signal?.removeEventListener('abort', this);
    this.#signal = undefined;
  }
}

function expire(entry: Pending): void {
  entry.fail(new UpstreamFailure('timeout', 'The server did not answer in time'), true);
}

/** An old server may not know how to refuse `server/discover`, and stay silent. */
const discoverMs = 3_000;

export function createDuplex(
  /** Nothing to wait for: it goes out, or `fail` is called. */
  write: (text: string) => undefined | Promise<void>,
  limits: Limits,
  shut: () => void,
): Duplex {
  const pending = new Map<number, Pending>();
  let lastId = 0;
  let modern = false;
  let introduction: Json = {};
  let failure: UpstreamFailure | undefined;
  const tell = (text: string) => void write(text)?.catch(() => undefined);

  /** These lines do not say which request a question belongs to: the youngest call is the likeliest to have caused it. */
  const askedBy = (): Pending | undefined =>
    [...pending.values()].findLast(({ method }) => method !== 'initialize' && method !== 'server/discover');

  const hear = (message: RpcMessage) => {
    const waiting = pending.get(Number(message.id));
    if (message.method === undefined) {
      if (waiting === undefined) return;
      const reply = replyIn(message);
      if (reply === null) return;
      return waiting.settle({ kind: 'reply', reply });
    }
    // Asked right after the handshake, before any call: we have no roots of our own.
    if (message.method === 'roots/list' && message.id !== undefined)
      return tell(JSON.stringify({ jsonrpc: '2.0', id: message.id, result: { roots: [] } }));
    const ask = askIn(message, tell);
    if (ask === null) return;
    const owner = askedBy();
    if (owner === undefined)
      return tell(
        JSON.stringify({
          jsonrpc: '2.0',
          id: ask.id,
          error: { code: -32603, message: 'Nobody is there to answer' },
        }),
      );
    owner.extend(limits.askMs);
    owner.ask(
      askStep(ask, {
        respond: async (text) => write(text),
        next: (signal) => {
          owner.extend(limits.totalMs);
          return owner.take(signal);
        },
        abandon: () => owner.finish(true),
      }),
    );
  };

  const send = (request: RpcRequest, { signal }: SendOptions, totalMs: number): Promise<Step> => {
    if (failure !== undefined)
      return Promise.reject(new UpstreamFailure('refused', failure.detail, { cause: failure }));
    const id = ++lastId;
    const text = modern ? modernRequestText(id, request) : requestText(id, request);
    const entry = new Pending(request.method, (giveUp) => {
      if (pending.delete(id) && giveUp) tell(cancelledText(id));
    });
    pending.set(id, entry);
    entry.extend(totalMs);
    write(text)?.catch((cause: unknown) => entry.fail(cause));
    return entry.take(signal);
  };

  return {
    hear,
    fail(error) {
      failure ??= error;
      for (const entry of [...pending.values()]) entry.fail(error);
    },
    async open({ mayBeModern }) {
      if (mayBeModern) {
        modern = true;
        modern = await isModern((request) => send(request, {}, discoverMs));
        if (modern) return;
      }
      const hello = await send(initializeRequest, {}, limits.totalMs);
      if (hello.kind !== 'reply' || !('result' in hello.reply))
        throw new UpstreamFailure('protocol', 'The server refused to initialize', { cause: hello });
      introduction = hello.reply.result;
      await write(initializedText);
    },
    send(request, options) {
      if (!modern && request.method === discoverMethod)
        return Promise.resolve({ kind: 'reply', reply: discovered(introduction) });
      return send(request, options, limits.totalMs);
    },
    close: shut,
  };
}

async function isModern(send: (request: RpcRequest) => Promise<Step>): Promise<boolean> {
  try {
    return supportsModern(await send({ method: 'server/discover' }));
  } catch (error) {
    if (error instanceof UpstreamFailure && error.reason === 'timeout') return false;
    throw error;
  }
}

/** Some servers answer `server/discover` and speak only older revisions: the list decides. */
export function supportsModern(step: Step | null): boolean {
  if (step?.kind !== 'reply' || !('result' in step.reply)) return false;
  const { supportedVersions } = step.reply.result;
  return Array.isArray(supportedVersions) && supportedVersions.includes(modernRevision);
}
