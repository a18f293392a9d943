import { scanJson } from '../../base/json-scanner.ts';
import { joinJson } from '../../base/json-splice.ts';
import { inSpan, type Tracing } from '../../base/tracing.ts';
import type { Outbound } from '../../outbound/outbound.ts';
import {
  type CallResult,
  type Channel,
  type Limits,
  type OnNotification,
  type RpcRequest,
  type SendOptions,
  type Target,
  UpstreamFailure,
  type UpstreamReason,
} from '../mcp-model.ts';
import { discoveredBy, discoverRequest, refusalIn, refusedHandshake } from '../messages/handshake.ts';
import { encodeHeader, nameHeader } from '../messages/mirrored-headers.ts';
import { discoverMethod, messageShape, modernRevision, rpcError } from '../messages/rpc-message.ts';
import { modernRequest } from '../messages/rpc-request.ts';
import { openHttpSse } from '../transports/http-sse.ts';
import type { Endpoint, Posted, Poster } from '../transports/post.ts';
import { createPoster } from '../transports/streamable-http.ts';
import { type ChangeSubscription, createChangeSubscription } from './change-subscription.ts';
import { negotiate, type Observation, type ProtocolMode } from './negotiation.ts';
import {
  contradicts,
  failureOf,
  isSessionGone,
  isUnknownMethod,
  isWithoutHandshake,
  judgeModern,
  namesOurRevision,
  resultOf,
} from './reply-verdict.ts';
import { openSession, type UpstreamSession } from './upstream-session.ts';

/** Methods that change nothing: to send them twice is harmless. */
const safe = /\/(list|read|get|templates\/list|discover)$|^(ping|completion\/complete)$/;
/** Silent, cut off, or an answer that is none: an older server may not know how to refuse `server/discover`. */
const notUnderstood: ReadonlySet<UpstreamReason> = new Set(['timeout', 'broken', 'protocol']);
const methodNotFound = -32601;
const nothingAnswered: Posted = { status: 404, headers: {}, result: null };

/** Where a negotiation stands: what was observed, what was last answered, and whether that answers the request. */
type Asked = {
  readonly observation: Observation;
  readonly last: Posted | UpstreamFailure | undefined;
  readonly answered: CallResult | null;
};

/** One server at a URL as one principal reaches it: finds out how it speaks, remembers that, and mends a lost session. */
export class HttpUpstream implements Channel {
  readonly #endpoint: Endpoint;
  readonly #hint: Target['hint'];
  readonly #revision: string | null;
  readonly #limits: Limits;
  readonly #now: () => number;
  readonly #post: Poster;
  readonly #listeners = new Set<OnNotification>();
  readonly #changes: ChangeSubscription;
  #lastId = 0;
  #mode: ProtocolMode | undefined;
  /** "Speaks an older revision" is doubted after this: it works for ever and would never heal itself. */
  #modeUntil = 0;
  readonly #tracing: Tracing;
  #negotiating: Promise<void> | undefined;
  #session: Promise<UpstreamSession> | undefined;
  /** The same once it is open, so that a call need not wait for a promise. */
  #openSession: UpstreamSession | undefined;
  #sse: Promise<Channel> | undefined;

