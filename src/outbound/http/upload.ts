import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';

/** The body itself was at fault: it broke off, or had not the size that was announced. */
export class BodyFault extends Error {}

type Events = {
  /** A piece went out. */
  progressed(): void;
  done(): void;
  failed(fault: BodyFault): void;
};

/** Sends a body as fast as the server takes it, in chunks unless its size is known; how to stop. */
export function upload(body: Readable, socket: Socket, sizeBytes: number | null, events: Events): () => void {
  let sentBytes = 0;

  const take = (chunk: Buffer) => {
    if (chunk.length === 0) return;
    sentBytes += chunk.length;
    if (sizeBytes !== null && sentBytes > sizeBytes) return fail('the body is longer than was announced');
    events.progressed();
    if (!(sizeBytes === null ? sendChunk(socket, chunk) : socket.write(chunk))) body.pause();
  };
  const drained = () => {
    events.progressed();
    body.resume();
  };
  const finish = () => {
    if (sizeBytes !== null && sentBytes < sizeBytes) return fail('the body is shorter than was announced');
    stop();
    if (sizeBytes === null) socket.write('0\r\n\r\n', 'latin1');
    events.done();
  };
  const cutOff = () => fail('the body broke off');
  const fail = (why: string) => {
    stop();
    events.failed(new BodyFault(why));
  };
  const stop = () => {
    body.off('data', take).off('end', finish).off('close', cutOff).pause();
    socket.off('drain', drained);
  };
  if (body.destroyed) {
    cutOff();
    return stop;
  }
  socket.on('drain', drained);
  body.on('data', take).on('end', finish).on('close', cutOff);
  return stop;
}

/** RFC 9112 section 7.1. */
function sendChunk(socket: Socket, chunk: Buffer): boolean {
  socket.cork();
  socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
  socket.write(chunk);
  const isTaken = socket.write('\r\n', 'latin1');
  socket.uncork();
  return isTaken;
}
