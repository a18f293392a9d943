import { sha256Hex } from '../base/id.ts';
import { isObject } from '../base/json.ts';
import { Problem } from '../base/problem.ts';
import type { Vault } from '../vault/vault.ts';
import type { InputRequests, InputResponses, Json, RpcRequest, Step } from './mcp-model.ts';
import { isWebPage, notAPage } from './messages/rpc-message.ts';

/** A request that waits for its caller: what is asked, and the sealed word by which the caller comes back. */
export type InputNeeded = { readonly inputRequests: InputRequests; readonly continuation: string };

/** How a request goes on: sent again with the answers (2026-07-28), or answered where it waits (older revisions). */
export type Resumed =
  | { readonly kind: 'again'; readonly request: RpcRequest }
  | { readonly kind: 'waiting'; readonly ask: Ask; readonly release: () => void };

type Ask = Extract<Step, { kind: 'ask' }>;
type Parked = {
  readonly ask: Ask;
  readonly principal: string;
  readonly release: () => void;
  readonly timer: NodeJS.Timeout;
};
type Sealed = { readonly parked: string } | { readonly state: string | null };

const maxParked = 1_000;
const maxParkedEach = 50;

export type Inputs = {
  /** An old server's question: the exchange stays open until it is answered or its time is over. */
  park(principal: string, request: Subject, ask: Ask, release: () => void): InputNeeded;
  /** A modern server's question: it keeps nothing, so neither do we. */
  seal(principal: string, request: Subject, result: Json): InputNeeded;
  /** Throws `invalid_request` unless the continuation is this principal's, for this very request, and in time. */
  resume(principal: string, request: Subject, continuation: string, responses: InputResponses): Resumed;
  close(): void;
};

/** What a continuation is bound to, beside the principal. */
export type Subject = RpcRequest & { readonly serverId: string };

export function createInputs({
  tickets,
  askMs,
}: {
  readonly tickets: Vault['sealedTokens'];
  readonly askMs: number;
}): Inputs {
  const parked = new Map<string, Parked>();
  let lastId = 0;
  const bindingOf = (principal: string, { serverId, method, params }: Subject) =>
    `mcp ${sha256Hex(JSON.stringify([principal, serverId, method, sorted(params ?? {})]))}`;
  const sealFor = (principal: string, subject: Subject, content: Sealed) =>
    tickets.seal(JSON.stringify(content), bindingOf(principal, subject), askMs);

  const forget = (id: string): Parked | undefined => {
    const entry = parked.get(id);
    if (entry !== undefined) {
      parked.delete(id);
      clearTimeout(entry.timer);
    }
    return entry;
  };
  const giveUp = (id: string) => {
    const entry = forget(id);
    entry?.ask.abandon();
    entry?.release();
  };
  const makeRoom = (principal: string) => {
    const own = [...parked].filter(([, each]) => each.principal === principal);
    const [oldest] = own.length >= maxParkedEach ? own : parked.size >= maxParked ? [...parked] : [];
    if (oldest !== undefined) giveUp(oldest[0]);
  };

  return {
    park(principal, subject, ask, release) {
      const inputRequests = shown(ask.requests, ask.abandon);
      makeRoom(principal);
      const id = String(++lastId);
      const timer = setTimeout(() => giveUp(id), askMs).unref();
      parked.set(id, { ask, principal, release, timer });
      return { inputRequests, continuation: sealFor(principal, subject, { parked: id }) };
    },
    seal(principal, subject, { inputRequests, requestState }) {
      const state = typeof requestState === 'string' ? requestState : null;
      return {
        inputRequests: isObject(inputRequests) ? shown(inputRequests as InputRequests) : {},
        continuation: sealFor(principal, subject, { state }),
      };
    },
    resume(principal, subject, continuation, responses) {
      const text = tickets.open(continuation, bindingOf(principal, subject));
      if (text === null) throw over();
      const content = JSON.parse(text) as Sealed;
      if ('state' in content) {
        const params = { ...subject.params, inputResponses: responses };
        return {
          kind: 'again',
          request: {
            method: subject.method,
            params: content.state === null ? params : { ...params, requestState: content.state },
          },
        };
      }
      const waiting = parked.get(content.parked);
      if (waiting === undefined || waiting.principal !== principal) throw over();
      const missing = Object.keys(waiting.ask.requests).find((key) => responses[key] === undefined);
      if (missing !== undefined)
        throw new Problem(
          'invalid_request',
          `input_responses: expected an answer to "${missing.slice(0, 100)}"`,
        );
      forget(content.parked);
      return { kind: 'waiting', ask: waiting.ask, release: waiting.release };
    },
    close() {
      for (const id of [...parked.keys()]) giveUp(id);
    },
  };
}

/** A link to be opened is named with its origin (threats N10). */
function shown(requests: InputRequests, giveUp: () => void = () => undefined): InputRequests {
  const entries = Object.entries(requests).map(([key, request]) => {
    if (request?.method !== 'elicitation/create' || request.params?.url === undefined) return [key, request];
    const { url } = request.params;
    if (isWebPage(url)) return [key, { ...request, origin: new URL(String(url)).origin }];
    giveUp();
    throw notAPage();
  });
  return Object.fromEntries(entries) as InputRequests;
}

function over(): Problem {
  return new Problem(
    'invalid_request',
    'continuation: expected the one of your last reply, in time, with the same server_id and request',
  );
}

/** The same text for the same request, in whatever order its fields come. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, each]) => [name, sorted(each)]),
  );
}
