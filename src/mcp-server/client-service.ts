import type { JsonView } from '../base/json-scanner.ts';
import { noTracing, type Span, type Tracing } from '../base/tracing.ts';
import { inMcpSpan, type Mcp, paramsOf, responsesIn, rpcError, tellError, withLogLevel } from '../mcp/mcp.ts';
import type { Vault } from '../vault/vault.ts';
import { capabilitiesIn, missingFor } from './client-capabilities.ts';
import { type Decision, decide, readMessage } from './client-request.ts';
import { ClientSessions } from './client-sessions.ts';
import type { AskedRequest, DoorRequest, McpHttpRequest } from './door-request.ts';
import type { Backend, McpCaller, Outcome } from './doors/backend.ts';
import { modernResult, namesItself, sessionResult } from './revision-words.ts';
import { relayToSession } from './session-passthrough.ts';
import {
  type Answer,
  accepted,
  answerWith,
  type Emit,
  errorReply,
  type McpHttpReply,
  resultMessage,
} from './streams/answer.ts';
import {
  NotificationStreams,
  notificationMessage,
  OpenSubscriptions,
} from './streams/notification-streams.ts';
import {
  approvalError,
  cannotAsk,
  errorAnswer,
  errorInWords,
  inputAnswer,
  methodNotFound,
  notAllowed,
  statusOfDenied,
  unusable,
} from './streams/refusal-answers.ts';
import { letGo, subscribe } from './streams/subscribe.ts';

const sessionNotFound = -32001;
const invalidParams = -32602;
const sessionHeader = 'mcp-session-id';
/** A server may ask again upon an answer, but not for ever. */
const maxQuestionRounds = 16;

/** Which door a request came to; opened once its message is known to be one. */
export type Door = {
  /** null: all servers. */
  readonly serverId: string | null;
  open(): Backend | Promise<Backend>;
};

/** Serves clients of every age at every door: what each of their requests is, and how it is answered. */
export class ClientService {
  readonly #mcp: Pick<Mcp, 'relay'>;
  readonly #sessions: ClientSessions;
  readonly #tracing: Tracing;
  readonly #streams = new NotificationStreams();
  readonly #subscriptions = new OpenSubscriptions();

  constructor({
    mcp,
    tickets,
    tracing = noTracing,
  }: {
    readonly mcp: Pick<Mcp, 'relay'>;
    readonly tickets: Vault['sealedTokens'];
    readonly tracing?: Tracing;
  }) {
    this.#mcp = mcp;
    this.#tracing = tracing;
    this.#sessions = new ClientSessions(tickets);
  }

  closeStreams(): void {
    this.#streams.close();
    this.#subscriptions.close();
  }

  async serve(received: McpHttpRequest, caller: McpCaller, door: Door): Promise<McpHttpReply> {
    const read = readMessage(received);
    const message = read instanceof Promise ? await read : read;
    if (message !== undefined && 'kind' in message && message.kind === 'refuse')
      return errorReply(message.status, message.id, message.error);
    const view = message as JsonView | undefined;
    const request = view === undefined ? received : { ...received, body: view.bytes };
    const decision = decide({ httpMethod: request.method, headers: request.headers, message: view });
    if (decision.kind === 'refuse') return errorReply(decision.status, decision.id, decision.error);
    const opened = door.open();
    const backend = opened instanceof Promise ? await opened : opened;
    const { serverId } = door;
    try {
      return await this.#proceed({ backend, request, caller, decision, view, serverId });
    } catch (error) {
      const said = errorInWords(error);
      if (said === null) throw error;
      const status = request.method === 'POST' ? 200 : 502;
      return errorReply(statusOfDenied(error, caller) ?? status, view?.present('id'), said);
    }
  }

