import { readdirSync } from 'node:fs';
import { printTable, type Served } from './support.ts';

/** A soak worth its name takes twenty. */
export const soakMinutes = Number(process.env.SOAK_MINUTES ?? 20);
/** The first minutes fill caches and compile: growth counts from here on. */
const settledMinutes = 5;

/** What one minute of a soak showed. */
export type Minute = {
  /** A second. */
  readonly good: number;
  readonly others: number;
  readonly p50: number;
  readonly p99: number;
  readonly megabytes: number;
  readonly files: number;
};

/** Sockets among them. */
export function openFiles({ child }: Served): number {
  return readdirSync(`/proc/${child.pid}/fd`).length;
}

/** The minutes one by one, and whether memory and open files stayed where they were, and no minute was slow. */
export function printMinutes(minutes: readonly Minute[], slowestMs = Number.POSITIVE_INFINITY): void {
  printTable(
    ['minute', '2xx/s', 'others', 'p50 ms', 'p99 ms', 'resident MB', 'open files'],
    minutes.map(({ good, others, p50, p99, megabytes, files }, i) =>
      [i + 1, good.toFixed(0), others, p50.toFixed(0), p99.toFixed(0), megabytes.toFixed(0), files].map(
        String,
      ),
    ),
  );
  const settled = minutes.slice(Math.min(settledMinutes, minutes.length) - 1);
  const [first, last] = [settled[0]?.megabytes ?? 0, settled.at(-1)?.megabytes ?? 0];
  const grown = (last - first) / first;
  const slowest = Math.max(...minutes.map(({ p99 }) => p99));
  const files = Math.max(...settled.map((each) => each.files)) - (settled[0]?.files ?? 0);
  printTable(
    ['row', 'measured', 'bar', ''],
    [
      [
        `resident memory grown since minute ${settledMinutes}`,
        `${(100 * grown).toFixed(1)} %`,
        '≤ 5 %',
        grown <= 0.05 ? 'met' : 'MISSED',
      ],
      [
        `open files above minute ${settledMinutes}, at most`,
        String(files),
        '≤ 64',
        files <= 64 ? 'met' : 'MISSED',
      ],
      [
        'p99 of the slowest minute',
        `${slowest.toFixed(0)} ms`,
        Number.isFinite(slowestMs) ? `≤ ${slowestMs} ms` : '',
        slowest <= slowestMs ? 'met' : 'MISSED',
      ],
    ],
  );
}
