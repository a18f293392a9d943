import { createBoundedCache } from '../../base/bounded-cache.ts';
import { Problem } from '../../base/problem.ts';
import { type Mcp, type Notification, principalOf } from '../../mcp/mcp.ts';
import type { McpCaller } from '../doors/backend.ts';
import type { Listen } from '../streams/notification-streams.ts';

type Stream = {
  /** The servers whose sessions it keeps, and how to let go of each. */
  readonly held: Map<string, Promise<() => void>>;
};

const maxPrincipals = 10_000;
/** Of one principal: servers whose sessions are kept for what was subscribed to. */
const maxHeld = 32;

/**
 * What servers tell beside calls, for the streams of our clients. To hear of lists keeps no session and starts no program: it is
 * heard while the principal's session is there for its calls. A subscription keeps the session as long as a stream is open.
 */
export class HeardServers {
  readonly #mcp: Pick<Mcp, 'listen' | 'overhear'>;
  readonly #askedBy: (caller: McpCaller) => Promise<readonly string[]>;
  readonly #translate: (caller: McpCaller, serverId: string, told: Notification) => Notification | null;
  readonly #streams = new Map<string, Set<Stream>>();
  /** By principal: the servers at which something was subscribed to. A client may subscribe before it opens its stream. */
  readonly #subscribed = createBoundedCache<Set<string>>(maxPrincipals);

  constructor(
    mcp: Pick<Mcp, 'listen' | 'overhear'>,
    askedBy: (caller: McpCaller) => Promise<readonly string[]>,
    translate: (caller: McpCaller, serverId: string, told: Notification) => Notification | null,
  ) {
    this.#mcp = mcp;
    this.#askedBy = askedBy;
    this.#translate = translate;
  }

  listen({ signal: _, onNotification: __, ...asking }: McpCaller): Listen {
    const caller: McpCaller = { ...asking, prefersSession: true };
    const key = keyOf(caller);
    return async (onNotification) => {
      const ends = await Promise.all(
        (await this.#askedBy(caller)).map((serverId) =>
          orNothing(
            this.#mcp.overhear(caller, serverId, (told) => {
              const ours = this.#translate(caller, serverId, told);
              if (ours !== null) onNotification(ours);
            }),
          ),
        ),
      );
      const stream: Stream = { held: new Map() };
      const streams = this.#streams.get(key) ?? new Set();
      this.#streams.set(key, streams.add(stream));
      const held = [...(this.#subscribed.get(key) ?? [])];
      await Promise.all(held.map((serverId) => this.#holdFor(stream, caller, serverId)));
      return () => {
        for (const end of ends) end();
        streams.delete(stream);
        if (streams.size === 0 && this.#streams.get(key) === streams) this.#streams.delete(key);
        for (const held of stream.held.values()) void held.then((release) => release());
        stream.held.clear();
      };
    };
  }

  /** Keeps the principal's session with a server for as long as a stream of the principal is open. */
  async hold({ signal: _, onNotification: __, ...caller }: McpCaller, serverId: string): Promise<void> {
    const key = keyOf(caller);
    const known = this.#subscribed.get(key) ?? new Set();
    if (known.size < maxHeld) this.#subscribed.set(key, known.add(serverId));
    const streams = [...(this.#streams.get(key) ?? [])];
    await Promise.all(streams.map((stream) => this.#holdFor(stream, caller, serverId)));
  }

  #holdFor(stream: Stream, caller: McpCaller, serverId: string): Promise<() => void> {
    const held = stream.held.get(serverId) ?? orNothing(this.#mcp.listen(caller, serverId, () => undefined));
    stream.held.set(serverId, held);
    return held;
  }
}

/** A server that cannot be heard is not: its calls say why. */
async function orNothing(hearing: Promise<() => void>): Promise<() => void> {
  try {
    return await hearing;
  } catch (error) {
    if (error instanceof Problem) return () => undefined;
    throw error;
  }
}

function keyOf(caller: McpCaller): string {
  const { keyId, client = null, toolset = null } = caller;
  return JSON.stringify([principalOf(caller), keyId, client, toolset]);
}