  async #proceed(asked: {
    readonly backend: Backend;
    readonly request: McpHttpRequest;
    readonly caller: McpCaller;
    readonly decision: Exclude<Decision, { kind: 'refuse' }>;
    readonly view: JsonView | undefined;
    readonly serverId: string | null;
  }): Promise<McpHttpReply> {
    const { backend, request, decision, view, serverId } = asked;
    const isModern = decision.kind === 'request' && decision.age === 'modern';
    const caller: McpCaller = isModern ? asked.caller : { ...asked.caller, prefersSession: true };
    const named = isModern ? undefined : request.headers[sessionHeader];
    const session = named === undefined ? null : this.#sessions.find(caller, backend.door, named);
    const mayRelay = named !== undefined || decision.kind === 'initialize';
    if (!isModern && mayRelay && session === null && serverId !== null) {
      const relay = () => relayToSession(this.#mcp, { request, caller, view, decision, serverId });
      const relayed = await (named !== undefined && decision.kind === 'request'
        ? inMcpSpan(this.#tracing, 'server', spannedBy(decision), relay)
        : relay());
      if (relayed !== null) return relayed;
    }
    if (named !== undefined && session === null && decision.kind !== 'initialize')
      return errorReply(404, undefined, rpcError(sessionNotFound, 'Session not found'));
    const subscriber = session === null ? {} : { subscriber: session.id };
    return this.#own({ backend, request, caller: { ...caller, ...subscriber }, session }, decision);
  }

  /** What is not passed on to a session of the server's own. */
  #own(
    turn: DoorRequest,
    decision: Exclude<Decision, { kind: 'refuse' }>,
  ): Promise<McpHttpReply> | McpHttpReply {
    const { backend, caller, session } = turn;
    switch (decision.kind) {
      case 'initialize':
        return this.#initialize(turn, decision);
      case 'request':
        return this.#request(turn, decision);
      case 'notification':
        if (decision.method === 'notifications/cancelled' && session !== null)
          this.#sessions.cancel(session, decision.params?.get('requestId'));
        return accepted;
      case 'response':
        this.#sessions.settle(caller, backend.door, decision.id, decision.message);
        return accepted;
      case 'listen':
        return this.#listen(turn);
      case 'end-session':
        if (session === null) return notAllowed;
        letGo(backend, caller);
        return { status: 200, body: null };
    }
  }

  async #initialize(
    { backend, request, caller }: DoorRequest,
    { id, params }: Extract<Decision, { kind: 'initialize' }>,
  ): Promise<McpHttpReply> {
    const { serverInfo, capabilities, instructions } = await backend.introduce(caller);
    const session = this.#sessions.open(
      caller,
      backend.door,
      capabilitiesIn(params?.present('capabilities')),
    );
    const reply = await answerWith(request.headers.accept ?? '', id, async () => ({
      status: 200,
      message: resultMessage(id, [
        `{"protocolVersion":${JSON.stringify(agreedRevision(params))},"capabilities":`,
        capabilities,
        ',"serverInfo":',
        serverInfo,
        ...(instructions === undefined ? [] : [',"instructions":', instructions]),
        '}',
      ]),
    }));
    return { ...reply, headers: { ...reply.headers, [sessionHeader]: session.id } };
  }

  async #listen({ backend, request, caller, session }: DoorRequest): Promise<McpHttpReply> {
    if (session === null || backend.listen === undefined) return notAllowed;
    if (!(await backend.introduce(caller)).canNotify) return notAllowed;
    const opened = await this.#streams.open(
      { sessionId: session.id, developerId: caller.developerId, groups: caller.groups },
      request.headers['last-event-id'],
      backend.listen(caller),
    );
    return opened ?? notAllowed;
  }

  #request(turn: DoorRequest, asked: AskedRequest): Promise<McpHttpReply> {
    const { request, caller, session } = turn;
    const { id, method } = asked;
    if (method === 'subscriptions/listen' && asked.age === 'modern')
      return subscribe(turn, asked, this.#subscriptions);
    const tracked = session === null ? null : this.#sessions.track(session, id, caller.signal);
    const signal = tracked?.signal ?? caller.signal;
    // Where a client sees a tool as its server lists it, it repeats the arguments that the server wants repeated.
    const mirrored = asked.age === 'modern' ? { mirrored: mirroredIn(request) } : {};
    const own = { ...turn, caller: { ...caller, ...(signal && { signal }), ...mirrored } };
    return answerWith(request.headers.accept ?? '', id, (emit) => {
      const answer = this.#answer(own, asked, emit);
      return tracked === null ? answer : answer.finally(tracked.done);
    });
  }

  #answer(turn: DoorRequest, asked: AskedRequest, emit: Emit): Promise<Answer> {
    return inMcpSpan(this.#tracing, 'server', spannedBy(asked), (span) =>
      this.#answerIn(span, turn, asked, emit),
    );
  }

  async #answerIn(span: Span, turn: DoorRequest, asked: AskedRequest, emit: Emit): Promise<Answer> {
    const { id, age } = asked;
    try {
      const outcome = await this.#outcome(turn, asked, emit);
      if (outcome.kind === 'error') {
        tellError(span, outcome.error.code);
        return errorAnswer(id, outcome.error, age);
      }
      if (outcome.kind === 'input')
        return inputAnswer(asked, outcome.needed, await turn.backend.serverInfo(turn.caller));
      const { body } = outcome;
      if (age === 'session')
        return { status: 200, message: resultMessage(id, sessionResult(asked.method, body)) };
      const serverInfo = namesItself(body) ? '' : await turn.backend.serverInfo(turn.caller);
      return { status: 200, message: resultMessage(id, modernResult(asked.method, body, serverInfo)) };
    } catch (error) {
      const said = errorInWords(error);
      if (said === null) throw error;
      tellError(span, said.code);
      const answer = errorAnswer(id, said, age);
      return { ...answer, status: statusOfDenied(error, turn.caller) ?? answer.status };
    }
  }

  async #outcome(turn: DoorRequest, asked: AskedRequest, emit: Emit): Promise<Outcome> {
    const { backend, session } = turn;
    const { method, params } = asked;
    const answered = ownAnswer(asked);
    if (answered !== null) return answered;
    if (method === 'server/discover' && asked.age === 'modern') return discover(turn);
    const inputResponses = responsesIn(params?.get('inputResponses'));
    if (inputResponses === undefined)
      return {
        kind: 'error',
        error: rpcError(invalidParams, 'inputResponses: expected an object with an object for each question'),
      };
    const caller: McpCaller = { ...turn.caller, onNotification: (told) => emit(notificationMessage(told)) };
    const continuation = params?.present('requestState')?.string();
    const level = asked.age === 'session' && session !== null ? this.#sessions.logLevel(session) : undefined;
    const own = paramsOf(params);
    const request = { method, params: level === undefined ? own : withLogLevel(own, level) };
    const outcome = await backend.request(caller, {
      ...request,
      ...(continuation === undefined ? {} : { continuation, inputResponses }),
    });
    if (asked.age === 'modern') return outcome;
    // 2026-07-28 has no such method: there each request says from which level on it wants the log.
    if (method === 'logging/setLevel' && outcome.kind === 'error' && outcome.error.code === methodNotFound) {
      if (session !== null) this.#sessions.setLogLevel(session, params?.get('level')?.string());
      return emptyResult;
    }
    if (outcome.kind !== 'input') return outcome;
    return this.#askClient({ ...turn, caller }, request, outcome, emit);
  }

  /** A client with a handshake is asked on its open stream, and the call goes on with its answers. */
  async #askClient(
    { backend, caller, session }: DoorRequest,
    request: { readonly method: string; readonly params: ReturnType<typeof paramsOf> },
    first: Extract<Outcome, { kind: 'input' }>,
    emit: Emit,
  ): Promise<Outcome> {
    let outcome: Outcome = first;
    for (let round = 0; outcome.kind === 'input' && round < maxQuestionRounds; round++) {
      const { requests, continuation } = outcome.needed;
      const missing = missingFor(requests, session?.capabilities ?? {});
      if (missing !== null)
        return {
          kind: 'error',
          error: approvalError(outcome.needed) ?? rpcError(unusable, cannotAsk(missing)),
        };
      const owner = { caller, door: backend.door, signal: caller.signal };
      const answers = await this.#sessions.ask(owner, requests, emit);
      // A server that keeps nothing is sent answers alone; one that waits is told of a refusal, as if it had asked without us.
      if (answers === null || (answers.refusals.size > 0 && outcome.needed.takesRefusals !== true))
        return { kind: 'error', error: rpcError(unusable, 'The client did not answer the question') };
      const { responses: inputResponses, refusals } = answers;
      outcome = await backend.request(caller, { ...request, continuation, inputResponses, refusals });
    }
    return outcome;
  }
}

