/**
 * The HTTP server: wire checks, who is calling, limits, validation, the route, the reply.
 *
 * A request's life: wire checks -> key and scope -> quota -> body -> schema -> handler -> reply; any of them may
 * throw a Problem, which becomes `{"detail", "code"}` with its status. Every reply has X-Request-Id and
 * Server-Timing. An unknown error is 500 with fixed text, and its cause is in the log under the request id.
 * A client that sends its headers or body too slowly is cut off with 408.
 */
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import type { Access } from '../access/access.ts';
import { Problem } from '../base/problem.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { type Answers, createAnswers } from './answer.ts';
import { bodyLimitBytes, parseJsonBody } from './body.ts';
import type { Activity } from './console/activity.ts';
import type { ConsoleFiles } from './console/files.ts';
import type { ConsoleSessions } from './console/session.ts';
import { Departure } from './edge/departure.ts';
import { createShedder } from './edge/shed.ts';
import {
  answerBrokenClient,
  closeGently,
  cutSlowClient,
  listenProblem,
  refuseTunnel,
  watchUnused,
} from './edge/socket.ts';
import { createGate, type Gate, prepareGate, type VerifyUser } from './gate.ts';
import { addRelayRoute } from './relay/relay.ts';
import { type SlowBodies, watchSlowBodies } from './relay/slow.ts';
import { isRelay, type JsonRoute, type Reply, type Route } from './route.ts';
import { coerceQuery, validator } from './validate.ts';
import { checkWire, pathOf } from './wire.ts';

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
  const answers = createAnswers(deps.telemetry, deps.publicUrl);
  const gate = createGate(deps.access, deps.verifyUser, deps.console?.sessions);
  const app = createServer(limits, answers);
  prepareGate(app);

  const unused = watchUnused(app.server);
  app.setErrorHandler((error, request, reply) => answers.fail(error, request, reply));
  app.setNotFoundHandler((request, reply) => {
    const page = pageAt(deps.console?.files, request);
    if (page !== null) return answers.send(request, reply, page);
    return answers.fail(nowhere(deps.routes, request), request, reply);
  });
  const shedder = createShedder({
    now: () => performance.now(),
    random: Math.random,
    onShed: turnedAway(deps.telemetry),
    lateMs: limits.lateMs,
  });
  app.addHook('onClose', async () => shedder.stop());
  app.addHook('onRequest', (request, reply, done) => {
    const refusal = alwaysAnswered.has(pathOf(request.url)) ? null : shedder.refuse();
    if (refusal === null) attempt(() => checkWire(request.raw), done);
    else answers.turnAway(refusal, request, reply);
  });
  app.addHook('onResponse', (request, reply, done) => {
    answers.observe(request, reply);
    deps.console?.activity.observe(request.routeOptions.url, reply.statusCode, reply.elapsedTime);
    done();
  });
  const slow = watchSlowBodies(limits.requestTimeoutMs, cutSlowClient);
  app.addHook('onClose', async () => slow.stop());
  for (const declared of deps.routes)
    if (isRelay(declared)) addRelayRoute(app, declared, gate, answers);
    else addRoute(app, declared, gate, answers, slow);

  return {
    async listen(host, port) {
      await app.listen({ host, port }).catch((error: NodeJS.ErrnoException) => {
        throw listenProblem(error, host, port);
      });
      const address = app.server.address() as AddressInfo;
      return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
    },
    close: () => closeGently(app, unused, limits.graceMs),
  };
}

/** What orchestrators and operators ask to know how things stand, most of all when they stand badly. */
const alwaysAnswered = new Set(['/healthz', '/readyz', '/v1/health', '/metrics']);

function turnedAway({ counter }: Telemetry): () => void {
  const shed = counter('http_shed', 'Requests turned away because the process was late');
  return () => shed.inc();
}

