import type { FreshToken, ProviderApi } from '../connections/connections.ts';
import { type ByteSource, type OpenReply, OutboundFailure } from '../outbound/outbound.ts';
import type { OutcomeCodec } from '../storage/storage.ts';
import { returnedHeaders } from './policy/headers.ts';
import { type Destination, proxiedPath } from './policy/target.ts';
import { redactBody, redactText } from './redact-token.ts';

/** A reply whose body is still to come. */
export type StreamedReply = {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: ByteSource;
};

/** One that is whole. */
export type WholeReply = Omit<StreamedReply, 'body'> & { readonly body: Buffer };

/** Answers that say that nothing was done yet. */
const notExecuted = new Set([401, 403, 408, 425, 429, 503]);

/** What comes of a call with an Idempotency-Key, as it rests in the store. */
export const replyCodec: OutcomeCodec<WholeReply> = {
  name: 'proxy',
  isOutcome: ({ status }) => !notExecuted.has(status),
  encode: ({ status, headers, body }) => JSON.stringify([status, headers, body.toString('base64')]),
  decode(text) {
    const [status, headers, body] = JSON.parse(text) as [number, string[], string];
    return { status, headers, body: Buffer.from(body, 'base64') };
  },
  encodeError: (error) =>
    error instanceof OutboundFailure && error.reason !== 'refused'
      ? JSON.stringify([error.reason, error.detail])
      : null,
  decodeError(text) {
    const [reason, detail] = JSON.parse(text) as [OutboundFailure['reason'], string];
    return new OutboundFailure(reason, detail);
  },
};

const keptReplyBytes = 8_000_000;

/** The provider's reply as the caller may see it; `release` is called when it is over. */
export function toProxyReply(
  reply: OpenReply,
  context: {
    readonly token: FreshToken;
    readonly api: ProviderApi;
    readonly destination: Destination;
    readonly publicUrl: string;
    readonly release: () => void;
  },
): StreamedReply {
  const { status } = reply;
  const { accessToken } = context.token;
  let headers = returnedHeaders(reply.headers);
  let body = reply.body;
  if (reply.headers.location !== undefined || reply.headers['content-location'] !== undefined)
    headers = withOwnLocations(headers, context);
  // An error may quote the credential that it was sent (C5).
  if (status >= 400) {
    headers = headers.map((each) => redactText(each, accessToken));
    body = redactBody(body, accessToken);
  }
  return { status, headers, body: releasing(body, context.release) };
}

/** What leads to the provider leads back through us; what leads elsewhere is not shown (C2). */
function withOwnLocations(
  headers: readonly string[],
  {
    api,
    destination: { origin, target },
    publicUrl,
  }: { readonly api: ProviderApi; readonly destination: Destination; readonly publicUrl: string },
): string[] {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? '';
    const value = headers[i + 1] ?? '';
    if (name !== 'location' && name !== 'content-location') {
      kept.push(name, value);
      continue;
    }
    const url = URL.parse(value, origin + target);
    const path = url === null ? null : proxiedPath(api, url);
    if (path !== null) kept.push(name, publicUrl + path);
  }
  return kept;
}

function releasing(source: ByteSource, release: () => void): ByteSource {
  return {
    ...source,
    flow: (sink) =>
      source.flow({
        data: sink.data,
        end(failure) {
          release();
          sink.end(failure);
        },
      }),
    cancel() {
      release();
      source.cancel();
    },
  };
}

/** Reads a reply to its end, up to what is kept for a repetition. */
export function readWhole({ status, headers, body }: StreamedReply): Promise<WholeReply> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    const finish = (failure: Error | null) =>
      failure === null ? resolve({ status, headers, body: Buffer.concat(chunks) }) : reject(failure);
    body.flow({
      data(chunk) {
        chunks.push(chunk);
        sizeBytes += chunk.length;
        if (sizeBytes > keptReplyBytes) {
          const detail = `The reply is larger than the ${keptReplyBytes} bytes kept for an Idempotency-Key`;
          reject(new OutboundFailure('too_large', detail));
          body.cancel();
        }
        return true;
      },
      end: finish,
    });
  });
}
