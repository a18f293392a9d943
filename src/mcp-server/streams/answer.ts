import type { Readable } from 'node:stream';
import type { JsonView } from '../../base/json-scanner.ts';
import type { JsonParts } from '../../base/json-splice.ts';
import { type RpcError, rpcError } from '../../mcp/mcp.ts';
import { EventStream, heartbeatMs, streamHeaders, streamType } from './event-stream.ts';

/** What goes back to the client's HTTP request. */
export type McpHttpReply = {
  readonly status: number;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: Buffer | JsonParts | Readable | null;
};

export type Answer = { readonly status: number; readonly message: JsonParts };
/** Sends a message to the client before the answer. */
export type Emit = (message: JsonParts) => void;

export function resultMessage(id: JsonView, result: JsonParts): JsonParts {
  return ['{"jsonrpc":"2.0","id":', id.span(), ',"result":', ...result, '}'];
}

export function errorMessage(id: JsonView | undefined, { text }: RpcError): JsonParts {
  return ['{"jsonrpc":"2.0","id":', id?.span() ?? 'null', ',"error":', ...text, '}'];
}

export function errorReply(status: number, id: JsonView | undefined, error: RpcError): McpHttpReply {
  return { status, body: errorMessage(id, error) };
}

export const accepted: McpHttpReply = { status: 202, body: null };

/**
 * Answers as JSON where nothing is told before the answer and the client takes it, else as an event stream that begins with
 * the first thing told (2025-11-25 and 2026-07-28, "Sending messages to the server"), or with a long silence: proxies cut what
 * says nothing for a minute.
 */
export function answerWith(
  accept: string,
  id: JsonView,
  run: (emit: Emit) => Promise<Answer>,
): Promise<McpHttpReply> {
  const takesStream = accept === '' || /text\/event-stream|\*\/\*/.test(accept);
  const takesJson = accept === '' || /application\/(json|\*)|\*\/\*/.test(accept);
  const { promise, resolve, reject } = Promise.withResolvers<McpHttpReply>();
  let stream: EventStream | undefined;
  const begin = () => {
    clearTimeout(silence);
    stream = new EventStream();
    resolve({ status: 200, contentType: streamType, headers: streamHeaders, body: stream.body });
    return stream;
  };
  const silence = takesStream ? setTimeout(() => begin().open(), heartbeatMs).unref() : undefined;
  const finish = ({ status, message }: Answer) => {
    clearTimeout(silence);
    if (stream === undefined && (takesJson || !takesStream)) return resolve({ status, body: message });
    const open = stream ?? begin();
    open.send(message);
    open.end();
  };
  const emit: Emit = (message) => {
    // Who takes no stream hears only the answer.
    if (takesStream) (stream ?? begin()).send(message);
  };
  run(emit).then(finish, (error: unknown) => {
    if (stream === undefined) {
      clearTimeout(silence);
      return reject(error);
    }
    finish({ status: 200, message: errorMessage(id, rpcError(-32603, 'Internal error')) });
  });
  return promise;
}
