import { Problem } from '../base/problem.ts';
import { type Channel, type OnNotification, type Target, UpstreamFailure } from './mcp-model.ts';

export type PoolLimits = {
  readonly count: number;
  /** Of those, child processes. */
  readonly programs: number;
  /** And of these, one developer's: its users cannot take every place. */
  readonly programsEach: number;
  readonly idleMs: number;
  readonly ageMs: number;
};

/** A session costs a few kilobytes here and perhaps much more at the server; a child is a whole process. */
export const defaultPoolLimits: PoolLimits = {
  count: 2_000,
  programs: 64,
  programsEach: 32,
  idleMs: 300_000,
  ageMs: 3_600_000,
};

/** A channel in use; whoever has it gives it back once. */
export type Lease = { readonly channel: Channel; release(): void };

export type ChannelPool = {
  /** `prefersSession`: by a client of the revisions with a handshake. */
  acquire(target: Target, prefersSession?: boolean): Lease;
  /** What is told beside calls, over a channel that is kept for it. `onOver`: it is over, as what the target stands for is another one now, or gone. */
  hold(target: Target, prefersSession: boolean, heard: Listener): () => void;
  /** The same while there is a channel to the target; none is made or kept for it. */
  overhear(target: Target, heard: Listener): () => void;
  /** Drops what was idle or alive for too long. */
  sweep(): void;
  /** Drops the channels of a server that is not what it was: now where they are idle, else when they are given back. */
  retire(serverId: string): void;
  /** The same of a user's connection, whose tokens or key are others now, or gone. */
  retireConnection(connectionId: string): void;
  /** The service stops: ends the programs that are still being started, with those who wait for them, and starts no more. */
  cancelOpening(): void;
  size(): number;
  close(): void;
};

/** What is told, and that nothing more is. */
export type Listener = { readonly onNotification: OnNotification; readonly onOver: () => void };

type Entry = {
  target: Target;
  /** Those who hold it. */
  readonly holders: Set<() => void>;
  readonly channel: Channel;
  readonly madeAt: number;
  usedAt: number;
  users: number;
  isRetired: boolean;
  isOverheard: boolean;
};

type Deps = {
  readonly make: (target: Target, prefersSession: boolean) => Channel;
  readonly limits: PoolLimits;
  readonly now: () => number;
};

/**
 * Channels by server, address, principal and credential version. The key *is* the isolation: no two principals ever
 * meet in one entry, so no session, cookie or answer can cross from one to the other.
 */
export function createChannelPool(deps: Deps): ChannelPool {
  return new Pool(deps);
}

class Pool implements ChannelPool {
  readonly #deps: Deps;
  readonly #entries = new Map<string, Entry>();
  readonly #programs = new Map<string, number>();
  /** By the key of what is overheard. */
  readonly #listeners = new Map<string, { readonly target: Target; readonly heard: Set<Listener> }>();
  #programCount = 0;
  #startsPrograms = true;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  acquire(target: Target, prefersSession = false): Lease {
    const entry = this.#take(target, prefersSession);
    return { channel: entry.channel, release: () => this.#release(entry) };
  }

  hold(target: Target, prefersSession: boolean, { onNotification, onOver }: Listener): () => void {
    const entry = this.#take(target, prefersSession);
    const unsubscribe = entry.channel.listen(onNotification);
    const end = () => {
      if (!entry.holders.delete(over)) return;
      unsubscribe();
      this.#release(entry);
    };
    const over = () => {
      end();
      onOver();
    };
    entry.holders.add(over);
    return end;
  }

