import type { OutgoingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Problem } from '../base/problem.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { faultOf, problemOf } from './fault.ts';
import type { Reply } from './route.ts';
import { pathOf } from './wire.ts';

/** A request slower than this is worth a line whatever its outcome. */
const slowMs = 1_000;
/** To read so much past a refusal is cheaper than a new connection. */
const passedBytes = 65_536;
const jsonType = 'application/json; charset=utf-8';

export type Answers = {
  /** Sends what a handler answered. */
  send(request: FastifyRequest, reply: FastifyReply, answer: Reply): FastifyReply;
  /** Sends `{"detail", "code"}` for whatever was thrown. */
  fail(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply;
  /** The same before anything was read: the connection stays where the body is small enough to be let pass. */
  turnAway(problem: Problem, request: FastifyRequest, reply: FastifyReply): FastifyReply;
  /** The headers that every reply of ours has, and those set on this one so far. */
  dressed(request: FastifyRequest, reply: FastifyReply): OutgoingHttpHeaders;
  /** Counts and logs the finished exchange. */
  observe(request: FastifyRequest, reply: FastifyReply): void;
};

export function createAnswers(telemetry: Telemetry, publicUrl: () => string): Answers {
  const { log } = telemetry;
  const seconds = telemetry.histogram('http_request_seconds', 'Time to answer, by route and status', [
    'method',
    'route',
    'status',
  ]);
  const dress = (request: FastifyRequest, reply: FastifyReply, timing = '') => {
    reply
      .header('x-request-id', request.id)
      .header('server-timing', `total;dur=${reply.elapsedTime.toFixed(2)}${timing}`);
  };

  const refuse = (
    problem: Problem,
    { request, reply, mayStay }: { request: FastifyRequest; reply: FastifyReply; mayStay: boolean },
  ) => {
    const fault = faultOf(problem, request.id, publicUrl());
    // A fault of ours is an error; an outside one is news; "not ready yet" is neither.
    const write = problem.kind === 'internal' ? log.error : log.warn;
    if (fault.status >= 500 && problem.cause !== undefined)
      write('request failed', {
        request_id: request.id,
        method: request.method,
        path: pathOf(request.url),
        detail: problem.detail,
        error: problem.cause,
      });
    // The rest of a refused body is not worth reading, and must not be taken for a next request.
    if (!request.raw.complete && !mayStay) reply.header('connection', 'close');
    dress(request, reply);
    return reply.code(fault.status).headers(fault.headers).type(jsonType).send(fault.body);
  };

  return {
    send(request, reply, { status, body, contentType, headers, timings }) {
      dress(request, reply, timings?.map(([name, ms]) => `, ${name};dur=${ms.toFixed(2)}`).join(''));
      reply.code(status).type(contentType ?? jsonType);
      if (headers !== undefined) reply.headers(headers);
      if (request.method === 'HEAD' && body instanceof Readable) {
        // Nobody reads it, and it may have no end.
        body.destroy();
        return reply.send('');
      }
      if (Array.isArray(body)) return sendParts(reply, body as readonly Buffer[]);
      const ready =
        body === null || typeof body === 'string' || Buffer.isBuffer(body) || body instanceof Readable;
      return reply.send(ready ? (body ?? '') : JSON.stringify(body));
    },

    fail: (error, request, reply) => refuse(problemOf(error), { request, reply, mayStay: false }),
    turnAway(problem, request, reply) {
      const { headers } = request;
      const sized = headers['transfer-encoding'] === undefined;
      const mayStay = sized && Number(headers['content-length'] ?? 0) <= passedBytes;
      return refuse(problem, { request, reply, mayStay });
    },

    dressed(request, reply) {
      dress(request, reply);
      return reply.getHeaders() as OutgoingHttpHeaders;
    },

    observe(request, reply) {
      const elapsedMs = reply.elapsedTime;
      const route = request.routeOptions.url ?? 'unknown';
      seconds.observe({ method: request.method, route, status: reply.statusCode }, elapsedMs / 1000);
      if (elapsedMs <= slowMs && !telemetry.verbose) return;
      // A stream is as long as there is something to tell.
      const streams = String(reply.getHeader('content-type')).startsWith('text/event-stream');
      const write = elapsedMs > slowMs && !streams ? log.warn : log.debug;
      write('request', {
        request_id: request.id,
        method: request.method,
        path: pathOf(request.url),
        status: reply.statusCode,
        ms: Math.round(elapsedMs * 100) / 100,
      });
    },
  };
}

/** Parts go to the socket as they are: joining them would copy tens of kilobytes for every reply. */
function sendParts(reply: FastifyReply, parts: readonly Buffer[]): FastifyReply {
  reply.header(
    'content-length',
    parts.reduce((sum, part) => sum + part.length, 0),
  );
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(reply.statusCode, reply.getHeaders() as OutgoingHttpHeaders);
  raw.cork();
  for (const part of parts.slice(0, -1)) raw.write(part);
  raw.end(parts.at(-1));
  return reply;
}
