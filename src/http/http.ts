/**
 * The HTTP server: wire checks, who is calling, limits, validation, the route, the reply.
 *
 * A request's life: wire checks -> key and scope -> quota -> body -> schema -> handler -> reply; any of them may
 * throw a Problem, which becomes `{"detail", "code"}` with its status. Every reply has X-Request-Id and
 * Server-Timing. An unknown error is 500 with fixed text, and its cause is in the log under the request id.
 * A client that sends its headers or body too slowly is cut off with 408.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Access, Principal } from '../access/access.ts';
import type { Clock } from '../base/clock.ts';
import { Problem } from '../base/problem.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { bodyLimitBytes, parseJsonBody } from './body.ts';
import { faultOf, problemOf } from './fault.ts';
import type { Reply, Route } from './route.ts';
import { coerceQuery, validator } from './validate.ts';
import { checkWire, pathOf, presentedKey } from './wire.ts';

export type { Route } from './route.ts';

export type Http = {
  /** Listens and answers with the URL it is bound to. */
  listen(host: string, port: number): Promise<string>;
  /** Stops accepting, lets requests in flight finish, cuts what is left after the grace time. */
  close(): Promise<void>;
};

export type HttpLimits = {
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly maxConnections: number;
  readonly graceMs: number;
};

export const defaultLimits: HttpLimits = {
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  keepAliveTimeoutMs: 65_000,
  maxConnections: 10_000,
  graceMs: 10_000,
};

type Seen = { readonly startedMs: number; caller: Principal };

const nobody: Principal = {
  keyId: '',
  developerId: '',
  developer: '',
  scopes: new Set(),
  tier: '',
  perMinute: 0,
};
/** A request slower than this is worth a line whatever its outcome. */
const slowMs = 1_000;

export function createHttp(deps: {
  routes: readonly Route[];
  access: Access;
  clock: Clock;
  telemetry: Telemetry;
  limits?: HttpLimits;
}): Http {
  const { routes, access, clock, telemetry } = deps;
  const limits = deps.limits ?? defaultLimits;
  const requests = telemetry.histogram('http_request_seconds', 'Time to answer, by route and status', [
    'method',
    'route',
    'status',
  ]);
  const seen = new WeakMap<FastifyRequest, Seen>();
  const app = Fastify({
    bodyLimit: bodyLimitBytes,
    genReqId: requestIds(),
    requestTimeout: limits.requestTimeoutMs,
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
    frameworkErrors: (error, request, reply) => fail(error, request, reply),
  });
  app.server.maxConnections = limits.maxConnections;

  const finish = (request: FastifyRequest, reply: FastifyReply) => {
    const elapsedMs = clock.monotonic() - (seen.get(request)?.startedMs ?? clock.monotonic());
    reply.header('x-request-id', request.id).header('server-timing', `total;dur=${elapsedMs.toFixed(2)}`);
  };

  const fail = (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const problem = problemOf(error);
    const fault = faultOf(problem, request.id);
    if (fault.status >= 500)
      telemetry.log.error('request failed', {
        request_id: request.id,
        method: request.method,
        path: pathOf(request.url),
        detail: problem.detail,
        error: problem.cause,
      });
    // The rest of a refused body is not worth reading, and must not be taken for a next request.
    if (!request.raw.complete) reply.header('connection', 'close');
    finish(request, reply);
    return reply
      .code(fault.status)
      .headers(fault.headers)
      .type('application/json; charset=utf-8')
      .send(fault.body);
  };

  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    /^application\/([a-z0-9.+-]+\+)?json(\s*;|$)/i,
    { parseAs: 'buffer' },
    (_request, bytes, done) => {
      try {
        done(null, parseJsonBody(bytes as Buffer));
      } catch (error) {
        done(error as Error);
      }
    },
  );
  app.setErrorHandler((error, request, reply) => fail(error, request, reply));
  app.setNotFoundHandler((request, reply) => fail(nowhere(routes, request), request, reply));
  app.addHook('onRequest', (request, _reply, done) => {
    seen.set(request, { startedMs: clock.monotonic(), caller: nobody });
    try {
      checkWire(request.raw);
      done();
    } catch (error) {
      done(error as Error);
    }
  });
  app.addHook('onResponse', (request, reply, done) => {
    const elapsedMs = reply.elapsedTime;
    const path = request.routeOptions.url ?? 'unknown';
    requests.observe({ method: request.method, route: path, status: reply.statusCode }, elapsedMs / 1000);
    const write = elapsedMs > slowMs ? telemetry.log.warn : telemetry.log.debug;
    write('request', {
      request_id: request.id,
      method: request.method,
      path: pathOf(request.url),
      status: reply.statusCode,
      ms: Math.round(elapsedMs * 100) / 100,
    });
    done();
  });

  const admit = (reply: FastifyReply, caller: Principal, cost: number) => {
    const quota = access.admit(caller, cost);
    reply
      .header('ratelimit-limit', quota.limit)
      .header('ratelimit-remaining', quota.remaining)
      .header('ratelimit-reset', Math.ceil(quota.resetMs / 1000));
    if (!quota.allowed)
      throw new Problem('rate_limited', `Rate limit of ${quota.limit} requests a minute exceeded`, {
        retryAfterMs: quota.retryAfterMs,
      });
  };

  const enter = (declared: Route, request: FastifyRequest, reply: FastifyReply, caller: Principal) => {
    if (declared.scope !== null && !caller.scopes.has(declared.scope))
      throw new Problem('missing_scope', `This key lacks the scope ${declared.scope}`);
    const entry = seen.get(request);
    if (entry !== undefined) entry.caller = caller;
    admit(reply, caller, declared.cost);
  };

  for (const declared of routes) {
    const checkBody = declared.body === undefined ? undefined : validator(declared.body, 'body');
    const checkQuery = declared.query === undefined ? undefined : validator(declared.query, 'query');
    const checkParams = declared.params === undefined ? undefined : validator(declared.params, 'path');
    app.route({
      method: declared.method,
      url: declared.url,
      onRequest: (request, reply, done) => {
        if (declared.scope === null) return done();
        try {
          const caller = access.authenticate(presentedKey(request.raw), request.ip);
          if (!(caller instanceof Promise)) {
            enter(declared, request, reply, caller);
            return done();
          }
          caller.then((found) => enter(declared, request, reply, found)).then(() => done(), done);
        } catch (error) {
          done(error as Error);
        }
      },
      handler: async (request, reply) => {
        const caller = seen.get(request)?.caller ?? nobody;
        const answer = await declared.handle({
          body: checkBody?.(request.body),
          query:
            declared.query === undefined
              ? undefined
              : checkQuery?.(coerceQuery(declared.query, request.query as Record<string, unknown>)),
          params: checkParams?.(request.params),
          caller,
          headers: request.headers,
          charge: (cost) => admit(reply, caller, cost),
        });
        finish(request, reply);
        return send(reply, answer);
      },
    });
  }

  return {
    async listen(host, port) {
      await app.listen({ host, port }).catch((error: NodeJS.ErrnoException) => {
        throw listenProblem(error, host, port);
      });
      const address = app.server.address() as AddressInfo;
      return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
    },
    close: () => closeGently(app, limits.graceMs),
  };
}

