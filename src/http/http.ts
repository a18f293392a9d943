/**
 * The HTTP server: wire checks, who is calling, limits, validation, the route, the reply.
 *
 * A request's life: wire checks -> key and scope -> quota -> body -> schema -> handler -> reply; any of them may
 * throw a Problem, which becomes `{"detail", "code"}` with its status. Every reply has X-Request-Id and
 * Server-Timing. An unknown error is 500 with fixed text, and its cause is in the log under the request id.
 * A client that sends its headers or body too slowly is cut off with 408.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import createRouter, { type HTTPVersion, type Instance } from 'find-my-way';
import type { Access } from '../access/access.ts';
import { Problem } from '../base/problem.ts';
import { createTurn, fewUnderWay } from '../base/turn.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { type Answers, createAnswers } from './answer.ts';
import { receiveBody } from './body.ts';
import type { ConsoleSessions } from './console/console-sessions.ts';
import type { Activity } from './console/request-stats.ts';
import type { ConsoleFiles } from './console/static-files.ts';
import { Departure } from './edge/departure.ts';
import { watchLines } from './edge/lines.ts';
import { createShedder } from './edge/shed.ts';
import {
  answerBrokenClient,
  closeGently,
  cutSlowClient,
  listenProblem,
  refuseTunnel,
} from './edge/socket.ts';
import { Exchange } from './exchange.ts';
import { createGate, type Gate, type VerifyUser } from './gate.ts';
import { relaying } from './relay/relay.ts';
import { isRelay, type JsonRoute, type Reply, type Route } from './route.ts';
import { coerceQuery, validator } from './validate.ts';
import { checkWire, pathOf } from './wire.ts';

export type { ConsoleSessions } from './console/console-sessions.ts';
export type { Activity, Step } from './console/request-stats.ts';
export { signalOf } from './edge/departure.ts';
export { tryListening } from './edge/socket.ts';
export type { Route } from './route.ts';

export type Http = {
  /** Listens and answers with the URL it is bound to. */
  listen(host: string, port: number): Promise<string>;
  /** Stops accepting, lets requests in flight finish, cuts what is left after the grace time. */
  close(): Promise<void>;
};

export type HttpLimits = {
  readonly headersTimeoutMs: number;
  /** For a request with a JSON body to arrive. */
  readonly requestTimeoutMs: number;
  /** For one whose body is passed on as it comes. */
  readonly relayTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly maxConnections: number;
  readonly graceMs: number;
  /** A process whose timers fire later than this turns requests away. */
  readonly lateMs: number;
};

export const defaultLimits: HttpLimits = {
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  relayTimeoutMs: 600_000,
  keepAliveTimeoutMs: 65_000,
  maxConnections: 10_000,
  graceMs: 10_000,
  // Thirty searches of a large catalogue at once stay below.
  lateMs: 300,
};

export function createHttp(deps: {
  routes: readonly Route[];
  access: Access;
  verifyUser: VerifyUser;
  telemetry: Telemetry;
  /** Browsers that are signed in to the console, its files, and what is counted for it. */
  console?: { sessions: ConsoleSessions; files: ConsoleFiles; activity: Activity };
  /** How others reach us. */
  publicUrl: () => string;
  limits?: HttpLimits;
}): Http {
  const limits = deps.limits ?? defaultLimits;
  const turn = createTurn();
  const answers = createAnswers({
    telemetry: deps.telemetry,
    publicUrl: deps.publicUrl,
    turn: () => (lines.underWay() > fewUnderWay ? turn : undefined),
    onAnswered({ line, route }, status, elapsedMs) {
      lines.end(line);
      deps.console?.activity.observe(route, status, elapsedMs);
    },
  });
  const gate = createGate(deps.access, deps.verifyUser, deps.console?.sessions);
  const shedder = createShedder({
    now: () => performance.now(),
    random: Math.random,
    onShed: turnedAway(deps.telemetry),
    lateMs: limits.lateMs,
  });
  const router = routerOf(deps.routes, (declared) =>
    isRelay(declared) ? relaying(declared, gate, answers) : answering(declared, gate, answers),
  );
  const nextId = requestIds();
  let closing = false;

  const take = (exchange: Exchange) => {
    const { request, reply, method, target } = exchange;
    if (closing) exchange.set('connection', 'close');
    const refusal = alwaysAnswered.has(pathOf(target)) ? null : shedder.refuse();
    if (refusal !== null) return answers.turnAway(refusal, exchange);
    checkWire(request);
    const found = router.find(method as 'GET', target);
    if (found === null) {
      const page = pageAt(deps.console?.files, exchange);
      if (page !== null) return answers.send(exchange, page);
      throw nowhere(deps.routes, exchange);
    }
    const entry = found.store as Entry | null;
    // In place of a route, the router finds what throws that this cannot be a path.
    if (entry === null) return found.handler(request, reply, {}, null, {});
    exchange.route = entry.url;
    entry.enter(exchange, found.params, found.searchParams);
  };
  const server = createHttpServer(limits, (request, reply) => {
    const line = lines.of(request);
    lines.begin(line);
    const exchange = new Exchange(nextId(), line, request, reply);
    try {
      take(exchange);
    } catch (error) {
      answers.fail(error, exchange);
    }
  });
  const lines = watchLines(server, { bodyMs: limits.requestTimeoutMs, cut: cutSlowClient });

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
      closing = true;
      await closeGently(server, lines.unused, limits.graceMs);
      shedder.stop();
      lines.stop();
    },
  };
}

