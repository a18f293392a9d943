import type { ServerResponse } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import type { Problem } from '../base/problem.ts';
import type { Turn } from '../base/turn.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Exchange } from './exchange.ts';
import { faultOf, problemOf } from './fault.ts';
import type { Reply } from './route.ts';
import { pathOf } from './wire.ts';

/** A request slower than this is worth a line whatever its outcome. */
const slowMs = 1_000;
/** To read so much past a refusal is cheaper than a new connection. */
const passedBytes = 65_536;
const jsonType = 'application/json; charset=utf-8';
/** Replies that end with their head: a length would be that of something else (RFC 9110 section 8.6). */
const bodiless: ReadonlySet<number> = new Set([204, 304]);

export type Answers = {
  /** Sends what a handler answered. */
  send(exchange: Exchange, answer: Reply): void;
  /** Sends `{"detail", "code"}` for whatever was thrown. */
  fail(error: unknown, exchange: Exchange): void;
  /** The same before anything was read: the connection stays where the body is small enough to be let pass. */
  turnAway(problem: Problem, exchange: Exchange): void;
  /** Sends the head of a reply whose body somebody else will write; counted when it is through. */
  begin(exchange: Exchange, status: number, headers: readonly string[]): void;
};

export function createAnswers(deps: {
  readonly telemetry: Telemetry;
  readonly publicUrl: () => string;
  /** The end of this turn, where it is worth waiting for. */
  readonly turn: () => Turn | undefined;
  /** Told of every exchange that is over. */
  readonly onAnswered: (exchange: Exchange, status: number, elapsedMs: number) => void;
}): Answers {
  const { telemetry, publicUrl, turn, onAnswered } = deps;
  const { log } = telemetry;
  const seconds = telemetry.histogram('http_request_seconds', 'Time to answer, by route and status', [
    'method',
    'route',
    'status',
  ]);

  const answered = (exchange: Exchange) => {
    const { route, method, reply } = exchange;
    const elapsedMs = exchange.elapsedMs();
    const status = reply.statusCode;
    seconds.observe({ method, route: route ?? 'unknown', status }, elapsedMs / 1000);
    onAnswered(exchange, status, elapsedMs);
    if (elapsedMs <= slowMs && !telemetry.verbose) return;
    // A stream is as long as there is something to tell.
    const streams = exchange.get('content-type')?.startsWith('text/event-stream') === true;
    const write = elapsedMs > slowMs && !streams ? log.warn : log.debug;
    write('request', {
      request_id: exchange.id,
      method,
      path: pathOf(exchange.target),
      status,
      ms: Math.round(elapsedMs * 100) / 100,
    });
  };

  /** The fields that every reply of ours has. */
  const dress = (exchange: Exchange, timings: Reply['timings'] = []) => {
    let timing = `total;dur=${exchange.elapsedMs().toFixed(2)}`;
    for (const [name, ms] of timings) timing += `, ${name};dur=${ms.toFixed(2)}`;
    exchange.set('x-request-id', exchange.id);
    exchange.set('server-timing', timing);
  };

  const finish = (exchange: Exchange, status: number, parts: readonly (Buffer | string)[]) => {
    const { reply } = exchange;
    let bytes = 0;
    for (const part of parts) bytes += Buffer.byteLength(part);
    if (!bodiless.has(status)) exchange.set('content-length', String(bytes));
    reply.writeHead(status, exchange.head);
    const later = turn();
    if (later === undefined) write(reply, parts);
    else later.atEnd(() => write(reply, parts));
    answered(exchange);
  };

  const pour = (exchange: Exchange, status: number, body: Readable) => {
    const { reply, head } = exchange;
    reply.writeHead(status, head);
    reply.once('close', () => answered(exchange));
    // A reply that breaks off must not look whole: `pipeline` destroys what is left of both.
    if (exchange.method !== 'HEAD') {
      pipeline(body, reply, () => undefined);
      return;
    }
    // Nobody reads it, and it may have no end.
    body.destroy();
    reply.end();
  };

  const refuse = (problem: Problem, exchange: Exchange, mayStay: boolean) => {
    const { id, request, reply, method, target } = exchange;
    const fault = faultOf(problem, id, publicUrl());
    // A fault of ours is an error; an outside one is news; "not ready yet" is neither.
    const write = problem.kind === 'internal' ? log.error : log.warn;
    if (fault.status >= 500 && problem.cause !== undefined)
      write('request failed', {
        request_id: id,
        method,
        path: pathOf(target),
        detail: problem.detail,
        error: problem.cause,
      });
    if (reply.headersSent || reply.destroyed) {
      reply.destroy();
      return;
    }
    // The rest of a refused body is not worth reading, and must not be taken for a next request.
    if (!request.complete && !mayStay) exchange.set('connection', 'close');
    dress(exchange);
    for (const name in fault.headers) exchange.set(name, fault.headers[name] ?? '');
    exchange.set('content-type', jsonType);
    finish(exchange, fault.status, [fault.body]);
  };

  return {
    send(exchange, { status, body, contentType, headers, timings }) {
      const { head } = exchange;
      if (exchange.reply.destroyed) {
        // Whom the reply was for is gone.
        if (body instanceof Readable) body.destroy();
        return;
      }
      dress(exchange, timings);
      exchange.set('content-type', contentType ?? jsonType);
      for (const name in headers) {
        const value = headers[name] ?? '';
        if (typeof value === 'string') exchange.set(name.toLowerCase(), value);
        else for (const each of value) head.push(name, each);
      }
      if (body instanceof Readable) pour(exchange, status, body);
      else finish(exchange, status, partsOf(body));
    },

    fail: (error, exchange) => refuse(problemOf(error), exchange, false),

    turnAway(problem, exchange) {
      const { headers } = exchange.request;
      const sized = headers['transfer-encoding'] === undefined;
      const mayStay = sized && Number(headers['content-length'] ?? 0) <= passedBytes;
      refuse(problem, exchange, mayStay);
    },

    begin(exchange, status, headers) {
      dress(exchange);
      exchange.reply.once('close', () => answered(exchange));
      exchange.reply.writeHead(status, [...headers, ...exchange.head]);
    },
  };
}

/** Parts go to the socket as they are: joining them would copy tens of kilobytes for every reply. */
function write(reply: ServerResponse, parts: readonly (Buffer | string)[]): void {
  if (parts.length > 1) reply.cork();
  for (let i = 0; i + 1 < parts.length; i++) reply.write(parts[i]);
  reply.end(parts.at(-1));
}

function partsOf(body: Exclude<Reply['body'], Readable>): readonly (Buffer | string)[] {
  if (body === null) return [''];
  if (typeof body === 'string' || Buffer.isBuffer(body)) return [body];
  return Array.isArray(body) ? (body as readonly (Buffer | string)[]) : [JSON.stringify(body)];
}
