import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ByteSource } from '../../outbound/outbound.ts';
import type { RequestContext } from '../request-context.ts';
import type { Responder } from '../respond.ts';
import type { PassthroughReply, PassthroughRoute } from '../route.ts';
import { incomingBody } from './body-stream.ts';

/** A reader that takes nothing for so long is cut off (threats C4). */
const stalledMs = 60_000;

/** Says whether a reply is the upstream's or ours (threats C1). */
export const originHeader = 'x-proxy-origin';

/** Handles and answers a request whose bodies pass through as they come, neither decoded nor parsed. */
export async function passThrough(
  route: PassthroughRoute,
  context: RequestContext,
  responder: Responder,
): Promise<void> {
  const { request, reply } = context;
  const answer = await route.forward({
    caller: context.caller,
    user: context.user,
    method: context.method,
    target: context.target,
    rawHeaders: request.rawHeaders,
    body: incomingBody(request, reply),
    signal: context.signal,
  });
  send(answer, context, responder);
}

function send(
  { status, headers, body }: PassthroughReply,
  context: RequestContext,
  responder: Responder,
): void {
  const { request, reply } = context;
  const whole = body === null || Buffer.isBuffer(body);
  if (reply.destroyed) {
    if (!whole) body.cancel();
    responder.abandon(context);
    return;
  }
  context.setHeader(originHeader, 'upstream');
  // The rest of a body that nobody wanted must not be taken for a next request.
  if (!request.complete && !endsSoon(request)) context.setHeader('connection', 'close');
  responder.writeHead(context, status, headers);
  if (whole) reply.end(body ?? undefined);
  else pipe(body, reply);
}

/** Without a body, a request is complete as soon as its head is; Node says so a moment later. */
function endsSoon({ headers }: IncomingMessage): boolean {
  return headers['content-length'] === undefined && headers['transfer-encoding'] === undefined;
}

function pipe(source: ByteSource, reply: ServerResponse): void {
  let ended = false;
  let stalled: NodeJS.Timeout | undefined;
  source.flow({
    data(chunk) {
      if (reply.write(chunk)) return true;
      stalled ??= setTimeout(() => reply.destroy(), stalledMs).unref();
      return false;
    },
    end(failure) {
      ended = true;
      // A reply that breaks off must not look whole.
      if (failure === null) reply.end();
      else reply.destroy();
    },
  });
  if (ended && stalled === undefined) return;
  reply.on('drain', () => {
    clearTimeout(stalled);
    stalled = undefined;
    source.resume();
  });
  reply.on('close', () => {
    clearTimeout(stalled);
    if (!ended) source.cancel();
  });
}
