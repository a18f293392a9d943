import { joinJson } from '../../base/json-splice.ts';
import type { Tracing } from '../../base/tracing.ts';
import type { ByteSource, OpenReply, Outbound, OutboundCall } from '../../outbound/outbound.ts';
import type { Vault } from '../../vault/vault.ts';
import { type Caller, type Limits, type RpcRequest, UpstreamFailure } from '../mcp-model.ts';
import { inMcpSpan, tracedMessage } from '../messages/mcp-spans.ts';
import { type RpcMessage, readMessages, replyIn } from '../messages/rpc-message.ts';
import { paramsOf } from '../messages/rpc-request.ts';
import { failureOf, isSessionGone } from '../negotiation/reply-verdict.ts';
import type { OutcomeRecorder } from '../outcome-recorder.ts';
import { isEventStream } from '../transports/reply-checks.ts';
import type { WithAuthorization } from '../with-authorization.ts';
import { EventRelay, filterBody, readAll, stripReservedMeta } from './event-relay.ts';
import {
  contextOf,
  createSender,
  type OnStart,
  type SendRequest,
  type SessionContext,
  sessionName,
  visibleText,
} from './session-context.ts';
import { createSessionRegistry } from './session-registry.ts';
import { createSessionFilter, type SessionFilter } from './stream-filter.ts';
import { createStreamSlots } from './stream-slots.ts';
import { createUnansweredCalls, type UnansweredCalls } from './unanswered-calls.ts';

/** One HTTP request of an initialize-based client, as visibleText values. */
export type SessionRequest = {
  readonly serverId: string;
  /** As the client was given it; null: this is its `initialize`. */
  readonly session: string | null;
  /** Its own Accept and MCP-Protocol-Version. */
  readonly accept: string;
  readonly revision: string | null;
} & (
  | { readonly method: 'POST'; readonly message: RpcMessage }
  | { readonly method: 'GET'; readonly lastEventId: string | null }
  | { readonly method: 'DELETE' }
);

export type SessionReply = {
  readonly status: number;
  /** With the answer to `initialize`: the id of the new session. */
  readonly session?: string;
  /** A buffer is JSON, a source an event stream. */
  readonly body: Buffer | ByteSource | null;
};

/**
 * Sessions that a client has with a server itself, through us (2025-11-25, "Session Management"). Nothing of one is kept
 * here: its id is the server's own, sealed for this key, user, server, address and credential, so any replica can pass on
 * what is said in it, and the server decides how long it lasts. Event ids are sealed for their session alike.
 */
export type SessionRelay = {
  /**
   * null: there is no such session (any more), or, of an `initialize`: the server keeps none over Streamable HTTP.
   * Throws as a call does.
   */
  relay(caller: Caller, request: SessionRequest): Promise<SessionReply | null>;
  /** Ends sessions at servers for clients that never did. */
  sweep(): void;
  /** Ends the streams that stay open by design; the sessions go on at other replicas, or after a restart. */
  close(): void;
};

/** After this the client starts anew: what nobody ended is ended then. */
const lifeMs = 24 * 3_600_000;
const endTimeoutMs = 5_000;
/** Of a failed reply this much is worth reading: enough for a JSON-RPC error. */
const failedBytes = 65_536;
/** An Accept that JSON is good for. */
const jsonTaken = /application\/(json|\*)|\*\/\*/;

type Deps = {
  readonly withAuthorization: WithAuthorization;
  readonly outbound: Outbound;
  readonly tickets: Vault['sealedTokens'];
  readonly outcomes: OutcomeRecorder;
  readonly limits: Limits;
  readonly tracing: Tracing;
  readonly now: () => number;
};
/** What all of the relay's steps share. */
type Relay = Deps &
  ReturnType<typeof createSender> & {
    readonly registry: ReturnType<typeof createSessionRegistry>;
    readonly slots: ReturnType<typeof createStreamSlots>;
    readonly unanswered: UnansweredCalls;
  };
/** One request on its way. */
type Turn<M extends SessionRequest['method']> = {
  readonly caller: Caller;
  readonly context: SessionContext;
  readonly request: SessionRequest & { readonly method: M };
};
type Answer = Promise<SessionReply | null>;

