import type { Tracing } from '../base/tracing.ts';
import type { OutboundCall, OutboundRequest, Receiver } from './outbound-model.ts';

type Stream = (request: OutboundRequest, receiver: Receiver) => OutboundCall;

/**
 * What goes out as spans (OpenTelemetry's conventions for HTTP clients), until the reply is over. Of the URL the host and port
 * are told; path and query may hold what is the user's. The context goes along where the request says that it may.
 */
export function createTracedStream(tracing: Tracing, stream: Stream): Stream {
  if (!tracing.isOn) return stream;
  return (request, receiver) => {
    const url = URL.parse(request.url);
    const span = tracing.start(request.method, {
      kind: 'client',
      metric: 'http.client.request.duration',
      attributes: {
        'http.request.method': request.method,
        'server.address': url?.hostname,
        'server.port': url === null ? undefined : Number(url.port || (url.protocol === 'https:' ? 443 : 80)),
      },
    });
    const told: Receiver = {
      head(status, headers) {
        span.set({ 'http.response.status_code': status });
        if (status >= 400) span.fail(String(status));
        receiver.head(status, headers);
      },
      data: (chunk) => receiver.data(chunk),
      end(failure) {
        if (failure !== null) span.fail(failure.reason);
        span.end();
        receiver.end(failure);
      },
    };
    try {
      return tracing.run(span, () => stream(withContext(tracing, request), told));
    } catch (error) {
      // Nothing was sent.
      span.fail('refused');
      span.end();
      throw error;
    }
  };
}

function withContext(tracing: Tracing, request: OutboundRequest): OutboundRequest {
  const { headers = {}, carriesTrace } = request;
  if (carriesTrace !== true) return request;
  const fields = tracing.fields();
  return {
    ...request,
    headers: Array.isArray(headers)
      ? [...(headers as readonly string[]), ...Object.entries(fields).flat()]
      : { ...(headers as Readonly<Record<string, string>>), ...fields },
  };
}