/** What orchestrators and operators ask to know how things stand, most of all when they stand badly. */
const alwaysAnswered = new Set(['/healthz', '/readyz', '/v1/health', '/metrics']);

function turnedAway({ counter }: Telemetry): () => void {
  const shed = counter('http_shed', 'Requests turned away because the process was late');
  return () => shed.inc();
}

function createHttpServer(
  limits: HttpLimits,
  answer: (request: IncomingMessage, reply: ServerResponse) => void,
): Server {
  const server = createServer(
    {
      requireHostHeader: false, // checked in wire.ts, so that the reply is ours
      requestTimeout: limits.relayTimeoutMs,
      headersTimeout: limits.headersTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: Math.min(1_000, limits.headersTimeoutMs),
      maxHeaderSize: 16_384,
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

/** How a route takes a request, with the parameters of its path and its query as texts. */
type Enter = (exchange: Exchange, params: Texts, query: Texts) => void;
type Texts = Readonly<Record<string, string | undefined>>;
type Entry = { readonly url: string; readonly enter: Enter };

function routerOf(routes: readonly Route[], enterBy: (declared: Route) => Enter): Instance<HTTPVersion.V1> {
  const router = createRouter({
    maxParamLength: 1_000,
    onBadUrl() {
      throw new Problem('invalid_request', 'path: not a valid URL path');
    },
    onMaxParamLength() {
      throw new Problem('invalid_request', 'path: a parameter is too long');
    },
  });
  for (const declared of routes) {
    const { method, url } = declared;
    const entry: Entry = { url, enter: enterBy(declared) };
    router.on(method === 'GET' ? ['GET', 'HEAD'] : method, url, () => undefined, entry);
  }
  return router;
}

/** A request for a route with a JSON body: gate, body, schema, handler, reply. */
function answering(declared: JsonRoute, gate: Gate, answers: Answers): Enter {
  const parse = parserOf(declared);
  const answer = async (exchange: Exchange, sent: Sent) => {
    try {
      const { line, request, reply } = exchange;
      const { body, query, params } = parse(sent);
      const caller = gate.caller(exchange);
      const answered = await declared.handle({
        body,
        query,
        params,
        caller,
        user: gate.user(exchange),
        headers: request.headers,
        address: exchange.address,
        target: exchange.target,
        charge: (cost) => gate.charge(exchange, caller, cost),
        gone: new Departure(line, reply),
      });
      answers.send(exchange, answered);
    } catch (error) {
      answers.fail(error, exchange);
    }
  };
  return (exchange, params, query) =>
    gate.enter(declared, exchange, (refusal) => {
      if (refusal !== undefined) return answers.fail(refusal, exchange);
      const { line, request, reply } = exchange;
      line.expectBody(request);
      if (request.headers.expect?.toLowerCase() === '100-continue') reply.writeContinue();
      receiveBody(request, declared.form === true, (error, body) => {
        if (error === null) void answer(exchange, { body, params, query });
        else answers.fail(error, exchange);
      });
    });
}

type Sent = { readonly body: unknown; readonly params: Texts; readonly query: Texts };

/** Checks of the declared schemas, compiled once. */
function parserOf({ body, query, params }: JsonRoute) {
  const checkBody = body === undefined ? undefined : validator(body, 'body');
  const checkQuery = query === undefined ? undefined : validator(query, 'query');
  const checkParams = params === undefined ? undefined : validator(params, 'path');
  return (sent: Sent) => ({
    body: checkBody?.(sent.body),
    query: query && checkQuery?.(coerceQuery(query, sent.query)),
    params: checkParams?.(sent.params),
  });
}

/** `req_` + a part that differs between processes + a running number: unique and cheap. */
function requestIds(): () => string {
  const process = Math.random().toString(36).slice(2, 10).padEnd(8, '0');
  let count = 0;
  return () => `req_${process}${(++count).toString(36).padStart(6, '0')}`;
}

/** What no route answers may be one of the console’s files or pages */
function pageAt(files: ConsoleFiles | undefined, { method, target, request }: Exchange): Reply | null {
  if (files === undefined || (method !== 'GET' && method !== 'HEAD')) return null;
  return files.find(pathOf(target), request.headers);
}

/** 405 where the path exists under another method, else 404. */
function nowhere(routes: readonly Route[], { method, target }: Exchange): Problem {
  const path = pathOf(target);
  const methods = routes
    .filter((declared) =>
      new RegExp(`^${declared.url.replace(/:[a-z_]+/g, '[^/]+').replace('*', '.*')}$`).test(path),
    )
    .map((declared) => declared.method);
  if (methods.length === 0) return new Problem('not_found', 'Not found');
  const detail = `${method} is not offered here; expected ${methods.join(', ')}`;
  return new Problem('method_not_allowed', detail);
}
