import type { ByteSource, OpenReply, Outbound, OutboundCall } from '../../outbound/outbound.ts';
import type { Vault } from '../../vault/vault.ts';
import type { Caller, Limits } from '../mcp-model.ts';
import { parseMessages, type RpcMessage, replyIn } from '../messages/rpc-message.ts';
import { failureOf, isSessionGone } from '../negotiation/reply-verdict.ts';
import type { Outcomes } from '../outcome-recorder.ts';
import { isStream } from '../transports/streamable-http.ts';
import type { Consent } from '../with-authorization.ts';
import { cleaned, passedText, readAll, relayEvents } from './event-relay.ts';
import {
  createSender,
  type Line,
  lineOf,
  placeOf,
  plain,
  type SendRequest,
  type Started,
} from './session-context.ts';
import { createLedger, createSeats } from './session-registry.ts';
import { createWatch, type SessionWatch } from './stream-filter.ts';

/** One HTTP request of an initialize-era client, as plain values. */
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
  /** A text is JSON, a source an event stream. */
  readonly body: string | ByteSource | null;
};

/**
 * Sessions that a client has with a server itself, through us (2025-11-25, "Session Management"). Nothing of one is kept
 * here: its id is the server's own, sealed for this key, user, server, address and credential, so any replica can pass on
 * what is said in it, and the server decides how long it lasts. Event ids are sealed for their session alike.
 */
export type Sessions = {
  /**
   * null: there is no such session (any more), or, of an `initialize`: the server keeps none over Streamable HTTP.
   * Throws as a call does.
   */
  relay(caller: Caller, request: SessionRequest): Promise<SessionReply | null>;
  /** Says goodbye to servers for clients that never did. */
  sweep(): void;
  /** Ends the streams that stay open by design; the sessions go on at other replicas, or after a restart. */
  close(): void;
};

/** After this the client starts anew: what nobody ended is ended then. */
const lifeMs = 24 * 3_600_000;
const goodbyeMs = 5_000;
/** Of a failed reply this much is worth reading: enough for a JSON-RPC error. */
const failedBytes = 65_536;

/** One request, on its way. */
type Turn<M extends SessionRequest['method']> = {
  readonly caller: Caller;
  readonly line: Line;
  readonly request: SessionRequest & { readonly method: M };
};
type Answer = Promise<SessionReply | null>;

