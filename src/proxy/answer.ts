import type { FreshToken, ProviderRoutes } from '../connections/connections.ts';
import { type ByteSource, type OpenReply, OutboundFailure } from '../outbound/outbound.ts';
import { returnedHeaders } from './headers.ts';
import { maskBody, maskText } from './mask.ts';
import { type Destination, proxiedPath } from './target.ts';

/** A reply whose body is still to come. */
export type Flowing = {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: ByteSource;
};

/** One that is whole. */
export type Outcome = Omit<Flowing, 'body'> & { readonly body: Buffer };

const keptReplyBytes = 8_000_000;

/** The provider's reply as the caller may see it; `leave` is called when it is over. */
export function answerOf(
  reply: OpenReply,
  token: FreshToken,
  routes: ProviderRoutes,
  destination: Destination,
  publicUrl: () => string,
  leave: () => void,
): Flowing {
  const { status } = reply;
  let headers = returnedHeaders(reply.headers);
  let body = reply.body;
  if (reply.headers.location !== undefined || reply.headers['content-location'] !== undefined)
    headers = withOwnLocations(headers, routes, destination, publicUrl());
  if (status >= 400) {
    headers = headers.map((each) => maskText(each, token.accessToken));
    body = maskBody(body, token.accessToken);
  }
  return { status, headers, body: leaving(body, leave) };
}

/** What leads to the provider leads back through us; what leads elsewhere is not shown (C2). */
function withOwnLocations(
  headers: readonly string[],
  routes: ProviderRoutes,
  { origin, target }: Destination,
  publicUrl: string,
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
    const path = url === null ? null : proxiedPath(routes, url);
    if (path !== null) kept.push(name, publicUrl + path);
  }
  return kept;
}

function leaving(source: ByteSource, leave: () => void): ByteSource {
  return {
    ...source,
    flow: (sink) =>
      source.flow({
        data: sink.data,
        end(failure) {
          leave();
          sink.end(failure);
        },
      }),
    cancel() {
      leave();
      source.cancel();
    },
  };
}

/** Reads a reply to its end, up to what is kept for a repetition. */
export function whole({ status, headers, body }: Flowing): Promise<Outcome> {
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
