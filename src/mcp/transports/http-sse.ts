import type { Outbound, ReplyHeaders } from '../../outbound/outbound.ts';
import { type Channel, type Credential, type Limits, UpstreamFailure } from '../mcp-model.ts';
import { notMcp } from '../messages/rpc-message.ts';
import { createDuplex } from './duplex.ts';
import { asFailure, createEvents, inOurWords, isStream, unauthorised } from './streamable-http.ts';

/** How the GET was answered when it is no such server. */
export type Refusal = { readonly status: number; readonly headers: ReplyHeaders };

/**
 * HTTP+SSE of 2024-11-05: a GET opens the stream, whose first event names the URL to POST to; answers come on the
 * stream. The named URL must be of the same origin: anything else would carry our credential elsewhere.
 */
export async function openLegacySse(deps: {
  readonly outbound: Outbound;
  readonly url: string;
  readonly credential: Credential;
  readonly limits: Limits;
  readonly onEnd: () => void;
}): Promise<Channel | Refusal> {
  const { outbound, url, credential, limits, onEnd } = deps;
  const endpoint = Promise.withResolvers<string | Refusal>();
  let postUrl = '';
  let sinceMessage = 0;

  const write = async (text: string) => {
    const reply = await outbound
      .request({
        method: 'POST',
        url: postUrl,
        headers: { 'content-type': 'application/json', ...credential.fields('POST', postUrl) },
        body: text,
        firstByteMs: limits.firstByteMs,
        timeoutMs: limits.totalMs,
        maxBytes: limits.maxBytes,
      })
      .catch((error: unknown) => {
        throw asFailure(error);
      });
    credential.heard(reply.status, reply.headers);
    if (reply.status === 401 || reply.status === 403) throw unauthorised(reply.status, reply.headers);
    if (reply.status >= 300)
      throw new UpstreamFailure('refused', `The server answered ${reply.status} to a message`);
  };
  const duplex = createDuplex(write, limits, () => stream.cancel());
  const events = createEvents(
    (message) => {
      sinceMessage = 0;
      duplex.hear(message);
    },
    (event, data) => {
      if (event === 'endpoint') endpoint.resolve(data.trim());
    },
  );
  const stream = outbound.stream(
    {
      method: 'GET',
      url,
      headers: { accept: 'text/event-stream', ...credential.fields('GET', url) },
      firstByteMs: limits.firstByteMs,
      idleMs: 0,
      timeoutMs: 0,
      maxBytes: Number.MAX_SAFE_INTEGER,
    },
    {
      head(status, headers) {
        if (status !== 200 || !isStream(headers)) endpoint.resolve({ status, headers });
      },
      data(chunk) {
        sinceMessage += chunk.length;
        if (sinceMessage > limits.maxBytes)
          throw new UpstreamFailure(
            'too_large',
            `The server's message is larger than ${limits.maxBytes} bytes`,
          );
        events.feed(chunk);
        return false;
      },
      end(failure) {
        const why =
          failure === null
            ? new UpstreamFailure('broken', 'The server closed its stream')
            : inOurWords(failure);
        duplex.fail(why);
        endpoint.reject(why);
        onEnd();
      },
    },
  );
  // A stream that is no such stream, and says nothing, is not worth more than one answer's time.
  const timer = setTimeout(
    () => endpoint.reject(new UpstreamFailure('timeout', 'The server named no endpoint in time')),
    limits.firstByteMs,
  );
  try {
    const named = await endpoint.promise;
    if (typeof named !== 'string') {
      stream.cancel();
      return named;
    }
    postUrl = sameOrigin(named, url);
    await duplex.open({ mayBeModern: false });
    return duplex;
  } catch (error) {
    stream.cancel();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function sameOrigin(endpoint: string, url: string): string {
  const target = URL.parse(endpoint, url);
  if (target === null || target.origin !== new URL(url).origin)
    throw notMcp('its endpoint event names another origin');
  return target.href;
}
