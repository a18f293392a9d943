import type { ServerResponse } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import { urlAsAsked } from '../base/own-hosts.ts';
import { Problem } from '../base/problem.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { crossOriginHeaders } from './connection/cross-origin.ts';
import type { WriteBatch } from './connection/write-batch.ts';
import { type ErrorResponse, errorResponse, toProblem } from './error-response.ts';
import { pathOf } from './request-checks.ts';
import type { RequestContext } from './request-context.ts';
import { isPassthrough, type Reply } from './route.ts';

/** A request slower than this is worth a line whatever its outcome. */
const slowMs = 1_000;
/** To read so much past a refusal is cheaper than a new connection. */
const drainBytes = 65_536;
/** Less than this waits with the operating system, whoever reads it. */
const largeBytes = 65_536;
/** Beyond this a copy costs more than a second piece does (measured: a cached search of 12 KB took a seventh longer joined). */
const joinedBytes = 4_096;
const jsonType = 'application/json; charset=utf-8';
/** Replies that end with their head: a length would be that of something else (RFC 9110 section 8.6). */
const bodiless: ReadonlySet<number> = new Set([204, 304]);

/** A refusal before anything was read: the connection stays where the body is small enough to be let pass. */
export class EarlyRefusal extends Problem {}

export type Responder = {
  /** Sends what a handler answered. */
  respond(context: RequestContext, answer: Reply): void;
  /** Sends `{"detail", "code"}` for whatever was thrown. */
  sendError(error: unknown, context: RequestContext): void;
  /** Sends the head of a reply whose body somebody else will write; counted when it is through. */
  writeHead(context: RequestContext, status: number, headers: readonly string[]): void;
  /** Whom the reply was for is gone. */
  abandon(context: RequestContext): void;
};

type Deps = {
  readonly telemetry: Telemetry;
  readonly publicUrl: () => string;
  /** Whether each connection's next reply is its last. */
  readonly isClosing: () => boolean;
  /** Where writes wait for the end of this tick, if it is worth waiting. */
  readonly writeBatch: () => WriteBatch | undefined;
  /** A reply is written that does not fit into a socket's own buffers. */
  readonly onLarge: (context: RequestContext) => void;
  /** Once for every request, when its reply is through or nobody is there to read it. */
  readonly onFinished: (context: RequestContext, status: number, elapsedMs: number) => void;
};

export function createResponder(deps: Deps): Responder {
  const { isClosing, publicUrl, writeBatch, telemetry, onLarge } = deps;
  const report = createReport(deps);

  const end = (context: RequestContext, status: number, parts: readonly (Buffer | string)[]) => {
    const { reply } = context;
    let bytes = 0;
    for (const part of parts) bytes += Buffer.byteLength(part);
    if (!bodiless.has(status)) context.setHeader('content-length', String(bytes));
    reply.writeHead(status, context.rawHeaders() as string[]);
    const write = () => {
      writeParts(reply, parts, bytes);
      if (bytes > largeBytes) onLarge(context);
    };
    const batch = writeBatch();
    if (batch === undefined) write();
    else batch.flushAtEndOfTick(write);
    report(context);
  };

  const pipe = (context: RequestContext, status: number, body: Readable) => {
    const { reply } = context;
    reply.writeHead(status, context.rawHeaders() as string[]);
    reply.once('close', () => report(context));
    // A reply that breaks off must not look whole: `pipeline` destroys what is left of both.
    if (context.method !== 'HEAD') {
      pipeline(body, reply, () => undefined);
      return;
    }
    // Nobody reads it, and it may have no end.
    body.destroy();
    reply.end();
  };

  return {
    respond(context, { status, body, contentType, headers, timings }) {
      if (context.reply.destroyed) {
        if (body instanceof Readable) body.destroy();
        report(context);
        return;
      }
      setCommonHeaders(context, isClosing(), timings);
      context.setHeader('content-type', contentType ?? jsonType);
      setHeaders(context, headers);
      if (body instanceof Readable) pipe(context, status, body);
      else end(context, status, partsOf(body));
    },

    sendError(error, context) {
      const problem = toProblem(error);
      const { id, request, reply } = context;
      context.isCallersFault = problem.isCallersFault;
      const { status, headers, body } =
        refusalOf(problem, context) ?? errorResponse(problem, id, doorOf(context, publicUrl()));
      if (status >= 500 && problem.cause !== undefined) logFailure(telemetry, problem, context);
      if (reply.headersSent || reply.destroyed) {
        reply.destroy();
        report(context);
        return;
      }
      // The rest of a refused body is not worth reading, and must not be taken for a next request.
      if (!request.complete && !(problem instanceof EarlyRefusal && isSmall(context)))
        context.setHeader('connection', 'close');
      setCommonHeaders(context, isClosing());
      context.setHeader('content-type', jsonType);
      setHeaders(context, headers);
      end(context, status, [body]);
    },

    writeHead(context, status, headers) {
      setCommonHeaders(context, isClosing());
      context.reply.on('close', () => report(context));
      context.reply.writeHead(status, [...headers, ...context.rawHeaders()] as string[]);
    },

    abandon: report,
  };
}

