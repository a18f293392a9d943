import { Problem } from '../base/problem.ts';
import type { Channel, Target } from './mcp-model.ts';

export type PoolLimits = {
  readonly count: number;
  /** Of those, child processes. */
  readonly programs: number;
  readonly idleMs: number;
  readonly ageMs: number;
};

/** A session costs a few kilobytes here and perhaps much more at the server; a child is a whole process. */
export const defaultPoolLimits: PoolLimits = {
  count: 2_000,
  programs: 64,
  idleMs: 300_000,
  ageMs: 3_600_000,
};

/** A channel in use; whoever has it gives it back once. */
export type Lease = { readonly channel: Channel; release(): void };

export type ChannelPool = {
  acquire(target: Target): Lease;
  /** Drops what was idle or alive for too long. */
  sweep(): void;
  size(): number;
  close(): void;
};

type Entry = {
  readonly channel: Channel;
  readonly isProgram: boolean;
  readonly madeAt: number;
  usedAt: number;
  users: number;
};

/**
 * Channels by server, address, principal and credential version. The key *is* the isolation: no two principals ever
 * meet in one entry, so no session, cookie or answer can cross from one to the other.
 */
export function createChannelPool(deps: {
  readonly make: (target: Target) => Channel;
  readonly limits: PoolLimits;
  readonly now: () => number;
}): ChannelPool {
  const { make, limits, now } = deps;
  const entries = new Map<string, Entry>();
  let programs = 0;

  const drop = (key: string, entry: Entry) => {
    entries.delete(key);
    if (entry.isProgram) programs--;
    entry.channel.close();
  };
  /** Room for one more: the longest unused goes. */
  const makeRoom = (isProgram: boolean) => {
    let oldest: readonly [string, Entry] | undefined;
    for (const [key, entry] of entries) {
      if (entry.users > 0 || (isProgram && !entry.isProgram)) continue;
      if (oldest === undefined || entry.usedAt < oldest[1].usedAt) oldest = [key, entry];
    }
    if (oldest === undefined)
      throw new Problem('unavailable', 'Too many servers are being called at once', { retryAfterMs: 1_000 });
    drop(...oldest);
  };

  /** A program that was started to list its tools, and has served nobody yet, is given to its first caller: some own a port or a lock. */
  const claimSpare = ({ key, spareKey }: Target): Entry | undefined => {
    const spare = spareKey === undefined || spareKey === key ? undefined : entries.get(spareKey);
    if (spareKey === undefined || spare === undefined) return undefined;
    entries.delete(spareKey);
    entries.set(key, spare);
    return spare;
  };

  const entryFor = (target: Target): Entry => {
    const { key } = target;
    const entry = entries.get(key) ?? claimSpare(target);
    if (entry === undefined) return open(target);
    if (entry.users > 0 || now() - entry.madeAt <= limits.ageMs) return entry;
    drop(key, entry);
    return open(target);
  };
  const open = (target: Target): Entry => {
    const isProgram = target.program !== null;
    if (isProgram && programs >= limits.programs) makeRoom(true);
    if (entries.size >= limits.count) makeRoom(false);
    const entry = { channel: make(target), isProgram, madeAt: now(), usedAt: now(), users: 0 };
    entries.set(target.key, entry);
    if (isProgram) programs++;
    return entry;
  };

  return {
    acquire(target) {
      const entry = entryFor(target);
      entry.users++;
      return {
        channel: entry.channel,
        release() {
          entry.users--;
          entry.usedAt = now();
        },
      };
    },
    sweep() {
      const time = now();
      for (const [key, entry] of entries) {
        if (entry.users > 0) continue;
        if (time - entry.usedAt > limits.idleMs || time - entry.madeAt > limits.ageMs) drop(key, entry);
      }
    },
    size: () => entries.size,
    close() {
      for (const [key, entry] of entries) drop(key, entry);
    },
  };
}

/** Lengths stand before the parts, so that no part can pretend to be two. */
export function keyOf({
  serverId,
  url,
  principal,
  credentialVersion,
}: Pick<Target, 'serverId' | 'url' | 'principal' | 'credentialVersion'>): string {
  return `${principal.length} ${serverId.length} ${credentialVersion.length} ${principal}${serverId}${credentialVersion}${url ?? ''}`;
}
