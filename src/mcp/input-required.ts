import { sha256Hex } from '../base/id.ts';
import { type JsonView, membersOf } from '../base/json-scanner.ts';
import type { JsonPart, JsonParts } from '../base/json-splice.ts';
import { Problem } from '../base/problem.ts';
import type { Vault } from '../vault/vault.ts';
import type { CallResult, InputResponses, RpcRequest, ServerRequest } from './mcp-model.ts';
import { canonicalParams } from './messages/canonical-json.ts';
import { isWebPage, notAPage } from './messages/rpc-message.ts';
import { noParams, withMembers } from './messages/rpc-request.ts';

/** A request that waits for its caller: what is asked, and the sealed word by which the caller comes back. */
export type InputNeeded = {
  readonly requests: readonly ServerRequest[];
  /** The same as the JSON object that callers get: method and params by the questions' keys. */
  readonly inputRequests: JsonParts;
  readonly continuation: string;
  /** The server waits, and may be told that its question was refused. */
  readonly takesRefusals?: true;
  /** Nothing was sent yet: a person has to agree to it first. */
  readonly approval?: { readonly id: string; readonly expiresAt: number; readonly url: string };
};

/** How a request goes on: sent again with the answers (2026-07-28), or answered where it waits (older revisions). */
export type Resumed =
  | { readonly kind: 'again'; readonly request: RpcRequest }
  | { readonly kind: 'waiting'; readonly question: Question; readonly release: () => void };

type Question = Extract<CallResult, { kind: 'question' }>;
type Parked = {
  readonly question: Question;
  readonly principal: string;
  readonly release: () => void;
  readonly timer: NodeJS.Timeout;
};
type Sealed = { readonly parked: string } | { readonly state: string | null };

const maxParked = 1_000;
const maxParkedEach = 50;

/** What a continuation is bound to, beside the principal. */
export type Subject = RpcRequest & { readonly serverId: string };

/** Requests that wait for their caller's answers. */
export class InputRequired {
  readonly #tickets: Vault['sealedTokens'];
  readonly #questionMs: number;
  readonly #parked = new Map<string, Parked>();
  #lastId = 0;

  constructor(tickets: Vault['sealedTokens'], questionMs: number) {
    this.#tickets = tickets;
    this.#questionMs = questionMs;
  }

