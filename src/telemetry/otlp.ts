import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Attributes,
  type Context,
  defaultTextMapGetter,
  defaultTextMapSetter,
  type Histogram,
  type Span as OtelSpan,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { setGlobalErrorHandler, W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { Span, SpanAttributes, TraceFields, Tracing } from '../base/tracing.ts';

/**
 * OpenTelemetry's own packages behind `Tracing`: OTLP over HTTP, in batches, from bounded queues. What they read of the
 * environment is theirs to say: OTEL_EXPORTER_OTLP_HEADERS, OTEL_RESOURCE_ATTRIBUTES, OTEL_METRIC_EXPORT_INTERVAL …
 */

const kinds = { server: SpanKind.SERVER, client: SpanKind.CLIENT } as const;
/** What the conventions for MCP advise, in seconds. */
const boundaries = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];
/** Has a value of its own for each request: a span says it, a metric does not. */
const perRequest: ReadonlySet<string> = new Set(['jsonrpc.request.id', 'mcp.resource.uri']);

export function startOtlp(options: {
  readonly endpoint: string;
  readonly serviceName: string;
  readonly version: string;
  /** Of each telling, tries included: a stop waits so long at most. */
  readonly timeoutMs: number;
  readonly onError: (error: unknown) => void;
}): Tracing {
  const { endpoint, serviceName, version, timeoutMs, onError } = options;
  const said = atMostOften(onError);
  setGlobalErrorHandler(said);
  const resource = resourceFromAttributes({
    'service.name': serviceName,
    'service.version': version,
  }).merge(detectResources({ detectors: [envDetector] }));
  const to = (signal: string) => ({
    url: `${endpoint.replace(/\/+$/, '')}/v1/${signal}`,
    timeoutMillis: timeoutMs,
  });
  const spans = new BatchSpanProcessor({ exporter: new OTLPTraceExporter(to('traces')) });
  const tracers = new TracerProvider({ resource, spanProcessors: [spans] });
  const reader = new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter(to('metrics')),
  });
  const meters = new MeterProvider({ resource, readers: [reader] });
  const tracer = tracers.getTracer('mcprank', version);
  const meter = meters.getMeter('mcprank', version);
  const propagator = new W3CTraceContextPropagator();
  const underWay = new AsyncLocalStorage<Context>();
  const contexts = new WeakMap<Span, Context>();
  const histograms = new Map<string, Histogram>();

  const current = () => underWay.getStore() ?? ROOT_CONTEXT;
  const histogramOf = (name: string): Histogram => {
    const known = histograms.get(name);
    if (known !== undefined) return known;
    const made = meter.createHistogram(name, {
      unit: 's',
      advice: { explicitBucketBoundaries: boundaries },
    });
    histograms.set(name, made);
    return made;
  };
  const parentOf = (fields: TraceFields | undefined): Context => {
    if (fields === undefined) return current();
    const found = propagator.extract(current(), fields, defaultTextMapGetter);
    return trace.getSpan(found) === undefined ? current() : found;
  };

  return {
    isOn: true,
    start(name, { kind, attributes = {}, parent, metric }) {
      const above = parentOf(parent);
      const made = tracer.startSpan(
        name,
        { kind: kind === undefined ? SpanKind.INTERNAL : kinds[kind] },
        above,
      );
      const span = new TracedSpan(made, metric === undefined ? null : histogramOf(metric));
      span.set(attributes);
      contexts.set(span, trace.setSpan(above, made));
      return span;
    },
    run: (span, work) => underWay.run(contexts.get(span) ?? current(), work),
    fields() {
      const fields: Record<string, string> = {};
      propagator.inject(current(), fields, defaultTextMapSetter);
      return fields;
    },
    ids() {
      const context = trace.getSpanContext(current());
      return context && { trace_id: context.traceId, span_id: context.spanId };
    },
    async close() {
      const ended = await Promise.allSettled([tracers.shutdown(), meters.shutdown()]);
      for (const each of ended) if (each.status === 'rejected') said(each.reason);
    },
  };
}

/** A collector that is away fails every few seconds, and says the same each time. */
function atMostOften(onError: (error: unknown) => void): (error: unknown) => void {
  let quietUntil = 0;
  return (error) => {
    if (performance.now() < quietUntil) return;
    quietUntil = performance.now() + 60_000;
    onError(error);
  };
}

class TracedSpan implements Span {
  readonly #span: OtelSpan;
  readonly #histogram: Histogram | null;
  readonly #attributes: Attributes = {};
  readonly #began = performance.now();
  #hasEnded = false;

  constructor(span: OtelSpan, histogram: Histogram | null) {
    this.#span = span;
    this.#histogram = histogram;
  }

  rename(name: string): void {
    this.#span.updateName(name);
  }

  set(attributes: SpanAttributes): void {
    for (const [name, value] of Object.entries(attributes)) {
      if (value === undefined) continue;
      this.#span.setAttribute(name, value);
      if (!perRequest.has(name)) this.#attributes[name] = value;
    }
  }

  fail(type: string): void {
    this.set({ 'error.type': type });
    this.#span.setStatus({ code: SpanStatusCode.ERROR });
  }

  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#span.end();
    this.#histogram?.record((performance.now() - this.#began) / 1000, this.#attributes);
  }
}
