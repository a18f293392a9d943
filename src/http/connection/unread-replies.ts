import { SlotList, type Slotted } from '../../base/slot-list.ts';
import type { RequestContext } from '../request-context.ts';

export type UnreadLimits = {
  /** Of all replies together that are not sent yet. */
  readonly bytes: number;
  /** A reader that takes nothing for so long is cut off (threats C4). */
  readonly stalledMs: number;
};

export type UnreadReplies = {
  /** A large reply was handed to its socket. */
  watch(context: RequestContext): void;
  stop(): void;
};

type Unread = Slotted & {
  readonly context: RequestContext;
  readonly since: number;
  unsentBytes: number;
  movedAt: number;
};

const defaultLimits: UnreadLimits = { bytes: 256_000_000, stalledMs: 60_000 };
const checkEveryMs = 1_000;

/**
 * Replies wait in memory until their callers read them. Whoever does not is cut off after a minute; and when all of them
 * together are too much, the developer who has most of it waiting loses the oldest, so that nobody takes the memory of the
 * others.
 */
export function createUnreadReplies(
  onCut: (context: RequestContext, unsentBytes: number) => void,
  { bytes, stalledMs }: UnreadLimits = defaultLimits,
): UnreadReplies {
  const open = new SlotList<Unread>();

  const cut = (unread: Unread) => {
    open.delete(unread);
    onCut(unread.context, unread.unsentBytes);
    unread.context.reply.destroy();
  };
  const cutStalled = () => {
    const now = performance.now();
    for (const unread of open.all()) {
      const unsentBytes = unread.context.reply.writableLength;
      if (unsentBytes !== unread.unsentBytes) unread.movedAt = now;
      unread.unsentBytes = unsentBytes;
      if (now - unread.movedAt >= stalledMs) cut(unread);
    }
  };
  const cutSurplus = () => {
    while (sumOf(open.all()) > bytes) {
      const developer = largestHolder(open.all());
      const theirs = open.all().filter(({ context }) => context.caller.developerId === developer);
      const [oldest] = theirs.toSorted((a, b) => a.since - b.since);
      if (oldest === undefined) return;
      cut(oldest);
    }
  };
  const look = () => {
    cutStalled();
    cutSurplus();
  };
  const timer = setInterval(look, Math.min(checkEveryMs, stalledMs)).unref();
  return {
    watch(context) {
      const { reply } = context;
      if (reply.destroyed || reply.writableLength === 0) return;
      const since = performance.now();
      const unread = { slot: -1, context, since, unsentBytes: reply.writableLength, movedAt: since };
      open.add(unread);
      reply.on('close', () => open.delete(unread));
      look();
    },
    stop: () => clearInterval(timer),
  };
}

function sumOf(all: Iterable<Unread>): number {
  let sum = 0;
  for (const { unsentBytes } of all) sum += unsentBytes;
  return sum;
}

function largestHolder(all: Iterable<Unread>): string | undefined {
  const held = new Map<string, number>();
  for (const { context, unsentBytes } of all) {
    const { developerId } = context.caller;
    held.set(developerId, (held.get(developerId) ?? 0) + unsentBytes);
  }
  return [...held].sort(([, a], [, b]) => b - a)[0]?.[0];
}