/** In the words of the protocol that the route speaks; a fault of ours is none of its words. */
function refusalOf(problem: Problem, { route }: RequestContext): ErrorResponse | undefined {
  if (route === undefined || isPassthrough(route) || problem.kind === 'internal') return undefined;
  return route.refusal?.(problem);
}

/** The URL of a door of MCP, as it was called. */
function doorOf({ route, request, target }: RequestContext, publicUrl: string): string | undefined {
  if (route?.challenge !== true) return undefined;
  return `${urlAsAsked(publicUrl, request.headers.host)}${pathOf(target)}`;
}

/** Counts a finished request, and writes a line where it was slow or every line is wanted. */
function createReport({ telemetry, onFinished }: Deps): (context: RequestContext) => void {
  const { log } = telemetry;
  const seconds = telemetry.histogram('http_request_seconds', 'Time to answer, by route and status', [
    'method',
    'route',
    'status',
  ]);
  return (context) => {
    const { method, reply, route } = context;
    const elapsedMs = context.elapsedMs();
    const status = reply.statusCode;
    seconds.observe({ method, route: route?.url ?? 'unknown', status }, elapsedMs / 1000);
    onFinished(context, status, elapsedMs);
    if (elapsedMs <= slowMs && !telemetry.verbose) return;
    // A stream is as long as there is something to tell.
    const streams = context.header('content-type')?.startsWith('text/event-stream') === true;
    const isSlow = elapsedMs > slowMs && !streams;
    const fields = {
      request_id: context.id,
      method,
      path: pathToTell(context),
      status,
      ms: Math.round(elapsedMs * 100) / 100,
    };
    if (isSlow) log.warn('http.request.slow', fields);
    else log.debug('http.request.answered', fields);
  };
}

/** A fault of ours is an error; an outside one is news; "not ready yet" is neither. */
function logFailure({ log }: Telemetry, problem: Problem, context: RequestContext): void {
  const { id, method } = context;
  const write = problem.kind === 'internal' ? log.error : log.warn;
  write('http.request.failed', {
    request_id: id,
    method,
    path: pathToTell(context),
    detail: problem.detail,
    error: problem.cause,
  });
}

/** Where no key is needed, what stands in the path may be one: a link to a consent, the name of a sign-in (threats M1). */
function pathToTell({ route, target }: RequestContext): string {
  return route?.scope === null && !isPassthrough(route) && route.params !== undefined
    ? route.url
    : pathOf(target);
}

/** The fields that every reply of ours has. */
function setCommonHeaders(context: RequestContext, isLast: boolean, timings: Reply['timings'] = []): void {
  if (isLast) context.setHeader('connection', 'close');
  let timing = `total;dur=${context.elapsedMs().toFixed(2)}`;
  for (const [name, ms] of timings) timing += `, ${name};dur=${ms.toFixed(2)}`;
  context.setHeader('x-request-id', context.id);
  context.setHeader('server-timing', timing);
  if (context.route?.crossOrigin)
    for (const [name, value] of crossOriginHeaders) context.setHeader(name, value);
}

function setHeaders(context: RequestContext, headers: Reply['headers']): void {
  for (const name in headers) context.setHeader(name.toLowerCase(), headers[name] ?? '');
}

function isSmall({ request: { headers } }: RequestContext): boolean {
  const sized = headers['transfer-encoding'] === undefined;
  return sized && Number(headers['content-length'] ?? 0) <= drainBytes;
}

/**
 * A small reply goes out as one text, which Node writes together with the head in one system call; of a large one the parts
 * go to the socket as they are: joining them would copy tens of kilobytes for every reply.
 */
function writeParts(reply: ServerResponse, parts: readonly (Buffer | string)[], bytes: number): void {
  const [first] = parts;
  if (bytes <= joinedBytes && Buffer.isBuffer(first) && parts.length === 1) {
    // As text of one byte a character it is the same bytes.
    reply.end(first.toString('latin1'), 'latin1');
    return;
  }
  if (parts.length > 1 && bytes <= joinedBytes) {
    reply.end(parts.join(''));
    return;
  }
  if (parts.length > 1) reply.cork();
  for (let i = 0; i + 1 < parts.length; i++) reply.write(parts[i]);
  reply.end(parts.at(-1));
}

function partsOf(body: Exclude<Reply['body'], Readable>): readonly (Buffer | string)[] {
  if (body === null) return [''];
  if (typeof body === 'string' || Buffer.isBuffer(body)) return [body];
  return Array.isArray(body) ? (body as readonly (Buffer | string)[]) : [JSON.stringify(body)];
}
