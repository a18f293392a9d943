import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isObject } from '../../base/json.ts';

/** One process as the system knows it: a number alone is given to another process later. */
type ProcessId = { readonly pid: number; readonly started: string };
type Record = { readonly owner: ProcessId; readonly children: readonly ProcessId[] };

/** A child that outlived its service gets so long after SIGTERM. */
const graceMs = 2_000;
const fileName = /^children-\d+\.json$/;

/**
 * Which children this process has, noted in the data folder: a service that is killed cannot end them, and not all end with
 * their input. The next start does (on Linux, whose `/proc` tells a process from a later one of the same number).
 */
export class ChildLedger {
  readonly #folder: string | null;
  readonly #children = new Map<number, ProcessId>();

  constructor(folder: string | null) {
    this.#folder = folder;
  }

  add(pid: number): void {
    const child = identify(pid);
    if (child === null) return;
    this.#children.set(pid, child);
    this.#write();
  }

  remove(pid: number): void {
    if (this.#children.delete(pid)) this.#write();
  }

  /** Ends what processes that are gone left behind; how many that were. */
  endOrphans(): number {
    if (this.#folder === null) return 0;
    const records = filesIn(this.#folder).flatMap((path) => {
      const record = read(path);
      if (record !== null && isAlive(record.owner)) return [];
      rmSync(path, { force: true });
      return record === null ? [] : [record];
    });
    const orphans = records.flatMap(({ children }) => children).filter(hasGroup);
    for (const { pid } of orphans) signalGroup(pid, 'SIGTERM');
    if (orphans.length > 0)
      setTimeout(() => {
        for (const orphan of orphans) if (hasGroup(orphan)) signalGroup(orphan.pid, 'SIGKILL');
      }, graceMs);
    return orphans.length;
  }

  #write(): void {
    const owner = identify(process.pid);
    if (this.#folder === null || owner === null) return;
    const path = join(this.#folder, `children-${process.pid}.json`);
    try {
      if (this.#children.size === 0) rmSync(path, { force: true });
      else writeRecord(path, { owner, children: [...this.#children.values()] });
    } catch {
      // A folder that cannot be written: children are ended as long as we live.
    }
  }
}

/** What it started goes with it: each child leads a group of its own. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It is gone: that is what was wanted.
  }
}

function identify(pid: number): ProcessId | null {
  const started = startOf(pid);
  return started === null ? null : { pid, started };
}

function isAlive({ pid, started }: ProcessId): boolean {
  return startOf(pid) === started;
}

/** Whether its group is still there: the child itself, or what it started and left behind. */
function hasGroup({ pid, started }: ProcessId): boolean {
  const now = startOf(pid);
  if (now !== null) return now === started;
  // A number is not given again while its group is there, but after the machine's start it is.
  if (bootOf(started) !== bootOf(startOf(process.pid) ?? '')) return false;
  try {
    process.kill(-pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The machine's start and the process's after it (proc(5), `stat`, field 22); null where there is no such process, or no `/proc`. */
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

function writeRecord(path: string, record: Record): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, JSON.stringify(record));
}

function bootOf(started: string): string | undefined {
  return started.split(' ')[0];
}

function filesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
      .filter((name) => fileName.test(name))
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}

function read(path: string): Record | null {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    const isRecord = isObject(value) && isProcessId(value.owner) && Array.isArray(value.children);
    return isRecord
      ? { owner: value.owner as ProcessId, children: (value.children as unknown[]).filter(isProcessId) }
      : null;
  } catch {
    return null;
  }
}

function isProcessId(value: unknown): value is ProcessId {
  if (!isObject(value)) return false;
  // 0 and 1 are groups of ours and everybody's.
  return Number.isInteger(value.pid) && Number(value.pid) > 1 && typeof value.started === 'string';
}
