import type { OutboundCall } from '../../outbound/outbound.ts';
import type { Endpoint, Post, Poster } from './post.ts';
import { sameOriginRedirect } from './reply-checks.ts';
import { ResponseReader } from './response-reader.ts';

/** POSTs of Streamable HTTP: answers as JSON or as an event stream, with the server's questions among the events. */
export function createPoster(endpoint: Endpoint): Poster {
  const headersFor = createHeaders(endpoint);
  return async (post) => {
    for (let again = false, redirected = false; ; ) {
      const reader = new ResponseReader(post, endpoint);
      reader.start(stream(endpoint, post, headersFor(post.headers), reader));
      const result = await reader.next();
      const { status, headers } = reader;
      const target = redirected ? null : sameOriginRedirect(status, headers, endpoint);
      if (target !== null) {
        endpoint.url = target;
        redirected = true;
        continue;
      }
      // Refused before anything ran: to send it again is safe for any call.
      if (again || !endpoint.credential.onResponse(status, headers)) return { status, headers, result };
      again = true;
    }
  };
}

function stream(
  { outbound, url, limits }: Endpoint,
  { body, respond, signal, firstByteMs = limits.firstByteMs }: Post,
  headers: Readonly<Record<string, string>>,
  reader: ResponseReader,
): OutboundCall {
  return outbound.stream(
    {
      method: 'POST',
      url,
      carriesTrace: true,
      headers,
      body,
      firstByteMs,
      // While the caller is asked, the stream is silent for as long as that takes; the whole is bounded all the same.
      idleMs: respond === undefined ? limits.idleMs : 0,
      timeoutMs: limits.totalMs,
      maxBytes: limits.maxBytes,
      signal,
    },
    reader,
  );
}

/** All requests of a session have the same fields: they are put together once, and frozen, so that what is made of them can be kept. */
function createHeaders(endpoint: Endpoint): (own: Post['headers']) => Readonly<Record<string, string>> {
  let last: { own: object; fields: object; headers: Readonly<Record<string, string>> } | undefined;
  return (own) => {
    const fields = endpoint.credential.fields('POST', endpoint.url);
    if (last?.own === own && last.fields === fields) return last.headers;
    const headers = Object.freeze({
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...own,
      ...fields,
    });
    last = { own, fields, headers };
    return headers;
  };
}
