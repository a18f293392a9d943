import { type ChildProcess, type StdioOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import autocannon from 'autocannon';

export function machine(): string {
  const [cpu] = cpus();
  return `${cpu?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB; Node ${process.version}; ${new Date().toISOString().slice(0, 10)}`;
}

export function printTable(header: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = header.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]?.length ?? 0)));
  for (const row of [header, ...rows])
    console.log(
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    );
}

/** The smallest of the values that `share` of them do not exceed. */
export function percentile(values: readonly number[], share: number): number {
  return [...values].sort((a, b) => a - b)[Math.ceil(values.length * share) - 1] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** What `npm start` and the image run Node with: a small young generation, which keeps a resting service small. */
export const startFlags: readonly string[] = ['--max-semi-space-size=8'];

export type Served = { readonly url: string; readonly child: ChildProcess; stop(): Promise<void> };

const pinned = spawnSync('taskset', ['-V']).status === 0 && cpus().length > 1;

/** Moves this process, which makes the load, off the core that servers are pinned to. */
export function leaveFirstCore(): void {
  if (pinned) spawnSync('taskset', ['-apc', '1', String(process.pid)]);
}

/** What to put before a command to keep it on one core, where the system can. */
export function onCore(core: number): readonly string[] {
  return pinned ? ['taskset', '-c', String(core)] : [];
}

/** None of them outlives a run that failed. */
const launched = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of launched) child.kill('SIGKILL');
});

/** A Node program on core 0 (unless it shall not). */
export function launch(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  { pin = true, stdio = ['ignore', 'pipe', 'inherit'] as StdioOptions } = {},
): ChildProcess {
  const [command = '', ...rest] = [...(pin ? onCore(0) : []), process.execPath, ...args];
  const child = spawn(command, rest, { env: { PATH: process.env.PATH ?? '', ...env }, stdio });
  launched.add(child);
  child.once('exit', () => launched.delete(child));
  return child;
}

/** The same as a server; ready when it printed its URL. */
export async function serve(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  { pin = true }: { readonly pin?: boolean } = {},
): Promise<Served> {
  const child = launch(args, env, { pin });
  let out = '';
  for await (const text of child.stdout?.setEncoding('utf8') ?? []) {
    out += text;
    const url = /listening on (http:\S+)/.exec(out)?.[1];
    if (url !== undefined) {
      return {
        url,
        child,
        async stop() {
          child.kill('SIGTERM');
          await once(child, 'exit');
        },
      };
    }
  }
  throw new Error(`the server did not start: ${out}`);
}

export type Load = {
  readonly url: string;
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  /** One body for all requests, or a new one for each. */
  readonly body?: string | (() => string);
  readonly connections?: number;
  readonly seconds: number;
};
export type Measured = {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly failed: number;
  /** Of each request, in milliseconds; the percentiles beside it are whole ones. */
  readonly latencies: readonly number[];
};

/** Load on a loopback address for a bounded time. */
export async function load({
  url,
  method = 'POST',
  headers = {},
  body = '',
  connections = 32,
  seconds,
}: Load): Promise<Measured> {
  if (new URL(url).hostname !== '127.0.0.1') throw new Error('load goes to 127.0.0.1 only');
  const each =
    typeof body === 'function'
      ? { setupRequest: (request: autocannon.Request) => ({ ...request, body: body() }) }
      : { body };
  const latencies: number[] = [];
  const options = {
    url,
    connections,
    duration: seconds,
    requests: [{ method, headers: { 'content-type': 'application/json', ...headers }, ...each }],
  };
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const running = autocannon(options, (error, done) => (error ? reject(error) : resolve(done)));
    running.on('response', (_client, _status, _bytes, ms) => latencies.push(ms));
  });
  return {
    perSecond: result.requests.total / result.duration,
    p50: result.latency.p50,
    p99: result.latency.p99,
    failed: result.non2xx + result.errors,
    latencies,
  };
}

const ticksPerSecond = 100;

/** Processor time of a server so far. */
export function cpuMs({ child }: Served): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return ((Number(fields[11]) + Number(fields[12])) / ticksPerSecond) * 1000;
}

/** Of the process that serves: with taskset that is the same one, since it replaces itself. */
export function residentMegabytes(served: Served): number {
  return statusMegabytes(served, 'VmRSS');
}

/** The most it ever was. */
export function peakMegabytes(served: Served): number {
  return statusMegabytes(served, 'VmHWM');
}

function statusMegabytes({ child }: Served, field: string): number {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1024;
}
