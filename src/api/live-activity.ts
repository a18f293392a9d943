import { Problem } from '../base/problem.ts';
import type { Reply } from '../http/route.ts';
import { EventStream, streamHeaders, streamType } from '../mcp-server/mcp-server.ts';

/** What is shown is read once for all who look at the same; times in milliseconds. */
const everyMs = 5_000;
/** A person looks at a few; who has many open has forgotten them. */
const streamsOfOne = 4;
const streamsInAll = 32;

type Watcher<W> = { readonly window: W; readonly keyId: string; readonly stream: EventStream };
export type LiveActivity<W = '1h' | '6h' | '24h'> = {
  /** Throws `rate_limited` or `unavailable` where too many look already. */
  open(keyId: string, window: W): Reply<never>;
  /** Ends the streams, which stay open by design. */
  close(): void;
};

export function createLiveActivity<W extends string>(deps: {
  readonly read: (window: W) => Promise<object>;
  readonly onError: (error: unknown) => void;
}): LiveActivity<W> {
  const watchers = new Set<Watcher<W>>();
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  const tell = async (window: W, these: readonly Watcher<W>[]) => {
    try {
      const text = JSON.stringify(await deps.read(window));
      for (const { stream } of these) stream.send([text]);
    } catch (error) {
      // The next one may work; what is shown stays.
      deps.onError(error);
    }
  };
  const tick = async () => {
    const all = [...watchers];
    for (const window of new Set(all.map((each) => each.window)))
      await tell(
        window,
        all.filter((each) => each.window === window),
      );
    timer = isClosed || watchers.size === 0 ? undefined : setTimeout(() => void tick(), everyMs).unref();
  };

  return {
    open(keyId, window) {
      // A stop has ended those that were open, and waits for no other.
      if (isClosed) throw new Problem('unavailable', 'The service stops', { retryAfterMs: 1_000 });
      refuseTooMany([...watchers].filter((each) => each.keyId === keyId).length, watchers.size);
      const stream = new EventStream(() => watchers.delete(watcher));
      const watcher: Watcher<W> = { window, keyId, stream };
      watchers.add(watcher);
      stream.open();
      if (timer === undefined) timer = setTimeout(() => void tick(), everyMs).unref();
      void tell(window, [watcher]);
      return { status: 200, contentType: streamType, headers: streamHeaders, body: stream.body };
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
      for (const { stream } of watchers) stream.end();
    },
  };
}

function refuseTooMany(own: number, all: number): void {
  const retryAfterMs = 30_000;
  if (own >= streamsOfOne)
    throw new Problem('rate_limited', `At most ${streamsOfOne} live streams of one key or person at a time`, {
      retryAfterMs,
    });
  if (all >= streamsInAll)
    throw new Problem('unavailable', 'Too many look at the live activity of this process', { retryAfterMs });
}