export function createSessionRelay(deps: Deps): SessionRelay {
  const relay: Relay = {
    ...deps,
    ...createSender(deps.outbound, deps.limits),
    registry: createSessionRegistry(deps.now, lifeMs),
    slots: createStreamSlots(),
    unanswered: createUnansweredCalls(deps.limits.questionMs),
  };
  return {
    async relay(caller, request) {
      const began = deps.now();
      const operation = operationOf(request);
      try {
        return await inRelaySpan(deps.tracing, request, operation, () =>
          deps.withAuthorization(caller, request.serverId, operation, async (found) => {
            const context = contextOf(deps.tickets, found, { caller, request });
            return context === null ? null : pass(relay, caller, context, request);
          }),
        );
      } catch (error) {
        const call = { ...operation, serverId: request.serverId };
        if (operation.method === 'tools/call')
          deps.outcomes.recordFailure(caller, call, error, deps.now() - began);
        throw error;
      }
    },
    sweep() {
      relay.registry.sweep();
      relay.unanswered.sweep();
    },
    close() {
      relay.slots.close();
      relay.unanswered.close();
    },
  };
}

/** Streams last, and say nothing of a request. */
function inRelaySpan<T>(
  tracing: Tracing,
  { serverId }: SessionRequest,
  { method, params }: RpcRequest,
  work: () => T,
): T {
  return method === ''
    ? work()
    : inMcpSpan(tracing, 'client', { method, name: params?.name, serverId }, work);
}

function operationOf(request: SessionRequest): RpcRequest {
  if (request.method !== 'POST') return { method: '' };
  const { method = '', params } = request.message;
  return { method, params: paramsOf(params) };
}

function pass(relay: Relay, caller: Caller, context: SessionContext, request: SessionRequest): Answer {
  relay.registry.used(caller.developerId, sessionName(context));
  if (request.method === 'GET') return listen(relay, { caller, context, request });
  if (request.method === 'DELETE') return end(relay, { caller, context, request });
  const turn = { caller, context, request };
  return context.id === null ? initialize(relay, turn) : post(relay, turn);
}

async function initialize(relay: Relay, turn: Turn<'POST'>): Answer {
  const { caller, context, request } = turn;
  const reply = await relay.post(context, bytesOf(request.message), caller.signal);
  const id = reply.headers['mcp-session-id'];
  if (reply.status >= 300 || typeof id !== 'string' || !visibleText.test(id)) {
    reply.body.cancel();
    return null;
  }
  const begun = { ...context, id, headers: { ...context.headers, 'mcp-session-id': id } };
  const endSession = () => drop(relay.send(begun, { method: 'DELETE', timeoutMs: endTimeoutMs }));
  if (!relay.registry.add(caller.developerId, sessionName(begun), endSession)) {
    reply.body.cancel();
    endSession();
    return null;
  }
  const answer = await passOn(relay, turn, reply, filterFor(relay, { ...turn, context: begun }));
  return answer === null ? null : { ...answer, session: relay.tickets.seal(id, context.binding, lifeMs) };
}

async function post(relay: Relay, turn: Turn<'POST'>): Answer {
  const { caller, context, request } = turn;
  let call: OutboundCall | undefined;
  const filter = filterFor(relay, turn, () => call?.extend(relay.limits.questionMs));
  const message = tracedMessage(relay.tracing, request.message);
  const reply = await relay.post(context, bytesOf(message), caller.signal, (started) => {
    call = started;
  });
  if (reply.status >= 300) return refused(relay, turn, reply, filter);
  if (filter.expectsAnswer) return passOn(relay, turn, reply, filter);
  reply.body.cancel();
  return { status: 202, body: null };
}

/** A stream to read from: the one beside the answers, or the rest of an answer; from an event on, or from now. */
async function listen(relay: Relay, turn: Turn<'GET'>): Answer {
  const { context, request, caller } = turn;
  const last =
    request.lastEventId === null
      ? '["listen"]'
      : relay.tickets.open(request.lastEventId, sessionName(context));
  if (last === null) return refusal(400, 'Last-Event-ID: expected one of this session');
  const [kind, id] = JSON.parse(last) as [StreamKind, string?];
  const headers = id === undefined ? {} : { 'last-event-id': id };
  // The rest of an answer is a call like others, and as bounded.
  if (kind === 'answer') return read(relay, turn, { headers, timeoutMs: relay.limits.questionMs });
  let call: OutboundCall | undefined;
  const leave = relay.slots.take(request.serverId, caller.developerId, () => call?.cancel());
  if (leave === null)
    return refusal(405, 'Too many streams are open to this server; calls go on without one');
  const onStart = (started: OutboundCall) => {
    call = started;
    // A request that is repeated keeps its place.
    started.onEnd(() => {
      if (call === started) leave();
    });
  };
  try {
    return await read(relay, turn, { headers, timeoutMs: 0 }, onStart);
  } catch (error) {
    leave();
    throw error;
  }
}

