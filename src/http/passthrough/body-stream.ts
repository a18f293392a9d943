import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { Problem } from '../../base/problem.ts';
import type { RequestBody } from '../../proxy/proxy.ts';

/** A caller that sends nothing for so long is cut off (threats C4). */
const idleMs = 60_000;

/**
 * The body of a request as a value of its own: ending or breaking the stream does not touch the connection, on which
 * the reply is still to go out. Null: there is no body. `100 Continue` is said when somebody wants it, not before:
 * whoever is refused need not send it (RFC 9110 section 10.1.1, threats D3).
 */
export function incomingBody(request: IncomingMessage, reply: ServerResponse): RequestBody | null {
  const announced = request.headers['content-length'];
  const chunked = request.headers['transfer-encoding'] !== undefined;
  if (!chunked && (announced === undefined || Number(announced) === 0)) return null;
  const sizeBytes = chunked ? null : Number(announced);
  const expectsContinue = request.headers.expect?.toLowerCase() === '100-continue';

  const stream = (limitBytes: number): Readable => {
    if (sizeBytes !== null && sizeBytes > limitBytes) throw tooLarge(limitBytes);
    if (expectsContinue) reply.writeContinue();
    return detached(request, limitBytes);
  };
  return {
    sizeBytes,
    stream,
    async read(limitBytes) {
      const chunks: Buffer[] = [];
      for await (const chunk of stream(limitBytes)) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks);
    },
  };
}

function detached(request: IncomingMessage, limitBytes: number): Readable {
  let readBytes = 0;
  const take = (chunk: Buffer) => {
    readBytes += chunk.length;
    idle.refresh();
    if (readBytes > limitBytes) body.destroy(tooLarge(limitBytes));
    else if (!body.push(chunk)) request.pause();
  };
  const finish = () => body.push(null);
  const gone = () => {
    if (!request.complete) body.destroy(new Problem('request_timeout', 'The caller went away'));
  };
  const body = new Readable({
    highWaterMark: 65_536,
    read: () => void request.resume(),
    destroy(error, done) {
      clearTimeout(idle);
      request.off('data', take).off('end', finish).off('close', gone).pause();
      done(error);
    },
  });
  const idle = setTimeout(
    () => body.destroy(new Problem('request_timeout', 'The request took too long to arrive')),
    idleMs,
  ).unref();
  // Whoever lets go of the body does not have to listen to how it ends.
  body.on('error', () => undefined);
  request.on('data', take).on('end', finish).on('close', gone);
  return body;
}

function tooLarge(limitBytes: number): Problem {
  return new Problem('too_large', `body: larger than ${limitBytes} bytes`);
}
