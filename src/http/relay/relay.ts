import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ByteSource } from '../../outbound/outbound.ts';
import type { Answers } from '../answer.ts';
import { Departure } from '../edge/departure.ts';
import type { Exchange } from '../exchange.ts';
import type { Gate } from '../gate.ts';
import type { Relayed, RelayRoute } from '../route.ts';
import { incomingBody } from './incoming.ts';

/** A reader that takes nothing for so long is cut off (threats C4). */
const stalledMs = 60_000;

/**
 * How a route whose bodies pass through unparsed takes a request. X-Proxy-Origin says whether a reply is the upstream's or
 * ours (threats C1).
 */
export function relaying(declared: RelayRoute, gate: Gate, answers: Answers): (exchange: Exchange) => void {
  return (exchange) => {
    exchange.set('x-proxy-origin', 'gateway');
    gate.enter(declared, exchange, (error) => {
      if (error === undefined) pass(declared, gate, answers, exchange);
      else answers.fail(error, exchange);
    });
  };
}

function pass(declared: RelayRoute, gate: Gate, answers: Answers, exchange: Exchange): void {
  const { line, request, reply } = exchange;
  const gone = new Departure(line, reply);
  const relayed = async () =>
    declared.relay({
      caller: gate.caller(exchange),
      user: gate.user(exchange),
      method: exchange.method,
      target: exchange.target,
      rawHeaders: request.rawHeaders,
      body: incomingBody(request, reply),
      onGone: (act) => gone.addEventListener('abort', act),
    });
  relayed()
    .then((answer) => send(answer, answers, exchange))
    .catch((error: unknown) => answers.fail(error, exchange));
}

function send({ status, headers, body }: Relayed, answers: Answers, exchange: Exchange): void {
  const { request, reply } = exchange;
  if (reply.destroyed) {
    if (body !== null && !Buffer.isBuffer(body)) body.cancel();
    return;
  }
  exchange.set('x-proxy-origin', 'upstream');
  // The rest of a body that nobody wanted must not be taken for a next request.
  if (!request.complete && !endsSoon(request)) exchange.set('connection', 'close');
  answers.begin(exchange, status, headers);
  if (body === null || Buffer.isBuffer(body)) reply.end(body ?? undefined);
  else pour(body, reply);
}

/** Without a body, a request is complete as soon as its head is; Node says so a moment later. */
function endsSoon({ headers }: IncomingMessage): boolean {
  return headers['content-length'] === undefined && headers['transfer-encoding'] === undefined;
}

function pour(source: ByteSource, raw: ServerResponse): void {
  let ended = false;
  let stalled: NodeJS.Timeout | undefined;
  source.flow({
    data(chunk) {
      if (raw.write(chunk)) return true;
      stalled ??= setTimeout(() => raw.destroy(), stalledMs).unref();
      return false;
    },
    end(failure) {
      ended = true;
      // A reply that breaks off must not look whole.
      if (failure === null) raw.end();
      else raw.destroy();
    },
  });
  if (ended && stalled === undefined) return;
  raw.on('drain', () => {
    clearTimeout(stalled);
    stalled = undefined;
    source.resume();
  });
  raw.once('close', () => {
    clearTimeout(stalled);
    if (!ended) source.cancel();
  });
}
