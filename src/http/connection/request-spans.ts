import { inSpan, type TraceFields, type Tracing } from '../../base/tracing.ts';
import type { LifecycleStep } from '../lifecycle.ts';
import type { RequestContext } from '../request-context.ts';

/**
 * Each request in a span (OpenTelemetry's conventions for HTTP servers, stable since 1.23) below the one that its `traceparent`
 * names, until its reply is through. Its path is not told: behind the OAuth proxy it is the user's, not ours.
 */
export function createRequestSpans(
  tracing: Tracing,
): (context: RequestContext, live: () => Promise<void>) => Promise<void> {
  return (context, live) => {
    if (!tracing.isOn) return live();
    const { method, request, reply } = context;
    const span = tracing.start(method, {
      kind: 'server',
      parent: request.headers as TraceFields,
      attributes: { 'http.request.method': method, 'url.scheme': 'http' },
      metric: 'http.server.request.duration',
    });
    reply.on('close', () => {
      const { route } = context;
      const status = reply.statusCode;
      if (route !== undefined) span.rename(`${method} ${route.url}`);
      span.set({ 'http.route': route?.url, 'http.response.status_code': status });
      if (status >= 500) span.fail(String(status));
      else if (!reply.writableFinished) span.fail('client_gone');
      span.end();
    });
    return tracing.run(span, live);
  };
}

/** A step of a request's life as a span of its own. */
export function inStepSpan(tracing: Tracing, name: string, step: LifecycleStep): LifecycleStep {
  return tracing.isOn ? (context) => inSpan(tracing, name, {}, () => step(context)) : step;
}
