import { readFileSync } from 'node:fs';
import { isObject } from './json.ts';

/** One process as the system knows it: a number alone is given to another process later. */
export type ProcessIdentity = { readonly pid: number; readonly started: string };

/** null where there is no such process, or no `/proc` (Linux has it). */
export function identifyProcess(pid: number): ProcessIdentity | null {
  const started = startOf(pid);
  return started === null ? null : { pid, started };
}

export function isSameProcess({ pid, started }: ProcessIdentity): boolean {
  return startOf(pid) === started;
}

/** Whether both were started since the machine was. */
export function isOfThisBoot({ started }: ProcessIdentity): boolean {
  return started.split(' ')[0] === startOf(process.pid)?.split(' ')[0];
}

export function isProcessIdentity(value: unknown): value is ProcessIdentity {
  return isObject(value) && Number.isInteger(value.pid) && typeof value.started === 'string';
}

/** The machine's start and the process's after it (proc(5), `stat`, field 22). */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is a name that may hold anything, in brackets.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return null;
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()} ${fields[19]}`;
  } catch {
    return null;
  }
}