function spannedBy({ id, method, params }: Pick<AskedRequest, 'id' | 'method' | 'params'>) {
  return { method, id, name: params?.get('name')?.string(), meta: params?.present('_meta') };
}

/** What 2026-07-28 took away; a server behind us that still knows it is not asked. */
const removed: ReadonlySet<string> = new Set([
  'ping',
  'logging/setLevel',
  'resources/subscribe',
  'resources/unsubscribe',
]);

/** What needs no server behind us. */
function ownAnswer({ method, age }: AskedRequest): Outcome | null {
  if (age === 'modern')
    return removed.has(method)
      ? { kind: 'error', error: rpcError(methodNotFound, 'Method not found') }
      : null;
  return method === 'ping' ? emptyResult : null;
}

const emptyResult: Outcome = { kind: 'result', body: { members: [] } };

async function discover({ backend, caller }: DoorRequest): Promise<Outcome> {
  const { capabilities, instructions } = await backend.introduce(caller);
  return {
    kind: 'result',
    body: {
      members: [
        '"supportedVersions":["2026-07-28"],"capabilities":',
        capabilities,
        ...(instructions === undefined ? [] : [',"instructions":', instructions]),
      ],
    },
  };
}

function mirroredIn({ headers }: McpHttpRequest): Record<string, string> {
  const mirrored: Record<string, string> = {};
  for (const name in headers) {
    const value = name.startsWith('mcp-param-') ? headers[name] : undefined;
    if (value !== undefined) mirrored[name] = value;
  }
  return mirrored;
}

const sessionRevisions = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'];

/** The client's revision where we know it, else our newest. */
function agreedRevision(params: JsonView | undefined): string {
  const asked = params?.get('protocolVersion')?.string() ?? '';
  return sessionRevisions.includes(asked) ? asked : (sessionRevisions[0] ?? '');
}