  constructor(deps: {
    readonly target: Target & { readonly url: string };
    readonly outbound: Outbound;
    readonly limits: Limits;
    readonly tracing: Tracing;
    readonly now: () => number;
  }) {
    const { target, outbound, limits, now } = deps;
    this.#tracing = deps.tracing;
    const { url, credential } = target;
    this.#endpoint = { outbound, credential, limits, url };
    this.#hint = target.hint;
    this.#revision = target.revision;
    this.#limits = limits;
    this.#now = now;
    this.#post = createPoster(this.#endpoint);
    this.#changes = createChangeSubscription({
      endpoint: this.#endpoint,
      nextId: () => ++this.#lastId,
      onNotification: (told) => this.#notify(told),
      now,
    });
  }

  /** For the log and the tests. */
  protocolMode(): ProtocolMode | null {
    return this.#mode ?? null;
  }

  send(request: RpcRequest, options: SendOptions): Promise<CallResult> {
    const sent = this.#sendOnce(request, options);
    if (!safe.test(request.method)) return sent;
    return sent.catch((error: unknown) => {
      const again = error instanceof UpstreamFailure && error.reason === 'broken';
      if (!again || options.signal?.aborted) throw error;
      return this.#sendOnce(request, options);
    });
  }

  listen(onNotification: OnNotification): () => void {
    this.#listeners.add(onNotification);
    this.#openSession?.listen();
    this.#hearChanges();
    return () => {
      this.#listeners.delete(onNotification);
      this.#hearChanges();
    };
  }

  close(): void {
    this.#changes.close();
    this.#session?.then((session) => session.close()).catch(() => undefined);
    this.#sse?.then((channel) => channel.close()).catch(() => undefined);
  }

  async #sendOnce(request: RpcRequest, options: SendOptions): Promise<CallResult> {
    for (let round = 0; ; round++) {
      if (this.#mode === undefined || this.#modeUntil <= this.#now()) {
        const answered = await this.#settleMode(request, options);
        if (answered !== null) return answered;
      }
      const outcome = await this.#attempt(request, options);
      if ('kind' in outcome) return outcome;
      // What was found out once holds no longer: the server refused the very way of asking. Find out again, once.
      if (round > 0 || !contradicts(outcome, this.#mode)) return resultOf(outcome);
      this.#mode = undefined;
      this.#forgetSession();
    }
  }

  #attempt(request: RpcRequest, options: SendOptions): Promise<CallResult | Posted> {
    if (this.#mode === 'stateless') return this.#changesOf(request) ?? this.#sendModern(request, options);
    if (this.#mode === 'http+sse') return this.#openSse().then((channel) => channel.send(request, options));
    if (this.#openSession !== undefined) return this.#sendIn(this.#openSession, request, options);
    return this.#openOnce().then((session) => this.#sendIn(session, request, options));
  }

  /** Where nothing is kept, what the older revisions subscribe to stands in the one request for all changes; null: it is something else. */
  #changesOf({ method, params }: RpcRequest): Promise<CallResult> | null {
    const { uri } = params ?? {};
    if (uri === undefined) return null;
    if (method === 'resources/subscribe')
      return this.#changes.add(uri).then((isTold) => (isTold ? emptyReply : notOffered));
    if (method !== 'resources/unsubscribe') return null;
    this.#changes.remove(uri);
    return Promise.resolve(emptyReply);
  }

  #hearChanges(): void {
    this.#changes.setListening(this.#mode === 'stateless' && this.#listeners.size > 0);
  }

  /** 2026-07-28 over HTTP: no handshake, no session; each request says all there is to know. */
  #sendModern(request: RpcRequest, options: SendOptions, firstByteMs?: number): Promise<Posted> {
    const id = ++this.#lastId;
    const name = nameHeader(request);
    const { signal, onNotification, mirrored } = options;
    return this.#post({
      id,
      body: joinJson(modernRequest(id, request)),
      headers: {
        'mcp-protocol-version': modernRevision,
        'mcp-method': encodeHeader(request.method),
        ...(name === undefined ? {} : { 'mcp-name': encodeHeader(name) }),
        ...mirrored,
      },
      signal,
      onNotification,
      firstByteMs,
    });
  }

  #sendIn(session: UpstreamSession, request: RpcRequest, options: SendOptions): Promise<CallResult | Posted> {
    if (request.method === discoverMethod)
      return Promise.resolve({ kind: 'reply', reply: discoveredBy(session.introduction) });
    const sent = session.send(request, options);
    if (!session.hasId) return sent;
    return sent.then(async (posted) => {
      if (!isSessionGone(posted)) return posted;
      // The server refused before it did anything, so this is safe for any call. Whoever comes first opens the new one.
      if (this.#openSession === session) this.#forgetSession();
      return (await this.#openOnce()).send(request, options);
    });
  }

  /** Single flight: one asks how the server speaks, the others wait for what it finds out; when it fails, the next one asks. */
  async #settleMode(request: RpcRequest, options: SendOptions): Promise<CallResult | null> {
    while (this.#negotiating !== undefined) await this.#negotiating;
    if (this.#mode !== undefined && this.#modeUntil > this.#now()) return null;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#negotiating = promise;
    try {
      return await inSpan(this.#tracing, 'mcp negotiate', {}, () => this.#negotiate(request, options));
    } finally {
      this.#negotiating = undefined;
      resolve();
    }
  }

  /** Follows the reducer; a request that does no harm may serve as the question, and its answer is returned. */
  async #negotiate(request: RpcRequest, options: SendOptions): Promise<CallResult | null> {
    let asked: Asked = {
      observation: { asked: 'nothing', hint: this.#hint, ...pinnedTo(this.#revision) },
      last: undefined,
      answered: null,
    };
    for (;;) {
      const decision = negotiate(asked.observation);
      if ('settle' in decision) {
        this.#settle(decision.settle);
        return asked.answered;
      }
      if ('fail' in decision)
        throw asked.last instanceof UpstreamFailure
          ? asked.last
          : handshakeFailure(asked.last ?? nothingAnswered);
      asked = await this.#ask(decision.ask, asked, () => this.#askModern(request, options));
    }
  }

  #settle(mode: ProtocolMode): void {
    this.#mode = mode;
    const lasts = mode === 'stateless';
    this.#modeUntil = lasts ? Number.POSITIVE_INFINITY : this.#now() + this.#limits.reprobeMs;
    this.#hearChanges();
  }

  async #ask(
    question: 'discover' | 'initialize' | 'open-sse',
    { observation, last }: Asked,
    askModern: () => Promise<Asked>,
  ): Promise<Asked> {
    if (question === 'discover') return askModern();
    if (question === 'initialize') {
      const refused = await refusalOf(this.#openOnce(), isNoMcp);
      const showed = refused === null ? 'opened' : 'refused';
      return { observation: { asked: 'initialize', showed }, last: refused ?? last, answered: null };
    }
    const refused = await refusalOf(this.#openSse());
    // What the older way said, where there was one, says more than that there is no stream.
    if (refused instanceof UpstreamFailure) throw refused;
    if (refused?.status === 401 || refused?.status === 403) throw failureOf(refused);
    const showed = refused === null ? 'opened' : 'refused';
    const first = observation.asked === 'nothing';
    return { observation: { asked: 'open-sse', showed, first }, last, answered: null };
  }

  async #askModern(request: RpcRequest, options: SendOptions): Promise<Asked> {
    const question = request.method === 'tools/list' ? request : discoverRequest;
    let { posted, showed } = await this.#discover(question, options);
    const isAnswered = showed === 'modern' && question === request;
    // Of a server without tools this says nothing about its age.
    if (question === request && showed === 'older' && isUnknownMethod(posted))
      ({ posted, showed } = await this.#discover(discoverRequest, options));
    return {
      observation: { asked: 'discover', showed },
      last: posted,
      answered: isAnswered ? posted.result : null,
    };
  }

  async #discover(
    question: RpcRequest,
    options: SendOptions,
  ): Promise<{ posted: Posted; showed: 'modern' | 'older' | 'inconclusive' }> {
    const { discoverMs, firstByteMs } = this.#limits;
    const ask = () => this.#sendModern(question, options, Math.min(discoverMs, firstByteMs));
    try {
      let posted = await ask();
      if (namesOurRevision(posted)) posted = await ask();
      return { posted, showed: judgeModern(posted, question) };
    } catch (error) {
      if (!(error instanceof UpstreamFailure) || !notUnderstood.has(error.reason)) throw error;
      return { posted: nothingAnswered, showed: 'older' };
    }
  }

  /** The session, opened once for all who wait for it. */
  #openOnce(): Promise<UpstreamSession> {
    this.#session ??= openSession(this.#post, this.#endpoint, {
      now: this.#now,
      onNotification: (told) => this.#notify(told),
      revision: this.#revision,
    }).then(
      (answer) => {
        if ('send' in answer) {
          this.#openSession = answer;
          if (this.#listeners.size > 0) answer.listen();
          return answer;
        }
        this.#forgetSession();
        throw isWithoutHandshake(answer) ? new NotOffered(answer) : handshakeFailure(answer);
      },
      (error: unknown) => {
        this.#forgetSession();
        throw error;
      },
    );
    return this.#session;
  }

  #forgetSession(): void {
    this.#session = undefined;
    this.#openSession = undefined;
  }

  #openSse(): Promise<Channel> {
    const forget = () => {
      this.#sse = undefined;
    };
    this.#sse ??= openHttpSse(this.#endpoint, forget).then(
      (opened) => {
        if (!('send' in opened)) {
          forget();
          throw new NotOffered({ ...opened, result: null });
        }
        opened.listen((told) => this.#notify(told));
        return opened;
      },
      (error: unknown) => {
        forget();
        throw error;
      },
    );
    return this.#sse;
  }

  #notify(told: Parameters<OnNotification>[0]): void {
    for (const listener of this.#listeners) listener(told);
  }
}

