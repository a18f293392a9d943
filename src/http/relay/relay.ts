import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ByteSource } from '../../outbound/outbound.ts';
import type { Answers } from '../answer.ts';
import type { Gate } from '../gate.ts';
import type { Relayed, RelayRoute } from '../route.ts';
import { incomingBody } from './incoming.ts';

/** A reader that takes nothing for so long is cut off (threats C4). */
const stalledMs = 60_000;

/**
 * A route whose bodies pass through unparsed. It answers from the first hook, before the framework would read the body
 * or judge its type; X-Proxy-Origin says whether a reply is the upstream's or ours (threats C1).
 */
export function addRelayRoute(
  app: FastifyInstance,
  declared: RelayRoute,
  gate: Gate,
  answers: Answers,
): void {
  app.route({
    method: declared.method,
    url: declared.url,
    onRequest: (request, reply, _done) => {
      reply.header('x-proxy-origin', 'gateway');
      gate.enter(declared, request, reply, (error) => {
        if (error === undefined) pass(declared, gate, answers, request, reply);
        else answers.fail(error, request, reply);
      });
    },
    handler: () => undefined,
  });
}

function pass(
  declared: RelayRoute,
  gate: Gate,
  answers: Answers,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const { raw } = reply;
  const whenGone: (() => void)[] = [];
  raw.once('close', () => {
    if (!raw.writableFinished) for (const act of whenGone) act();
  });
  const relayed = async () =>
    declared.relay({
      caller: gate.caller(request),
      user: gate.user(request),
      method: request.method,
      target: request.raw.url ?? '',
      rawHeaders: request.raw.rawHeaders,
      body: incomingBody(request.raw, raw),
      onGone: (act) => void whenGone.push(act),
    });
  relayed()
    .then((answer) => send(answer, answers, request, reply))
    .catch((error: unknown) => {
      if (!raw.headersSent && !raw.destroyed) answers.fail(error, request, reply);
      else raw.destroy();
    });
}

function send(answer: Relayed, answers: Answers, request: FastifyRequest, reply: FastifyReply): void {
  const { raw } = reply;
  const { body } = answer;
  if (raw.destroyed) {
    if (body !== null && !Buffer.isBuffer(body)) body.cancel();
    return;
  }
  reply.header('x-proxy-origin', 'upstream');
  // The rest of a body that nobody wanted must not be taken for a next request.
  if (!request.raw.complete && !endsSoon(request)) reply.header('connection', 'close');
  reply.hijack();
  raw.writeHead(answer.status, headLines(answer.headers, answers.dressed(request, reply)));
  if (body === null || Buffer.isBuffer(body)) raw.end(body ?? undefined);
  else pour(body, raw);
}

/** Without a body, a request is complete as soon as its head is; Node says so a moment later. */
function endsSoon({ raw }: FastifyRequest): boolean {
  return raw.headers['content-length'] === undefined && raw.headers['transfer-encoding'] === undefined;
}

function headLines(
  headers: readonly string[],
  ours: Readonly<Record<string, number | string | string[] | undefined>>,
): string[] {
  const lines = [...headers];
  for (const name in ours) lines.push(name, String(ours[name]));
  return lines;
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
