import type { Gone } from '../../outbound/outbound.ts';
import {
  type Channel,
  type Json,
  type Limits,
  type RpcRequest,
  type SendOptions,
  type Step,
  UpstreamFailure,
} from '../model.ts';
import { askIn, askStep } from './asks.ts';
import { Mailbox } from './mailbox.ts';
import {
  discoverMethod,
  modernRequestText,
  modernRevision,
  type RpcMessage,
  replyIn,
  requestText,
} from './message.ts';
import { cancelledText, discovered, initializedText, initializeRequest } from './session.ts';

/** One line there and one back, shared by all requests: a child's streams, or the two halves of HTTP+SSE. */
export type Duplex = Channel & {
  hear(message: RpcMessage): void;
  /** Nothing more will be heard: every request under way ends with this. */
  fail(failure: UpstreamFailure): void;
  /** Discovers which era the other side speaks (or only shakes hands, when it can only be old). */
  open(options: { readonly mayBeModern: boolean }): Promise<void>;
};

type Pending = {
  readonly method: string;
  readonly steps: Mailbox<Step>;
  extend(ms: number): void;
  /** No longer waited for; `giveUp`: the server is still at it and is told to stop. */
  finish(giveUp: boolean): void;
};

/** An old server may not know how to refuse `server/discover`, and stay silent. */
const discoverMs = 3_000;

export function createDuplex(
  write: (text: string) => Promise<void>,
  limits: Limits,
  shut: () => void,
): Duplex {
  const pending = new Map<number, Pending>();
  let lastId = 0;
  let modern = false;
  let introduction: Json = {};
  let failure: UpstreamFailure | undefined;
  const tell = (text: string) => void write(text).catch(() => undefined);

  /** These lines do not say which request a question belongs to: the youngest call is the likeliest to have caused it. */
  const askedBy = (): Pending | undefined =>
    [...pending.values()].findLast(({ method }) => method !== 'initialize' && method !== 'server/discover');

  const hear = (message: RpcMessage) => {
    const waiting = pending.get(Number(message.id));
    if (message.method === undefined) {
      if (waiting === undefined) return;
      const reply = replyIn(message);
      if (reply === null) return;
      waiting.finish(false);
      waiting.steps.put({ kind: 'reply', reply });
      return;
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
    owner.steps.put(
      askStep(ask, {
        respond: write,
        next: (signal) => {
          owner.extend(limits.totalMs);
          return take(owner, signal);
        },
        abandon: () => owner.finish(true),
      }),
    );
  };

  const take = async (entry: Pending, signal: Gone | undefined): Promise<Step> => {
    const cancel = () => {
      entry.finish(true);
      entry.steps.fail(new UpstreamFailure('cancelled', 'The caller went away'));
    };
    signal?.addEventListener('abort', cancel);
    if (signal?.aborted) cancel();
    try {
      return await entry.steps.take();
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  };

  const send = async (request: RpcRequest, { signal }: SendOptions, totalMs: number): Promise<Step> => {
    if (failure !== undefined) throw new UpstreamFailure('refused', failure.detail, { cause: failure });
    const id = ++lastId;
    const steps = new Mailbox<Step>();
    const late = () => {
      entry.finish(true);
      steps.fail(new UpstreamFailure('timeout', 'The server did not answer in time'));
    };
    let timer = setTimeout(late, totalMs);
    const entry: Pending = {
      method: request.method,
      steps,
      extend(ms) {
        clearTimeout(timer);
        timer = setTimeout(late, ms);
      },
      finish(giveUp) {
        clearTimeout(timer);
        if (pending.delete(id) && giveUp) tell(cancelledText(id));
      },
    };
    pending.set(id, entry);
    try {
      await write(modern ? modernRequestText(id, request) : requestText(id, request));
    } catch (cause) {
      entry.finish(false);
      throw cause;
    }
    return take(entry, signal);
  };

  return {
    hear,
    fail(error) {
      failure ??= error;
      for (const { steps, finish } of [...pending.values()]) {
        finish(false);
        steps.fail(error);
      }
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
    async send(request, options) {
      if (!modern && request.method === discoverMethod)
        return { kind: 'reply', reply: discovered(introduction) };
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