  /** An older server's question: the request stays open until it is answered or its time is over. */
  park(principal: string, subject: Subject, question: Question, release: () => void): InputNeeded {
    const { requests } = question;
    refuseUnsafeLinks(requests, question.abandon);
    this.#makeRoom(principal);
    const id = String(++this.#lastId);
    const timer = setTimeout(() => this.#giveUp(id), this.#questionMs).unref();
    this.#parked.set(id, { question, principal, release, timer });
    return { ...this.#needed(principal, subject, requests, { parked: id }), takesRefusals: true };
  }

  /** A 2026-07-28 server's question: it keeps nothing, so neither do we. */
  seal(principal: string, subject: Subject, result: JsonView): InputNeeded {
    const requests = requestsIn(result.present('inputRequests'));
    refuseUnsafeLinks(requests, () => undefined);
    const state = result.present('requestState')?.string() ?? null;
    return this.#needed(principal, subject, requests, { state });
  }

  /** Throws `invalid_request` unless the continuation is this principal's, for this very request, and in time. */
  resume(
    principal: string,
    subject: Subject,
    continuation: string,
    { responses, refusals }: { readonly responses: InputResponses; readonly refusals: InputResponses },
  ): Resumed {
    const text = this.#tickets.open(continuation, bindingOf(principal, subject));
    if (text === null) throw expired();
    const content = JSON.parse(text) as Sealed;
    if ('state' in content) return { kind: 'again', request: resumed(subject, content.state, responses) };
    const waiting = this.#parked.get(content.parked);
    if (waiting === undefined || waiting.principal !== principal) throw expired();
    const missing = waiting.question.requests.find(({ key }) => !(responses.has(key) || refusals.has(key)));
    if (missing !== undefined)
      throw new Problem(
        'invalid_request',
        `input_responses: expected an answer to "${missing.key.slice(0, 100)}"`,
      );
    this.#forget(content.parked);
    return { kind: 'waiting', question: waiting.question, release: waiting.release };
  }

  close(): void {
    for (const id of [...this.#parked.keys()]) this.#giveUp(id);
  }

  #needed(
    principal: string,
    subject: Subject,
    requests: readonly ServerRequest[],
    content: Sealed,
  ): InputNeeded {
    const binding = bindingOf(principal, subject);
    const continuation = this.#tickets.seal(JSON.stringify(content), binding, this.#questionMs);
    return { requests, inputRequests: inputRequestsJson(requests), continuation };
  }

  #forget(id: string): Parked | undefined {
    const entry = this.#parked.get(id);
    if (entry === undefined) return undefined;
    this.#parked.delete(id);
    clearTimeout(entry.timer);
    return entry;
  }

  #giveUp(id: string): void {
    const entry = this.#forget(id);
    entry?.question.abandon();
    entry?.release();
  }

  #makeRoom(principal: string): void {
    const own = [...this.#parked].filter(([, each]) => each.principal === principal);
    const [oldest] = own.length >= maxParkedEach ? own : this.#parked.size >= maxParked ? this.#parked : [];
    if (oldest !== undefined) this.#giveUp(oldest[0]);
  }
}

/** The same request with the answers, and with the state that the server gave along. */
function resumed(
  { method, params = noParams }: Subject,
  state: string | null,
  responses: InputResponses,
): RpcRequest {
  const answers: JsonPart[] = [...responses].flatMap(([key, value], i) => [
    `${i === 0 ? '' : ','}${JSON.stringify(key)}:`,
    value.span(),
  ]);
  const more: JsonParts = [
    '"inputResponses":{',
    ...answers,
    state === null ? '}' : `},"requestState":${JSON.stringify(state)}`,
  ];
  return { method, params: withMembers(params, more) };
}

function bindingOf(principal: string, { serverId, method, params }: Subject): string {
  return `mcp ${sha256Hex(JSON.stringify([principal, serverId, method, canonicalParams(params)]))}`;
}

/** The answers in what a caller sent; undefined where it has not the form that the revision gives them: an object with an object for each question. */
export function responsesIn(view: JsonView | undefined): InputResponses | undefined {
  if (view === undefined) return new Map();
  const members = membersOf(view);
  const fits = view.kind === 'object' && members.every(({ value }) => value.kind === 'object');
  return fits ? new Map(members.map(({ name, value }) => [name, value])) : undefined;
}

function requestsIn(inputRequests: JsonView | undefined): ServerRequest[] {
  if (inputRequests === undefined) return [];
  return membersOf(inputRequests, { method: true, params: { url: true } }).map(({ name, value }) => ({
    key: name,
    method: value.get('method')?.string() ?? '',
    params: value.present('params'),
  }));
}

/** As the JSON object that callers get. */
export function inputRequestsJson(requests: readonly ServerRequest[]): JsonParts {
  const parts: JsonPart[] = ['{'];
  for (const [i, request] of requests.entries())
    parts.push(`${i === 0 ? '' : ','}${JSON.stringify(request.key)}:`, ...writeRequest(request));
  return [...parts, '}'];
}

/** A link to be opened is named with its origin (threats N10). */
function writeRequest({ method, params }: ServerRequest): JsonParts {
  const link = linkIn(method, params);
  const origin = link === undefined ? '' : `,"origin":${JSON.stringify(new URL(link).origin)}`;
  const named: JsonParts = params === undefined ? [] : [',"params":', params.span()];
  return [`{"method":${JSON.stringify(method)}`, ...named, `${origin}}`];
}

function linkIn(method: string, params: JsonView | undefined): string | undefined {
  return method === 'elicitation/create' ? params?.present('url')?.string() : undefined;
}

function refuseUnsafeLinks(requests: readonly ServerRequest[], abandon: () => void): void {
  const isUnsafe = ({ method, params }: ServerRequest) =>
    method === 'elicitation/create' &&
    params?.present('url') !== undefined &&
    !isWebPage(linkIn(method, params));
  if (!requests.some(isUnsafe)) return;
  abandon();
  throw notAPage();
}

function expired(): Problem {
  return new Problem(
    'invalid_request',
    'continuation: expected the one of your last reply, in time, with the same server_id and request',
  );
}
