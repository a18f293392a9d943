import { createBoundedCache } from '../base/bounded-cache.ts';
import { newId, sha256Hex } from '../base/id.ts';
import { type JsonView, membersOf } from '../base/json-scanner.ts';
import { changeMembers, type JsonParts } from '../base/json-splice.ts';
import { SlotList, type Slotted } from '../base/slot-list.ts';
import { type Caller, type InputResponses, principalOf, type ServerRequest } from '../mcp/mcp.ts';
import type { Vault } from '../vault/vault.ts';
import type { ClientCapabilities } from './client-capabilities.ts';
import type { Emit } from './streams/answer.ts';

/** A session that an initialize-based client has with us. */
export type ClientSession = { readonly id: string; readonly capabilities: ClientCapabilities };

type Content = { readonly capabilities: ClientCapabilities };

const lifeMs = 24 * 3_600_000;
const maxQuestions = 1_000;
const maxLogLevels = 10_000;
/** Of syslog (RFC 5424), as every revision has them. */
const logLevels: ReadonlySet<string> = new Set([
  'debug',
  'info',
  'notice',
  'warning',
  'error',
  'critical',
  'alert',
  'emergency',
]);

/** A request under way, by its session and its id there. */
type InFlight = Slotted & { readonly name: string; readonly abort: AbortController };
/** `settle` takes the client's message; null: it is gone. */
type Question = { readonly owner: string; readonly settle: (message: JsonView | null) => void };
/** By the keys of the questions: results, and the errors that stand in place of one. */
export type ClientAnswers = { readonly responses: InputResponses; readonly refusals: InputResponses };

/**
 * Sessions with clients of the revisions with a handshake. Nothing of one is kept here: its id is what the client said of
 * itself, sealed for key, user and server, so any replica serves it. What is under way in a session is this process's:
 * requests that may be cancelled, and questions that wait for the client's answer.
 */
export class ClientSessions {
  readonly #tickets: Vault['sealedTokens'];
  readonly #inFlight = new SlotList<InFlight>();
  readonly #questions = new Map<string, Question>();
  readonly #logLevels = createBoundedCache<string>(maxLogLevels);

  constructor(tickets: Vault['sealedTokens']) {
    this.#tickets = tickets;
  }

  open(caller: Caller, door: string, capabilities: ClientCapabilities): ClientSession {
    const content: Content = { capabilities };
    return { id: this.#tickets.seal(JSON.stringify(content), ownerOf(caller, door), lifeMs), capabilities };
  }

  /** null: it is not one of ours, or not this caller's, or its time is over. */
  find(caller: Caller, door: string, id: string): ClientSession | null {
    const text = this.#tickets.open(id, ownerOf(caller, door));
    return text === null ? null : { id, ...(JSON.parse(text) as Content) };
  }

  /** A signal for a request in a session, which aborts too when the client cancels it; call `done` when it is answered. */
  track(
    session: ClientSession,
    requestId: JsonView,
    signal: AbortSignal | undefined,
  ): { readonly signal: AbortSignal; readonly done: () => void } {
    const abort = new AbortController();
    const request: InFlight = { slot: -1, name: nameOf(session, requestId), abort };
    const forward = () => abort.abort();
    if (signal?.aborted) forward();
    signal?.addEventListener('abort', forward);
    this.#inFlight.add(request);
    return {
      signal: abort.signal,
      done: () => {
        signal?.removeEventListener('abort', forward);
        this.#inFlight.delete(request);
      },
    };
  }

  cancel(session: ClientSession, requestId: JsonView | undefined): void {
    if (requestId === undefined) return;
    const name = nameOf(session, requestId);
    this.#inFlight.find((request) => request.name === name)?.abort.abort();
  }

  /** From which level on a session's client wants to hear the log of a server that keeps no session; this process's alone. */
  logLevel({ id }: ClientSession): string | undefined {
    return this.#logLevels.get(id);
  }

  setLogLevel({ id }: ClientSession, level: string | undefined): void {
    if (level !== undefined && logLevels.has(level)) this.#logLevels.set(id, level);
  }

  /** Asks the client on its open stream; null when it leaves one of the questions unanswered or goes away. */
  async ask(
    owner: { readonly caller: Caller; readonly door: string; readonly signal: AbortSignal | undefined },
    requests: readonly ServerRequest[],
    emit: Emit,
  ): Promise<ClientAnswers | null> {
    const answers = await Promise.all(requests.map((request) => this.#askOne(owner, request, emit)));
    const said = (member: 'result' | 'error') =>
      new Map(
        requests.flatMap(({ key }, i) => {
          const value = answers[i]?.present(member);
          return value === undefined ? [] : [[key, value] as const];
        }),
      );
    const [responses, refusals] = [said('result'), said('error')];
    return responses.size + refusals.size < requests.length ? null : { responses, refusals };
  }

  /** The client's answer to a question. */
  settle(caller: Caller, door: string, id: JsonView, message: JsonView): void {
    const question = this.#questions.get(id.string() ?? '');
    if (question?.owner !== ownerOf(caller, door)) return;
    question.settle(message);
  }

  #askOne(
    { caller, door, signal }: Parameters<ClientSessions['ask']>[0],
    { method, params }: ServerRequest,
    emit: Emit,
  ): Promise<JsonView | null> {
    const id = newId('ask');
    const { promise, resolve } = Promise.withResolvers<JsonView | null>();
    const settle = (response: JsonView | null) => {
      this.#questions.delete(id);
      signal?.removeEventListener('abort', leave);
      resolve(response);
    };
    const leave = () => settle(null);
    if (signal?.aborted || this.#questions.size >= maxQuestions) return Promise.resolve(null);
    signal?.addEventListener('abort', leave);
    this.#questions.set(id, { owner: ownerOf(caller, door), settle });
    const asked = params === undefined ? ['{}'] : olderQuestion(method, params, id);
    emit([`{"jsonrpc":"2.0","id":"${id}","method":${JSON.stringify(method)},"params":`, ...asked, '}']);
    return promise;
  }
}

/** In the words of the revisions with a handshake: there a link to be opened has an id (2026-07-28 took it away). */
function olderQuestion(method: string, params: JsonView, id: string): JsonParts {
  const isLink = method === 'elicitation/create' && params.get('url') !== undefined;
  if (!isLink || membersOf(params).some(({ name }) => name === 'elicitationId')) return [params.span()];
  return changeMembers(params, { elicitationId: [JSON.stringify(id)] });
}

function nameOf(session: ClientSession, requestId: JsonView): string {
  return `${session.id}\n${requestId.text()}`;
}

/** Whoever differs in any of these has other sessions. */
function ownerOf(caller: Caller, door: string): string {
  const parts = [principalOf(caller), caller.keyId, caller.client ?? null, door];
  return `mcp client ${sha256Hex(JSON.stringify(parts))}`;
}
