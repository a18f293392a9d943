import type { JsonView } from '../../base/json-scanner.ts';
import { changeMembers, type JsonParts, joinJson } from '../../base/json-splice.ts';
import { SlotList, type Slotted } from '../../base/slot-list.ts';
import {
  type CallResult,
  type Channel,
  type Limits,
  type OnNotification,
  type RpcRequest,
  type SendOptions,
  UpstreamFailure,
} from '../mcp-model.ts';
import { cancelled, discoveredBy, initializedMessage, initializeMethod } from '../messages/handshake.ts';
import { discoverMethod, type RpcMessage, replyIn } from '../messages/rpc-message.ts';
import { modernRequest, sessionRequest } from '../messages/rpc-request.ts';
import { type Question, questionIn, respondUnasked, toQuestionResult } from '../messages/server-request.ts';
import { PendingRequest } from './pending-request.ts';

type Pending = Slotted & {
  /** Grows from one request to the next. */
  readonly id: number;
  readonly request: PendingRequest;
  readonly progressToken: JsonView | undefined;
};

/** Where its messages go; a promise only where there is something to wait for. Throws what it does not take. */
export type Write = (message: Buffer) => undefined | Promise<void>;

/**
 * One connection there and one back, shared by all requests: a child's streams, or the two halves of HTTP+SSE. Both do not
 * say which request a message from the server belongs to: progress is told apart by tokens of ours, everything else goes
 * to the youngest call, which is the likeliest to have caused it.
 */
export class Duplex implements Channel {
  readonly #write: Write;
  readonly #limits: Limits;
  readonly #onClose: () => void;
  readonly #pending = new SlotList<Pending>();
  readonly #listeners = new Set<OnNotification>();
  #lastId = 0;
  #isModern = false;
  #introduction: JsonView | undefined;
  #failure: UpstreamFailure | undefined;

  constructor(write: Write, limits: Limits, onClose: () => void) {
    this.#write = write;
    this.#limits = limits;
    this.#onClose = onClose;
  }

  get isModern(): boolean {
    return this.#isModern;
  }

  /** The other side speaks 2026-07-28: no handshake. */
  useModern(): void {
    this.#isModern = true;
  }

  /** The other side shook hands, with these words. */
  async useSession(introduction: JsonView): Promise<void> {
    this.#introduction = introduction;
    await this.#write(Buffer.from(initializedMessage));
  }

  send(request: RpcRequest, options: SendOptions): Promise<CallResult> {
    if (this.#introduction !== undefined && request.method === discoverMethod)
      return Promise.resolve({ kind: 'reply', reply: discoveredBy(this.#introduction) });
    return this.ask(request, { ...options, totalMs: this.#limits.totalMs, isModern: this.#isModern });
  }

  /** Sends a request in the words of either age, whatever was agreed on. */
  ask(
    request: RpcRequest,
    { signal, onNotification, totalMs, isModern }: SendOptions & { totalMs: number; isModern: boolean },
  ): Promise<CallResult> {
    if (this.#failure !== undefined)
      return Promise.reject(new UpstreamFailure('refused', this.#failure.detail, { cause: this.#failure }));
    const id = ++this.#lastId;
    const progressToken = progressTokenOf(request);
    const token = progressToken === undefined ? undefined : id;
    const text = isModern ? modernRequest(id, request, token) : sessionRequest(id, request, token);
    const call = new PendingRequest(request.method, onNotification, (isAbandoned) => {
      if (this.#pending.delete(pending) && isAbandoned) this.#tell(cancelled(id));
    });
    const pending: Pending = { slot: -1, id, request: call, progressToken };
    this.#pending.add(pending);
    call.extend(totalMs);
    this.#send(joinJson(text), call);
    return call.take(signal);
  }

  /** A message came in. */
  take(message: RpcMessage): void {
    const { method, id } = message;
    if (method === undefined) this.#settle(message);
    else if (id === undefined) this.#notify(method, message.params);
    else {
      const question = questionIn(message, (answer) => this.#tell(answer));
      if (question !== null) this.#ask(question);
    }
  }

  /** Nothing more will come in: every request in flight ends with this. */
  fail(failure: UpstreamFailure): void {
    this.#failure ??= failure;
    for (const { request } of this.#pending.all()) request.fail(failure);
  }

  listen(onNotification: OnNotification): () => void {
    this.#listeners.add(onNotification);
    return () => void this.#listeners.delete(onNotification);
  }

  close(): void {
    this.#onClose();
  }

  #send(message: Buffer, pending: PendingRequest): void {
    try {
      this.#write(message)?.catch((cause: unknown) => pending.fail(cause));
    } catch (cause) {
      pending.fail(cause);
    }
  }

  #settle(message: RpcMessage): void {
    const { id } = message;
    const waiting = id && this.#find(id);
    if (waiting === undefined) return;
    try {
      const reply = replyIn(message);
      if (reply !== null) waiting.request.settle({ kind: 'reply', reply });
    } catch (error) {
      // An answer of no use ends its own request, and nobody else's.
      waiting.request.fail(error);
    }
  }

  #notify(method: string, params: JsonView | undefined): void {
    if (method === 'notifications/progress') {
      this.#notifyProgress(params);
      return;
    }
    const told = { method, params: params && [params.span()] };
    const caller = this.#youngestCall();
    if (method === 'notifications/message' && caller?.onNotification !== undefined)
      caller.onNotification(told);
    else for (const listener of this.#listeners) listener(told);
  }

  #notifyProgress(params: JsonView | undefined): void {
    const token = params?.get('progressToken');
    const pending = token && this.#find(token);
    if (params === undefined || pending?.progressToken === undefined) return;
    const own: JsonParts = [pending.progressToken.span()];
    pending.request.onNotification?.({
      method: 'notifications/progress',
      params: changeMembers(params, { progressToken: own }),
    });
  }

  #ask(question: Question): void {
    // Asked right after the handshake, and of nobody in particular: we have no roots.
    const owner = question.method === 'roots/list' ? undefined : this.#youngestCall();
    if (owner === undefined) {
      respondUnasked(question, (answer) => this.#tell(answer), 'Nobody is there to answer');
      return;
    }
    owner.extend(this.#limits.questionMs);
    owner.ask(
      toQuestionResult(question, {
        respond: async (answer) => this.#write(answer),
        next: (signal) => {
          owner.extend(this.#limits.totalMs);
          return owner.take(signal);
        },
        abandon: () => owner.finish(true),
      }),
    );
  }

  #youngestCall(): PendingRequest | undefined {
    return this.#pending
      .all()
      .filter(({ request: { method } }) => method !== initializeMethod && method !== discoverMethod)
      .toSorted((a, b) => a.id - b.id)
      .at(-1)?.request;
  }

  #find(id: JsonView): Pending | undefined {
    const number = Number(id.string() ?? id.text());
    return this.#pending.find((each) => each.id === number);
  }

  #tell(message: Buffer): void {
    try {
      this.#write(message)?.catch(() => undefined);
    } catch {
      // Nobody waits for what it would have said.
    }
  }
}

function progressTokenOf({ params }: RpcRequest): JsonView | undefined {
  return params?.meta?.present('progressToken');
}
