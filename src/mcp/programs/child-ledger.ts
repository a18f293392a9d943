import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isObject } from '../../base/json.ts';
import {
  identifyProcess,
  isOfThisBoot,
  isProcessIdentity,
  isSameProcess,
  type ProcessIdentity,
} from '../../base/process-identity.ts';

type Record = { readonly owner: ProcessIdentity; readonly children: readonly ProcessIdentity[] };

/** A child that outlived its service gets so long after SIGTERM. */
const graceMs = 2_000;
const fileName = /^children-\d+\.json$/;

/**
 * Which children this process has, noted in the data folder: a service that is killed cannot end them, and not all end with
 * their input. The next start does (on Linux, whose `/proc` tells a process from a later one of the same number).
 */
export class ChildLedger {
  readonly #folder: string | null;
  readonly #children = new Map<number, ProcessIdentity>();

  constructor(folder: string | null) {
    this.#folder = folder;
  }

  add(pid: number): void {
    const child = identifyProcess(pid);
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
      if (record !== null && isSameProcess(record.owner)) return [];
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
    const owner = identifyProcess(process.pid);
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

/** Whether its group is still there: the child itself, or what it started and left behind. */
function hasGroup(child: ProcessIdentity): boolean {
  const now = identifyProcess(child.pid);
  if (now !== null) return now.started === child.started;
  // A number is not given again while its group is there, but after the machine's start it is.
  if (!isOfThisBoot(child)) return false;
  try {
    process.kill(-child.pid, 0);
    return true;
  } catch {
    return false;
  }
}

function writeRecord(path: string, record: Record): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, JSON.stringify(record));
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
    if (!isObject(value) || !isProcessIdentity(value.owner) || !Array.isArray(value.children)) return null;
    return { owner: value.owner, children: value.children.filter(isChild) };
  } catch {
    return null;
  }
}

function isChild(value: unknown): value is ProcessIdentity {
  // 0 and 1 are groups of ours and everybody's.
  return isProcessIdentity(value) && value.pid > 1;
}
