/** Traces of what the process does, told to a collector where the operator names one (`OTEL_EXPORTER_OTLP_ENDPOINT`). */

/** What is said of a span. Never an argument, a token, a URL's path or query: collectors are read by more people than stores. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean | undefined>>;
/** `traceparent` and `tracestate` (W3C Trace Context), as they go with a message. */
export type TraceFields = Readonly<Record<string, string>>;

export type SpanOptions = {
  /** `server`: somebody asked us; `client`: we ask somebody. */
  readonly kind?: 'server' | 'client';
  readonly attributes?: SpanAttributes;
  /** What came with a message: the span belongs below the one that it names, if it names one. */
  readonly parent?: TraceFields;
  /** A histogram of seconds that its length goes into, with its attributes. */
  readonly metric?: string;
};

export type Span = {
  rename(name: string): void;
  set(attributes: SpanAttributes): void;
  /** `type`: of few values, as `error.type` has them. */
  fail(type: string): void;
  end(): void;
};

export type Tracing = {
  readonly isOn: boolean;
  /** Begins a span below the one that is under way. */
  start(name: string, options: SpanOptions): Span;
  /** Makes a span the one that is under way. */
  run<T>(span: Span, work: () => T): T;
  /** What is to go with a message of what is under way. */
  fields(): TraceFields;
  /** Of what is under way, for the log. */
  ids(): { readonly trace_id: string; readonly span_id: string } | undefined;
  /** Tells what has not been told yet. */
  close(): Promise<void>;
};

const noSpan: Span = {
  rename: () => undefined,
  set: () => undefined,
  fail: () => undefined,
  end: () => undefined,
};

/** Nobody is told. */
export const noTracing: Tracing = {
  isOn: false,
  start: () => noSpan,
  run: (_span, work) => work(),
  fields: () => ({}),
  ids: () => undefined,
  close: async () => undefined,
};

/** Does something in a span of its own, which ends with it, as failed where it throws. */
export function inSpan<T>(tracing: Tracing, name: string, options: SpanOptions, work: (span: Span) => T): T {
  if (!tracing.isOn) return work(noSpan);
  const span = tracing.start(name, options);
  const failed = (error: unknown): never => {
    span.fail(errorType(error));
    span.end();
    throw error;
  };
  try {
    const result = tracing.run(span, () => work(span));
    if (result instanceof Promise)
      return result.then((value) => {
        span.end();
        return value;
      }, failed) as T;
    span.end();
    return result;
  } catch (error) {
    return failed(error);
  }
}

/** Our errors say what kind they are, or why; of others the name. */
function errorType(error: unknown): string {
  const { kind, reason } = error as { kind?: unknown; reason?: unknown };
  for (const type of [kind, reason]) if (typeof type === 'string') return type;
  return error instanceof Error ? error.name : 'error';
}
