import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { nodeHttp } from './node-http.ts';

/** A request as plain values; names of header fields in lower case. */
export type ListenerRequest = {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
  /** Handed to the listener as a property of its request, for what it has to tell beside the reply. */
  readonly notes: object;
};
export type ListenerReply = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Buffer;
};
/** What a library for Node's own server takes requests with. */
export type NodeListener = (request: IncomingMessage & { notes?: object }, reply: ServerResponse) => unknown;

/** A reply that is kept instead of sent. */
class KeptReply extends nodeHttp.ServerResponse {
  readonly #chunks: Buffer[] = [];
  readonly #done: (body: Buffer) => void;

  constructor(request: IncomingMessage, done: (body: Buffer) => void) {
    super(request);
    this.#done = done;
  }

  override write(chunk: string | Buffer): boolean {
    this.#chunks.push(Buffer.from(chunk as string));
    return true;
  }

  override end(chunk?: unknown): this {
    if (typeof chunk === 'string' || Buffer.isBuffer(chunk)) this.write(chunk);
    this.#done(Buffer.concat(this.#chunks));
    return this;
  }
}

/**
 * Asks a library that was made for Node's own server, without letting it at our socket: its reply comes back as plain values and
 * goes out as any other of ours, with the same checks before it and the same headers and counters behind it.
 */
export async function runListener(listener: NodeListener, asked: ListenerRequest): Promise<ListenerReply> {
  const { method, target, headers, body = Buffer.alloc(0), notes } = asked;
  const request: IncomingMessage & { notes?: object } = new nodeHttp.IncomingMessage(new Socket());
  request.method = method;
  request.url = target;
  request.headers = { ...headers, ...(body.length > 0 && { 'content-length': String(body.length) }) };
  request.notes = notes;
  if (body.length > 0) request.push(body);
  request.push(null);
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const reply = new KeptReply(request, resolve);
  Promise.resolve(listener(request, reply)).catch(reject);
  const kept = await promise;
  return { status: reply.statusCode, headers: plainHeaders(reply), body: kept };
}

function plainHeaders(reply: ServerResponse): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(reply.getHeaders()).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? value : String(value)]],
    ),
  );
}