function send(reply: FastifyReply, answer: Reply): FastifyReply {
  const { body } = answer;
  reply.code(answer.status).type(answer.contentType ?? 'application/json; charset=utf-8');
  if (body === null || typeof body === 'string' || Buffer.isBuffer(body)) return reply.send(body ?? '');
  return reply.send(JSON.stringify(body));
}

/** `req_` + a part that differs between processes + a running number: unique and cheap. */
function requestIds(): () => string {
  const process = Math.random().toString(36).slice(2, 10).padEnd(8, '0');
  let count = 0;
  return () => `req_${process}${(++count).toString(36).padStart(6, '0')}`;
}

/** 405 where the path exists under another method, else 404. */
function nowhere(routes: readonly Route[], request: FastifyRequest): Problem {
  const path = pathOf(request.url);
  const methods = routes
    .filter((declared) => new RegExp(`^${declared.url.replace(/:[a-z_]+/g, '[^/]+')}$`).test(path))
    .map(({ method }) => method);
  if (methods.length === 0) return new Problem('not_found', 'Not found');
  return new Problem(
    'method_not_allowed',
    `${request.method} is not offered here; expected ${methods.join(', ')}`,
  );
}

/** What Node's parser refuses never becomes a request: answer on the bare socket and close it. */
function answerBrokenClient(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const late = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const large = error.code === 'HPE_HEADER_OVERFLOW';
  const problem = late
    ? new Problem('request_timeout', 'The request took too long to arrive')
    : new Problem('invalid_request', large ? 'headers: larger than 16 KB' : 'Not a valid HTTP/1.1 request');
  const { status, body } = faultOf(problem, '');
  const reason = late ? 'Request Timeout' : 'Bad Request';
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\ncontent-type: application/json; charset=utf-8\r\nx-request-id: req_unparsed\r\nserver-timing: total;dur=0\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

async function closeGently(app: FastifyInstance, graceMs: number): Promise<void> {
  const cut = setTimeout(() => app.server.closeAllConnections(), graceMs);
  const closed = app.close();
  app.server.closeIdleConnections();
  await closed;
  clearTimeout(cut);
}

/** Throws `setup` in words when nothing can listen there. */
export function tryListening(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error) => reject(listenProblem(error, host, port)));
    probe.listen(port, host, () => probe.close(() => resolve()));
  });
}

function listenProblem(cause: NodeJS.ErrnoException, host: string, port: number): Problem {
  const why =
    cause.code === 'EADDRINUSE'
      ? 'is in use (another mcprank?)'
      : `cannot be listened on (${cause.code ?? cause.message})`;
  return new Problem('setup', `${host}:${port} ${why}; choose others with MCPRANK_HOST and MCPRANK_PORT`, {
    cause,
  });
}
