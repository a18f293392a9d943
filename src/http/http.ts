/**
 * The HTTP server: what happens to a request between the socket and the code of its route.
 *
 * A request's life is the list in `stepsOf`; any step may throw a Problem, which becomes `{"detail", "code"}` with its
 * status. Every reply has X-Request-Id and Server-Timing. An unknown error is 500 with fixed text, and its cause is in the
 * log under the request id. A client that sends its headers or body too slowly is cut off with 408.
 */
import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type { Access } from '../access/access.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import {
  type Authentication,
  createAuthentication,
  type Keyless,
  type VerifyAccessToken,
  type VerifyAccount,
  type VerifyUser,
} from './authentication.ts';
import { createLoadShedder, type LoadShedder } from './connection/load-shedder.ts';
import { watchConnections } from './connection/open-connections.ts';
import { replyAfter } from './connection/reply-after.ts';
import { createRequestSpans, inStepSpan } from './connection/request-spans.ts';
import {
  answerBrokenClient,
  closeGracefully,
  listenProblem,
  refuseTunnel,
} from './connection/server-socket.ts';
import { createStandingRights, type StandingRights } from './connection/standing-rights.ts';
import { createUnreadReplies, type UnreadLimits } from './connection/unread-replies.ts';
import { batchAbove, createWriteBatch } from './connection/write-batch.ts';
import type { ConsoleSessions } from './console/console-sessions.ts';
import type { RequestStats } from './console/request-stats.ts';
import type { ConsoleFiles } from './console/static-files.ts';
import { type ArrivalDeadline, createArrivalDeadline } from './input/arrival-deadline.ts';
import { createReadBody, createValidate } from './input/read-input.ts';
import { type LifecycleStep, runLifecycle } from './lifecycle.ts';
import { nodeHttp } from './passthrough/node-http.ts';
import { passThrough } from './passthrough/passthrough.ts';
import { checkFraming, pathOf } from './request-checks.ts';
import { RequestContext } from './request-context.ts';
import { createResponder, type Responder } from './respond.ts';
import { isPassthrough, type JsonRoute, type Route } from './route.ts';
import { RouteCall } from './route-call.ts';
import { createRouting } from './router.ts';

export { tryListening } from './connection/server-socket.ts';
export type { ConsoleSessions } from './console/console-sessions.ts';
export type { RequestStats, StatsStep } from './console/request-stats.ts';
export { runListener } from './passthrough/node-listener.ts';

export type Http = {
  /** Listens and answers with the URL it is bound to. */
  listen(host: string, port: number): Promise<string>;
  /** Answers whatever still comes for a while, each connection for the last time; then stops accepting, lets requests in flight finish, and cuts what is left after the grace time. */
  close(): Promise<void>;
};

export type HttpLimits = {
  readonly headersTimeoutMs: number;
  /** For a request with a JSON body to arrive. */
  readonly requestTimeoutMs: number;
  /** For one whose body is passed on as it comes. */
  readonly passthroughTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly maxConnections: number;
  /** After a stop was asked for, what arrives is answered for so long: who sends it does not know yet. */
  readonly drainMs: number;
  readonly graceMs: number;
  /** A process whose timers fire later than this turns requests away. */
  readonly lateMs: number;
  /** Replies that wait for their readers. */
  readonly unread?: UnreadLimits;
};

export const defaultLimits: HttpLimits = {
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  passthroughTimeoutMs: 600_000,
  keepAliveTimeoutMs: 65_000,
  maxConnections: 10_000,
  drainMs: 1_000,
  graceMs: 10_000,
  // Thirty searches of a large catalogue at once stay below.
  lateMs: 300,
};

type HttpDeps = {
  readonly routes: readonly Route[];
  readonly access: Access;
  readonly verifyUser: VerifyUser;
  readonly verifyAccessToken: VerifyAccessToken;
  readonly verifyAccount: VerifyAccount;
  readonly telemetry: Telemetry;
  /** Browsers that are signed in to the console, its files, and what is counted for it. */
  readonly console?: { sessions: ConsoleSessions; files: ConsoleFiles; stats: RequestStats };
  /** How others reach us. */
  readonly publicUrl: () => string;
  /** What has to be done before anybody is told of it. */
  readonly beforeReply?: () => void;
  readonly limits?: HttpLimits;
  /** Addresses and networks of proxies in front of us. */
  readonly trustedProxies?: readonly string[];
  readonly keyless?: Keyless | undefined;
};