function createServer(limits: HttpLimits, answers: Answers): FastifyInstance {
  const app = Fastify({
    bodyLimit: bodyLimitBytes,
    genReqId: requestIds(),
    requestTimeout: limits.relayTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    forceCloseConnections: false,
    http: {
      requireHostHeader: false, // checked in wire.ts, so that the reply is ours
      headersTimeout: limits.headersTimeoutMs,
      connectionsCheckingInterval: Math.min(1_000, limits.headersTimeoutMs),
      maxHeaderSize: 16_384,
    },
    routerOptions: { maxParamLength: 1_000, ignoreTrailingSlash: false },
    clientErrorHandler: answerBrokenClient,
    frameworkErrors: answers.fail,
  });
  app.server.maxConnections = limits.maxConnections;
  // Node would say `100 Continue` before anybody knows who is asking (threats D3).
  app.server.on('checkContinue', (request, reply) => app.server.emit('request', request, reply));
  app.server.on('connect', refuseTunnel);
  app.removeAllContentTypeParsers();
  const jsonTypes = /^application\/([a-z0-9.+-]+\+)?json(\s*;|$)/i;
  app.addContentTypeParser(jsonTypes, { parseAs: 'buffer' }, (_request, bytes, done) => {
    let value: unknown;
    attempt(
      () => {
        // Many clients name a type for the body that a DELETE does not have.
        if (bytes.length > 0) value = parseJsonBody(bytes as Buffer);
      },
      (error) => done(error ?? null, value),
    );
  });
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (request, text, done) => {
      const { form } = request.routeOptions.config as { form?: boolean };
      if (form === true) done(null, Object.fromEntries(new URLSearchParams(text as string)));
      else done(new Problem('invalid_request', 'content-type: expected application/json'));
    },
  );
  return app;
}

function addRoute(
  app: FastifyInstance,
  declared: JsonRoute,
  gate: Gate,
  answers: Answers,
  slow: SlowBodies,
): void {
  const parse = parserOf(declared);
  app.route({
    method: declared.method,
    url: declared.url,
    config: { form: declared.form === true },
    onRequest: (request, reply, done) =>
      gate.enter(declared, request, reply, (error) => {
        if (error === undefined) {
          slow.expect(request.raw);
          if (request.headers.expect?.toLowerCase() === '100-continue') reply.raw.writeContinue();
        }
        done(error);
      }),
    handler: async (request, reply) => {
      slow.forget(request.raw);
      const caller = gate.caller(request);
      const { body, query, params } = parse(request);
      const answer = await declared.handle({
        body,
        query,
        params,
        caller,
        user: gate.user(request),
        headers: request.headers,
        address: request.ip,
        target: request.raw.url ?? '',
        charge: (cost) => gate.charge(reply, caller, cost),
        gone: new Departure(reply.raw),
      });
      return answers.send(request, reply, answer);
    },
  });
}

/** Checks of the declared schemas, compiled once. */
function parserOf({ body, query, params }: JsonRoute) {
  const checkBody = body === undefined ? undefined : validator(body, 'body');
  const checkQuery = query === undefined ? undefined : validator(query, 'query');
  const checkParams = params === undefined ? undefined : validator(params, 'path');
  return (request: FastifyRequest) => ({
    body: checkBody?.(request.body),
    query: query && checkQuery?.(coerceQuery(query, request.query as Record<string, unknown>)),
    params: checkParams?.(request.params),
  });
}

function attempt(act: () => void, done: (error?: Error) => void): void {
  try {
    act();
  } catch (error) {
    done(error as Error);
    return;
  }
  done();
}

/** `req_` + a part that differs between processes + a running number: unique and cheap. */
function requestIds(): () => string {
  const process = Math.random().toString(36).slice(2, 10).padEnd(8, '0');
  let count = 0;
  return () => `req_${process}${(++count).toString(36).padStart(6, '0')}`;
}

/** What no route answers may be one of the console’s files or pages */
function pageAt(files: ConsoleFiles | undefined, { method, url, headers }: FastifyRequest): Reply | null {
  if (files === undefined || (method !== 'GET' && method !== 'HEAD')) return null;
  return files.find(pathOf(url), headers);
}

/** 405 where the path exists under another method, else 404. */
function nowhere(routes: readonly Route[], request: FastifyRequest): Problem {
  const path = pathOf(request.url);
  const methods = routes
    .filter((declared) =>
      new RegExp(`^${declared.url.replace(/:[a-z_]+/g, '[^/]+').replace('*', '.*')}$`).test(path),
    )
    .map(({ method }) => method);
  if (methods.length === 0) return new Problem('not_found', 'Not found');
  const detail = `${request.method} is not offered here; expected ${methods.join(', ')}`;
  return new Problem('method_not_allowed', detail);
}
