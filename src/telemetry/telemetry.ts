/**
 * What the process tells its operator: structured log lines (JSON, one a line), Prometheus metrics, and traces where they are
 * asked for.
 *
 * Promises: no key, token or password reaches a line or a label (fields are redacted by name, and whatever
 * still looks like a secret by value); writing never waits for who reads the log, and never throws: lines beyond what may
 * wait are dropped, counted, and told of when the reader is back.
 */
import pino from 'pino';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { Problem } from '../base/problem.ts';
import { noTracing, type Tracing } from '../base/tracing.ts';
import { standardErrorSink } from './log-sink.ts';
import { redactText } from './redact.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';
export type LogFields = Readonly<Record<string, unknown>>;
export type Log = Readonly<Record<Exclude<LogLevel, 'silent'>, (event: string, fields?: LogFields) => void>>;

export type Telemetry = {
  readonly log: Log;
  /** Off unless the operator names a collector; a line of the log carries the ids of what is under way. */
  readonly tracing: Tracing;
  /** Whether lines of `debug` are written: what nobody reads need not be put together. */
  readonly verbose: boolean;
  counter<L extends string>(name: string, help: string, labels?: readonly L[]): Counter<L>;
  gauge(name: string, help: string, read: () => number): void;
  /** A histogram of seconds. */
  histogram<L extends string>(name: string, help: string, labels: readonly L[]): Histogram<L>;
  /** The text of /metrics. */
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
  flush(): void;
};

/** Upper bounds in seconds: from half a millisecond (a cached search) to ten seconds (a slow upstream). */
const secondsBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const secretFields = ['key', 'token', 'authorization', 'password', 'secret', 'cookie'];

export function createTelemetry(options: {
  level: LogLevel;
  write?: (line: string) => void;
  tracing?: Tracing;
}): Telemetry {
  const { tracing = noTracing } = options;
  const sink =
    options.write === undefined
      ? standardErrorSink((lines) => logger.warn({ lines }, 'telemetry.log.dropped'))
      : undefined;
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secretFields.flatMap((name) => [name, `*.${name}`]), censor: '[secret]' },
      hooks: { streamWrite: redactText },
      ...(tracing.isOn && { mixin: () => tracing.ids() ?? {} }),
    },
    { write: options.write ?? ((line: string) => sink?.write(line)) },
  );
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const gauge: Telemetry['gauge'] = (name, help, read) => {
    new Gauge({
      name: `mcprank_${name}`,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  };
  gauge('log_lines_dropped', 'Log lines that nobody read in time, since the start', () => sink?.dropped ?? 0);

  return {
    tracing,
    verbose: logger.isLevelEnabled('debug'),
    log: {
      debug: (event, fields) => logger.debug(describe(fields, false), event),
      info: (event, fields) => logger.info(describe(fields, false), event),
      warn: (event, fields) => logger.warn(describe(fields, false), event),
      error: (event, fields) => logger.error(describe(fields, true), event),
    },
    counter: <L extends string>(name: string, help: string, labels: readonly L[] = []) =>
      new Counter<L>({ name: `mcprank_${name}`, help, labelNames: [...labels], registers: [registry] }),
    gauge,
    histogram: <L extends string>(name: string, help: string, labels: readonly L[]) =>
      new Histogram<L>({
        name: `mcprank_${name}`,
        help,
        labelNames: [...labels],
        buckets: secondsBuckets,
        registers: [registry],
      }),
    metrics: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
    flush: () => sink?.flush(),
  };
}

/** `isOurs`: the line is about a fault of ours, so it says where in the code it came from. What the outside does is told in words. */
function describe(fields: LogFields = {}, isOurs: boolean): LogFields {
  return fields.error === undefined ? fields : { ...fields, error: describeError(fields.error, isOurs) };
}

/** A library's error may carry whole requests in its fields (axios, gaxios do): only these are told (threats M3). */
function describeError(error: unknown, isOurs: boolean): unknown {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as { code?: unknown };
  const withStack = (isOurs && !isForeseen(error)) || isMistake(error);
  const cause = error.cause === undefined ? undefined : describeError(error.cause, withStack);
  return { name: error.name, message: error.message, code, ...(withStack && { stack: error.stack }), cause };
}

/** Its words say all there is to know, and so do those of what caused it. */
function isForeseen(error: Error): boolean {
  return error instanceof Problem && error.kind !== 'internal';
}

/** Of a programmer, wherever it is told. */
function isMistake(error: Error): boolean {
  return error instanceof TypeError || error instanceof ReferenceError;
}

/** For the service's own process; the packages are loaded only where there is somebody to tell. */
export async function createTracing(options: {
  readonly endpoint: string | null;
  readonly serviceName: string;
  readonly version: string;
  /** Of each telling; a stop waits so long at most. */
  readonly timeoutMs?: number;
  readonly onError: (error: unknown) => void;
}): Promise<Tracing> {
  const { endpoint, timeoutMs = 5_000, ...others } = options;
  if (endpoint === null) return noTracing;
  const { startOtlp } = await import('./otlp.ts');
  return startOtlp({ endpoint, timeoutMs, ...others });
}
