import { createBoundedCache } from '../../base/bounded-cache.ts';
import type { RpcReply } from '../mcp-model.ts';

/** Says once what came of a call; null: nobody heard. */
type Finish = (reply: RpcReply | null) => void;

/**
 * Calls whose stream a server ended before their answer: the client comes back for that by the id of an event (2025-11-25,
 * "Resumability and Redelivery"). What came of them is known when it comes through here; else, after a while, that nobody heard.
 */
export type UnansweredCalls = {
  /** `id`: of the JSON-RPC request, as it was written. */
  keep(session: string, id: string, finish: Finish): void;
  answered(session: string, id: string, reply: RpcReply): void;
  /** Gives up those that nobody came back for. */
  sweep(): void;
  close(): void;
};

const maxKept = 10_000;

export function createUnansweredCalls(keptMs: number): UnansweredCalls {
  const calls = createBoundedCache<Finish>(maxKept, { ttl: keptMs, dispose: (finish) => finish(null) });
  const keyOf = (session: string, id: string) => `${session} ${id}`;
  return {
    keep: (session, id, finish) => calls.set(keyOf(session, id), finish),
    answered(session, id, reply) {
      const key = keyOf(session, id);
      calls.get(key)?.(reply);
      calls.delete(key);
    },
    sweep: () => calls.purgeStale(),
    close: () => calls.clear(),
  };
}