  #take(target: Target, prefersSession: boolean): Entry {
    let entry = this.#entryFor(target.key, target, prefersSession);
    if (prefersSession && entry.channel.hasOlderWay?.() === true) {
      // Some servers ask their questions only there.
      const { spareKey: _, ...own } = target;
      entry = this.#entryFor(`${target.key} session`, own, prefersSession);
    }
    entry.users++;
    return entry;
  }

  overhear(target: Target, { onNotification, onOver }: Listener): () => void {
    const { key } = target;
    // Whoever listens twice is told twice.
    const listener: Listener = { onNotification, onOver };
    const listeners = this.#listeners.get(key) ?? { target, heard: new Set() };
    this.#listeners.set(key, listeners);
    listeners.heard.add(listener);
    for (const entry of [this.#entries.get(key), this.#entries.get(`${key} session`)])
      if (entry !== undefined) this.#overhear(entry);
    return () => {
      listeners.heard.delete(listener);
      if (listeners.heard.size === 0 && this.#listeners.get(key) === listeners) this.#listeners.delete(key);
    };
  }

  sweep(): void {
    const { limits, now } = this.#deps;
    const time = now();
    for (const [key, entry] of this.#entries) {
      if (entry.users > 0) continue;
      if (time - entry.usedAt > limits.idleMs || time - entry.madeAt > limits.ageMs) this.#drop(key, entry);
    }
  }

  retire(serverId: string): void {
    this.#retireWhere((target) => target.serverId === serverId);
  }

  retireConnection(connectionId: string): void {
    this.#retireWhere(({ credentialVersion }) => credentialVersion.startsWith(`${connectionId}:`));
  }

  #retireWhere(isOver: (target: Target) => boolean): void {
    for (const [key, entry] of this.#entries) {
      if (!isOver(entry.target)) continue;
      this.#forget(key, entry);
      entry.isRetired = true;
      if (entry.users === 0) entry.channel.close();
      for (const over of [...entry.holders]) over();
    }
    for (const [key, { target, heard }] of this.#listeners) {
      if (!isOver(target)) continue;
      this.#listeners.delete(key);
      for (const { onOver } of heard) onOver();
    }
  }

  cancelOpening(): void {
    this.#startsPrograms = false;
    for (const [key, entry] of this.#entries)
      if (entry.channel.isOpening?.() === true) this.#drop(key, entry);
  }

  size(): number {
    return this.#entries.size;
  }

  close(): void {
    for (const [key, entry] of this.#entries) this.#drop(key, entry);
  }

  #release(entry: Entry): void {
    entry.users--;
    entry.usedAt = this.#deps.now();
    if (entry.users > 0) return;
    if (entry.isRetired) entry.channel.close();
    else if (isOnlyForListing(entry.target)) this.#drop(entry.target.key, entry);
  }

  #entryFor(key: string, target: Target, prefersSession: boolean): Entry {
    const { limits, now } = this.#deps;
    const entry = this.#entries.get(key) ?? this.#claimSpare(target) ?? this.#borrow(target);
    if (entry === undefined) return this.#open(key, target, prefersSession);
    if (entry.users > 0 || now() - entry.madeAt <= limits.ageMs) return entry;
    this.#drop(key, entry);
    return this.#open(key, target, prefersSession);
  }

  /** A program that was started to list its tools, and has served nobody yet, is given to its first caller: some own a port or a lock. */
  #claimSpare({ key, spareKey, program, developerId, principal }: Target): Entry | undefined {
    const spare = spareKey === undefined || spareKey === key ? undefined : this.#entries.get(spareKey);
    if (spareKey === undefined || spare === undefined || program?.isOfCaller === true) return undefined;
    this.#forget(spareKey, spare);
    spare.target = { ...spare.target, key, developerId, principal };
    this.#keep(key, spare);
    return spare;
  }

  /** The operator lists a program's tools through whichever child there is. */
  #borrow({ key, spareKey, serverId, credentialVersion }: Target): Entry | undefined {
    if (spareKey !== key) return undefined;
    for (const entry of this.#entries.values())
      if (entry.target.serverId === serverId && entry.target.credentialVersion === credentialVersion)
        return entry;
    return undefined;
  }

  #open(key: string, target: Target, prefersSession: boolean): Entry {
    const { make, limits, now } = this.#deps;
    if (target.program !== null) {
      if (!this.#startsPrograms)
        throw new UpstreamFailure('refused', 'The program was stopped: the service ends');
      this.#makeRoomForProgram(target.developerId);
    }
    if (this.#entries.size >= limits.count) this.#makeRoom(() => true);
    const channel = make(target, prefersSession);
    const time = now();
    const entry: Entry = {
      target,
      holders: new Set(),
      channel,
      madeAt: time,
      usedAt: time,
      users: 0,
      isRetired: false,
      isOverheard: false,
    };
    this.#keep(key, entry);
    return entry;
  }

  #makeRoomForProgram(developerId: string): void {
    const { programs, programsEach } = this.#deps.limits;
    const own = this.#programs.get(developerId) ?? 0;
    if (own >= programsEach)
      this.#makeRoom(({ target }) => target.program !== null && target.developerId === developerId);
    else if (this.#programCount >= programs) this.#makeRoom(({ target }) => target.program !== null);
  }

  /** Room for one more: the longest unused goes. */
  #makeRoom(mayGo: (entry: Entry) => boolean): void {
    let oldest: readonly [string, Entry] | undefined;
    for (const [key, entry] of this.#entries) {
      if (entry.users > 0 || !mayGo(entry)) continue;
      if (oldest === undefined || entry.usedAt < oldest[1].usedAt) oldest = [key, entry];
    }
    if (oldest === undefined)
      throw new Problem('unavailable', 'Too many servers are being called at once', { retryAfterMs: 1_000 });
    this.#drop(...oldest);
  }

  #drop(key: string, entry: Entry): void {
    this.#forget(key, entry);
    entry.channel.close();
  }

  #overhear(entry: Entry): void {
    if (entry.isOverheard) return;
    entry.isOverheard = true;
    entry.channel.listen((told) => {
      for (const { onNotification } of this.#listeners.get(entry.target.key)?.heard ?? [])
        onNotification(told);
    });
  }

  #keep(key: string, entry: Entry): void {
    if (this.#listeners.has(entry.target.key)) this.#overhear(entry);
    this.#entries.set(key, entry);
    this.#count(entry, 1);
  }

  #forget(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#count(entry, -1);
  }

  #count({ target: { program, developerId } }: Entry, change: number): void {
    if (program === null) return;
    this.#programCount += change;
    const own = (this.#programs.get(developerId) ?? 0) + change;
    if (own === 0) this.#programs.delete(developerId);
    else this.#programs.set(developerId, own);
  }
}

/** The operator's own child of a program whose callers each have one with their name in it. */
function isOnlyForListing({ key, spareKey, program }: Target): boolean {
  return key === spareKey && program?.isOfCaller === true && program.isShared !== true;
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