const emptyReply: CallResult = {
  kind: 'reply',
  reply: { result: scanJson(Buffer.from('{}'), messageShape.result) },
};
const notOffered: CallResult = {
  kind: 'reply',
  reply: { error: rpcError(methodNotFound, 'Method not found') },
};

/** What a server says where it refuses the handshake is worth more than its status. */
function handshakeFailure(posted: Posted): UpstreamFailure {
  const { status, result } = posted;
  const isSaid = result?.kind === 'reply' && 'error' in result.reply && result.reply.error.message !== '';
  return isSaid && !isStatusAlone.has(status) ? refusedHandshake(result, status) : failureOf(posted);
}

/** Who calls, and how often: what has to be done about that is told by the status and its header fields. */
const isStatusAlone: ReadonlySet<number> = new Set([401, 403, 429]);

function pinnedTo(revision: string | null): { pinned?: 'stateless' | 'session' } {
  if (revision === null) return {};
  return { pinned: revision === modernRevision ? 'stateless' : 'session' };
}

/** The server has no such way of speaking. */
class NotOffered extends Error {
  readonly posted: Posted;

  constructor(posted: Posted) {
    super(`answered ${posted.status}`);
    this.posted = posted;
  }
}

/** What the server answered where it does not offer this way, or what of it could not be understood; null where it does. */
async function refusalOf(
  opening: Promise<unknown>,
  isAnswer: (failure: UpstreamFailure) => boolean = () => false,
): Promise<Posted | UpstreamFailure | null> {
  try {
    await opening;
    return null;
  } catch (error) {
    if (error instanceof NotOffered) return error.posted;
    if (error instanceof UpstreamFailure && isAnswer(error)) return error;
    throw error;
  }
}

/** A web page, or whatever else is no message, where the handshake's answer should be: there may be another way in. */
function isNoMcp(failure: UpstreamFailure): boolean {
  return failure.reason === 'protocol' && refusalIn(failure) === null;
}