export function createHttp(deps: HttpDeps): Http {
  const limits = deps.limits ?? defaultLimits;
  const batch = createWriteBatch();
  const nextId = createRequestIds();
  const { tracing } = deps.telemetry;
  const live = createRequestSpans(tracing);
  let isClosing = false;

  const server = createHttpServer(deps, (request, reply) => {
    connections.requestStarted(request);
    const context = new RequestContext(nextId(), { request, reply }, deps.trustedProxies ?? []);
    void live(context, () => runLifecycle(context, steps, (error) => responder.sendError(error, context)));
  });
  const connections = watchConnections(server);
  const responder = createResponder({
    telemetry: deps.telemetry,
    publicUrl: deps.publicUrl,
    isClosing: () => isClosing,
    onLarge: (context) => unread.watch(context),
    writeBatch: () => (connections.inFlight() > batchAbove ? batch : undefined),
    onFinished(context, status, elapsedMs) {
      connections.requestFinished();
      rights.remove(context);
      deps.console?.stats.observe(context.route?.url, status, elapsedMs, context.isCallersFault);
    },
  });
  const unread = createUnreadReplies(
    ({ id, target, caller }, unsentBytes) =>
      deps.telemetry.log.warn('http.reply.unread', {
        request_id: id,
        path: pathOf(target),
        developer_id: caller.developerId,
        unsent_bytes: unsentBytes,
      }),
    limits.unread,
  );
  const shedder = createLoadShedder({
    now: () => performance.now(),
    random: Math.random,
    onShed: countShed(deps.telemetry),
    onTick: observeDelay(deps.telemetry),
    lateMs: limits.lateMs,
  });
  const deadline = createArrivalDeadline(limits.requestTimeoutMs);
  const authentication = createAuthentication({
    ...deps,
    consoleSessions: deps.console?.sessions,
    keyless: deps.keyless,
  });
  const rights = createStandingRights(authentication.recheck, ({ id, target }, { kind }) =>
    deps.telemetry.log.info('http.request.right_ended', {
      request_id: id,
      path: pathOf(target),
      reason: kind,
    }),
  );
  const steps = stepsOf(deps, { authentication, deadline, responder, rights, shedder });

  return {
    async listen(host, port) {
      server.listen(port, host);
      await once(server, 'listening').catch((error: NodeJS.ErrnoException) => {
        throw listenProblem(error, host, port);
      });
      const address = server.address() as AddressInfo;
      return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
    },
    async close() {
      isClosing = true;
      if (server.listening && connections.areOpen()) {
        await delay(limits.drainMs);
        await readWhatArrived();
      }
      await closeGracefully(server, connections.unused, limits.graceMs);
      shedder.stop();
      deadline.stop();
      rights.stop();
      unread.stop();
    },
  };
}

/**
 * A connection with a request that was not read yet counts as idle, and a timer that was late comes before what arrived
 * meanwhile: one turn accepts what waits at the door, the next one reads it.
 */
async function readWhatArrived(): Promise<void> {
  await nextTurn();
  await nextTurn();
}

/** A request's life, top-down. */
function stepsOf(
  { routes, console, telemetry: { tracing } }: HttpDeps,
  {
    authentication,
    deadline,
    responder,
    rights,
    shedder,
  }: {
    readonly authentication: ReturnType<typeof createAuthentication>;
    readonly deadline: ArrivalDeadline;
    readonly responder: Responder;
    readonly rights: StandingRights;
    readonly shedder: LoadShedder;
  },
): readonly LifecycleStep[] {
  return [
    ({ target }) => shedder.admit(neverShed.has(pathOf(target))),
    checkFraming,
    createRouting(routes, console?.files),
    inStepSpan(tracing, 'authenticate', authentication.authenticate),
    inStepSpan(tracing, 'authorize', authentication.authorize),
    inStepSpan(tracing, 'limit', authentication.limit),
    inStepSpan(tracing, 'identify user', authentication.identifyUser),
    rights.add,
    createReadBody(deadline),
    createValidate(),
    createHandle(authentication, responder),
    (context) => context.answer && responder.respond(context, context.answer),
  ];
}

/** What orchestrators and operators ask to know how things stand, most of all when they stand badly. */
const neverShed = new Set(['/healthz', '/readyz', '/v1/health', '/metrics']);

/** The step in which the route does its work; one whose bodies pass through answers by itself. */
function createHandle(authentication: Authentication, responder: Responder): LifecycleStep {
  return (context) => {
    const { route } = context;
    if (route === undefined || context.answer !== undefined) return undefined;
    return isPassthrough(route)
      ? passThrough(route, context, responder)
      : handle(route, context, authentication);
  };
}

function handle(
  route: JsonRoute,
  context: RequestContext,
  authentication: Authentication,
): void | Promise<void> {
  const answer = route.handle(new RouteCall(context, authentication));
  if (answer instanceof Promise)
    return answer.then((found) => {
      context.answer = found;
    });
  context.answer = answer;
}

function countShed({ counter }: Telemetry): () => void {
  const shed = counter('http_shed', 'Requests turned away because the process was late');
  return () => shed.inc();
}

function observeDelay({ histogram }: Telemetry): (lateMs: number) => void {
  const delay = histogram('event_loop_delay_seconds', 'How late a timer fired, looked at every 20 ms', []);
  return (lateMs) => delay.observe(Math.max(0, lateMs) / 1000);
}

function createHttpServer(
  { limits = defaultLimits, beforeReply }: HttpDeps,
  answer: (request: IncomingMessage, reply: ServerResponse) => void,
): Server {
  const server = nodeHttp.createServer(
    {
      requireHostHeader: false, // checked in request-checks.ts, so that the reply is ours
      requestTimeout: limits.passthroughTimeoutMs,
      headersTimeout: limits.headersTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: Math.min(1_000, limits.headersTimeoutMs),
      maxHeaderSize: 16_384,
      ...(beforeReply !== undefined && { ServerResponse: replyAfter(beforeReply) }),
    },
    answer,
  );
  server.maxConnections = limits.maxConnections;
  // Node would say `100 Continue` before anybody knows who is asking (threats D3).
  server.on('checkContinue', answer);
  server.on('connect', refuseTunnel);
  server.on('clientError', answerBrokenClient);
  return server;
}

/** `req_` + a part that differs between processes + a running number: unique and cheap. */
function createRequestIds(): () => string {
  const process = Math.random().toString(36).slice(2, 10).padEnd(8, '0');
  let count = 0;
  return () => `req_${process}${(++count).toString(36).padStart(6, '0')}`;
}