export function createSessions(deps: {
  readonly consent: Consent;
  readonly outbound: Outbound;
  readonly tickets: Vault['sealedTokens'];
  readonly outcomes: Outcomes;
  readonly limits: Limits;
  readonly now: () => number;
}): Sessions {
  const { consent, outbound, tickets, outcomes, limits, now } = deps;
  const { send, post } = createSender(outbound, limits);
  const ledger = createLedger(now, lifeMs);
  const seats = createSeats();

  const watchOf = ({ caller, line, request }: Turn<'POST' | 'GET'>, asked = () => {}): SessionWatch => {
    const kind: StreamKind = request.method === 'GET' ? 'listen' : 'answer';
    return createWatch({
      message: request.method === 'POST' ? request.message : null,
      eventId: (id) => tickets.seal(JSON.stringify([kind, id]), placeOf(line), lifeMs),
      tell: (message) => drop(post(line, message as RpcMessage)),
      asked,
      now,
      outcome(call, settled, ms) {
        const made = { ...call, serverId: request.serverId };
        if ('reply' in settled) outcomes.record(caller, made, settled.reply, ms);
        else outcomes.recordFailure(caller, made, settled.failure, ms);
      },
    });
  };

  const passed = async ({ status, headers, body }: OpenReply, watch: SessionWatch): Answer => {
    if (isStream(headers)) return { status, body: relayEvents(body, watch, limits.maxBytes) };
    const text = passedText(await readAll(body, limits.maxBytes), watch);
    const last = watch.end(null);
    return { status, body: text ?? JSON.stringify(last) };
  };

  /** What the server says when it does not do as it was asked; null when it does not know the session. */
  const refused = async (
    { caller, line }: Turn<SessionRequest['method']>,
    declined: OpenReply,
    watch?: SessionWatch,
  ): Answer => {
    const { status, headers, body } = declined;
    const message = errorIn(await readAll(body, failedBytes).catch(() => ''));
    const reply = message === null ? null : replyIn(message);
    const posted = { status, headers, step: reply === null ? null : { kind: 'reply' as const, reply } };
    if (isSessionGone(posted)) {
      ledger.forget(caller.developerId, placeOf(line));
      return null;
    }
    if (message === null || reply === null) throw failureOf(posted);
    watch?.settle(reply);
    return { status, body: JSON.stringify(cleaned(message)) };
  };

  const begin = async (turn: Turn<'POST'>): Answer => {
    const { caller, line, request } = turn;
    const reply = await post(line, request.message, caller.signal);
    const id = reply.headers['mcp-session-id'];
    if (reply.status >= 300 || typeof id !== 'string' || !plain.test(id)) {
      reply.body.cancel();
      return null;
    }
    const begun = { ...line, id, headers: { ...line.headers, 'mcp-session-id': id } };
    const goodbye = () => drop(send(begun, { method: 'DELETE', timeoutMs: goodbyeMs }));
    if (!ledger.add(caller.developerId, placeOf(begun), goodbye)) {
      reply.body.cancel();
      goodbye();
      return null;
    }
    const answer = await passed(reply, watchOf({ ...turn, line: begun }));
    return answer === null ? null : { ...answer, session: tickets.seal(id, line.binding, lifeMs) };
  };

  const say = async (turn: Turn<'POST'>): Answer => {
    const { caller, line, request } = turn;
    let exchange: OutboundCall | undefined;
    const watch = watchOf(turn, () => exchange?.extend(limits.askMs));
    const reply = await post(line, request.message, caller.signal, (started) => {
      exchange = started;
    });
    if (reply.status >= 300) return refused(turn, reply, watch);
    if (watch.expectsAnswer) return passed(reply, watch);
    reply.body.cancel();
    return { status: 202, body: null };
  };

  /** A stream to read from: the one beside the answers, or the rest of an answer; from an event on, or from now. */
  const listen = async (turn: Turn<'GET'>): Answer => {
    const { line, request } = turn;
    const last =
      request.lastEventId === null ? '["listen"]' : tickets.open(request.lastEventId, placeOf(line));
    if (last === null) return refusal(400, 'Last-Event-ID: expected one of this session');
    const [kind, id] = JSON.parse(last) as [StreamKind, string?];
    const headers = id === undefined ? {} : { 'last-event-id': id };
    // The rest of an answer is a call like others, and as bounded.
    if (kind === 'answer') return hear(turn, { headers, timeoutMs: limits.askMs });
    let exchange: OutboundCall | undefined;
    const leave = seats.take(request.serverId, turn.caller.developerId, () => exchange?.cancel());
    if (leave === null)
      return refusal(405, 'Too many streams are open to this server; calls go on without one');
    const started = (begun: OutboundCall) => {
      exchange = begun;
      // A request that is repeated keeps its place.
      begun.onEnd(() => {
        if (exchange === begun) leave();
      });
    };
    try {
      return await hear(turn, { headers, timeoutMs: 0 }, started);
    } catch (error) {
      leave();
      throw error;
    }
  };
  const hear = async (turn: Turn<'GET'>, how: Omit<SendRequest, 'method'>, started?: Started): Answer => {
    const { caller, line } = turn;
    const signal = caller.signal === undefined ? {} : { signal: caller.signal };
    const reply = await send(line, { method: 'GET', ...how, ...signal }, started);
    if (reply.status < 300 && isStream(reply.headers)) return passed(reply, watchOf(turn));
    if (reply.status >= 300 && reply.status !== 405) return refused(turn, reply);
    reply.body.cancel();
    return refusal(405, 'The server offers no stream beside its answers');
  };

  const end = async (turn: Turn<'DELETE'>): Answer => {
    const { caller, line } = turn;
    const reply = await send(line, { method: 'DELETE', timeoutMs: goodbyeMs });
    if (reply.status >= 300 && reply.status !== 405) return refused(turn, reply);
    reply.body.cancel();
    if (reply.status === 405) return refusal(405, 'The server does not let its clients end a session');
    ledger.forget(caller.developerId, placeOf(line));
    return { status: 200, body: null };
  };

  return {
    async relay(caller, request) {
      const began = now();
      const { method, params } = request.method === 'POST' ? request.message : {};
      const operation = { method: method ?? '', params };
      try {
        return await consent.with(caller, request.serverId, operation, async (found) => {
          const line = lineOf(tickets, found, { caller, request });
          if (line === null) return null;
          ledger.used(caller.developerId, placeOf(line));
          if (request.method === 'GET') return listen({ caller, line, request });
          if (request.method === 'DELETE') return end({ caller, line, request });
          const turn = { caller, line, request };
          return line.id === null ? begin(turn) : say(turn);
        });
      } catch (error) {
        const call = { serverId: request.serverId, method: method ?? '', params };
        if (method === 'tools/call') outcomes.recordFailure(caller, call, error, now() - began);
        throw error;
      }
    },
    sweep: ledger.sweep,
    close: seats.close,
  };
}

/** Of what an event's id is: the rest of an answer, or of the stream beside the answers. */
type StreamKind = 'answer' | 'listen';

/** The JSON-RPC error in a refusal's body. */
function errorIn(text: string): RpcMessage | null {
  try {
    const [message] = parseMessages(text);
    return message !== undefined && replyIn(message) !== null && message.error !== undefined ? message : null;
  } catch {
    return null;
  }
}

function refusal(status: number, message: string): SessionReply {
  return { status, body: JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: -32000, message } }) };
}

/** What comes of it does not matter. */
function drop(asked: Promise<OpenReply>): void {
  asked.then(({ body }) => body.cancel()).catch(() => undefined);
}
