import type { OutboundCall, OutboundReply, ReplyHeaders } from '../../outbound/outbound.ts';
import { type Channel, UpstreamFailure } from '../mcp-model.ts';
import { shakeHands } from '../messages/handshake.ts';
import { notMcp } from '../messages/rpc-message.ts';
import { Duplex } from './duplex.ts';
import type { Endpoint } from './post.ts';
import { fromOutbound, isEventStream, sameOriginRedirect, toFailure, unauthorized } from './reply-checks.ts';
import { createSseEvents } from './sse-events.ts';

/** How the GET was answered when it is no such server. */
export type Refusal = { readonly status: number; readonly headers: ReplyHeaders };

/**
 * HTTP+SSE of 2024-11-05: a GET opens the stream, whose first event names the URL to POST to; answers come on the
 * stream. The named URL must be of the same origin: anything else would carry our credential elsewhere.
 */
export async function openHttpSse(endpoint: Endpoint, onEnd: () => void): Promise<Channel | Refusal> {
  const opened = await openAt(endpoint, onEnd);
  if ('send' in opened) return opened;
  const target = sameOriginRedirect(opened.status, opened.headers, { url: endpoint.url, method: 'GET' });
  if (target === null) return opened;
  endpoint.url = target;
  return openAt(endpoint, onEnd);
}

async function openAt(endpoint: Endpoint, onEnd: () => void): Promise<Channel | Refusal> {
  const { limits, url } = endpoint;
  const named = Promise.withResolvers<string | Refusal>();
  const place = { url: '' };
  const duplex = new Duplex(
    (message) => postMessage(endpoint, place, message),
    limits,
    () => stream.cancel(),
  );
  const stream = readStream(endpoint, duplex, named, onEnd);
  // A stream that is no such stream, and says nothing, is not worth more than one answer's time.
  const timer = setTimeout(
    () => named.reject(new UpstreamFailure('timeout', 'The server named no endpoint in time')),
    limits.firstByteMs,
  );
  try {
    const found = await named.promise;
    if (typeof found !== 'string') {
      stream.cancel();
      return found;
    }
    place.url = sameOrigin(found, url);
    const { totalMs } = limits;
    await duplex.useSession(await shakeHands((request) => duplex.ask(request, { totalMs, isModern: false })));
    return duplex;
  } catch (error) {
    stream.cancel();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function postMessage(endpoint: Endpoint, place: { url: string }, body: Buffer): Promise<void> {
  const { credential } = endpoint;
  let reply = await postTo(endpoint, place.url, body);
  const target = sameOriginRedirect(reply.status, reply.headers, place);
  if (target !== null) {
    place.url = target;
    reply = await postTo(endpoint, target, body);
  }
  credential.onResponse(reply.status, reply.headers);
  if (reply.status === 401 || reply.status === 403) throw unauthorized(reply.status, reply.headers);
  if (reply.status >= 300)
    throw new UpstreamFailure('refused', `The server answered ${reply.status} to a message`);
}

async function postTo(
  { outbound, credential, limits }: Endpoint,
  url: string,
  body: Buffer,
): Promise<OutboundReply> {
  return outbound
    .request({
      method: 'POST',
      url,
      carriesTrace: true,
      headers: { 'content-type': 'application/json', ...credential.fields('POST', url) },
      body,
      firstByteMs: limits.firstByteMs,
      timeoutMs: limits.totalMs,
      maxBytes: limits.maxBytes,
    })
    .catch((error: unknown) => {
      throw toFailure(error);
    });
}

function readStream(
  { outbound, url, credential, limits }: Endpoint,
  duplex: Duplex,
  named: Pick<PromiseWithResolvers<string | Refusal>, 'resolve' | 'reject'>,
  onEnd: () => void,
): OutboundCall {
  let sinceMessageBytes = 0;
  const events = createSseEvents(
    { pause: () => call.pause(), resume: () => call.resume() },
    (message) => {
      sinceMessageBytes = 0;
      duplex.take(message);
    },
    (event, data) => {
      if (event === 'endpoint') named.resolve(data.trim());
    },
  );
  const call = outbound.stream(
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
        if (status !== 200 || !isEventStream(headers)) named.resolve({ status, headers });
      },
      data(chunk) {
        sinceMessageBytes += chunk.length;
        if (sinceMessageBytes > limits.maxBytes)
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
            : fromOutbound(failure);
        duplex.fail(why);
        named.reject(why);
        onEnd();
      },
    },
  );
  return call;
}

function sameOrigin(endpoint: string, url: string): string {
  const target = URL.parse(endpoint, url);
  if (target === null || target.origin !== new URL(url).origin)
    throw notMcp('its endpoint event names another origin');
  return target.href;
}