async function read(
  relay: Relay,
  turn: Turn<'GET'>,
  how: Omit<SendRequest, 'method'>,
  onStart?: OnStart,
): Answer {
  const { caller, context } = turn;
  const signal = caller.signal === undefined ? {} : { signal: caller.signal };
  const reply = await relay.send(context, { method: 'GET', ...how, ...signal }, onStart);
  if (reply.status < 300 && isEventStream(reply.headers))
    return passOn(relay, turn, reply, filterFor(relay, turn));
  if (reply.status >= 300 && reply.status !== 405) return refused(relay, turn, reply);
  reply.body.cancel();
  return refusal(405, 'The server offers no stream beside its answers');
}

async function end(relay: Relay, turn: Turn<'DELETE'>): Answer {
  const { caller, context } = turn;
  const reply = await relay.send(context, { method: 'DELETE', timeoutMs: endTimeoutMs });
  if (reply.status >= 300 && reply.status !== 405) return refused(relay, turn, reply);
  reply.body.cancel();
  if (reply.status === 405) return refusal(405, 'The server does not let its clients end a session');
  relay.registry.forget(caller.developerId, sessionName(context));
  return { status: 200, body: null };
}

async function passOn(
  relay: Relay,
  { request: { method, accept } }: Turn<'POST' | 'GET'>,
  { status, headers, body }: OpenReply,
  filter: SessionFilter,
): Answer {
  const { maxBytes } = relay.limits;
  if (isEventStream(headers)) {
    const takesJson = method === 'POST' && jsonTaken.test(accept);
    const events = new EventRelay(body, filter, { maxEventBytes: maxBytes, takesJson });
    return { status, body: (await events.answer) ?? events };
  }
  const passed = await filterBody(await readAll(body, maxBytes), filter);
  const last = filter.end(null);
  return { status, body: passed ?? last ?? Buffer.from('null') };
}

/** What the server says when it does not do as it was asked; null when it does not know the session. */
async function refused(
  relay: Relay,
  { caller, context }: Turn<SessionRequest['method']>,
  { status, headers, body }: OpenReply,
  filter?: SessionFilter,
): Answer {
  const message = errorIn(await readAll(body, failedBytes).catch(() => Buffer.alloc(0)));
  const reply = message === null ? null : replyIn(message);
  const posted = { status, headers, result: reply === null ? null : { kind: 'reply' as const, reply } };
  if (isSessionGone(posted)) {
    relay.registry.forget(caller.developerId, sessionName(context));
    return null;
  }
  if (message === null || reply === null) throw failureOf(posted);
  filter?.settle(reply);
  return { status, body: bytesOf(message) };
}

function filterFor(
  relay: Relay,
  { caller, context, request }: Turn<'POST' | 'GET'>,
  onQuestion = () => {},
): SessionFilter {
  const kind: StreamKind = request.method === 'GET' ? 'listen' : 'answer';
  const session = sessionName(context);
  return createSessionFilter({
    message: request.method === 'POST' ? request.message : null,
    eventId: (id) => relay.tickets.seal(JSON.stringify([kind, id]), session, lifeMs),
    unanswered: {
      keep: (id, finish) => relay.unanswered.keep(session, id, finish),
      answered: (id, reply) => relay.unanswered.answered(session, id, reply),
    },
    tell: (message) => drop(relay.post(context, message)),
    onQuestion,
    now: relay.now,
    onOutcome(call, settled, ms) {
      const made = { ...call, serverId: request.serverId };
      if ('reply' in settled) relay.outcomes.record(caller, made, settled.reply, ms);
      else relay.outcomes.recordFailure(caller, made, settled.failure, ms);
    },
  });
}

/** Of what an event's id is: the rest of an answer, or of the stream beside the answers. */
type StreamKind = 'answer' | 'listen';

function bytesOf(message: RpcMessage): Buffer {
  return joinJson(stripReservedMeta(message));
}

/** The JSON-RPC error in a refusal's body. */
function errorIn(bytes: Buffer): RpcMessage | null {
  try {
    const [message] = readMessages(bytes);
    return message !== undefined && replyIn(message) !== null && message.error !== undefined ? message : null;
  } catch (error) {
    if (error instanceof UpstreamFailure) return null;
    throw error;
  }
}

function refusal(status: number, message: string): SessionReply {
  const error = { code: -32000, message };
  return { status, body: Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: null, error })) };
}

/** What comes of it does not matter. */
function drop(asked: Promise<OpenReply>): void {
  asked.then(({ body }) => body.cancel()).catch(() => undefined);
}
