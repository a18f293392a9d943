import { Problem } from '../../base/problem.ts';
import { type Mcp, type Notification, noParams, withParams } from '../../mcp/mcp.ts';
import type { McpCaller } from '../doors/backend.ts';
import type { Listen } from '../streams/notification-streams.ts';
import { keyOf, type ResourceOf, type WantedResources } from '../streams/wanted-resources.ts';

type Stream = {
  /** The servers whose sessions it keeps, and how to let go of each. */
  readonly held: Map<string, Promise<() => void>>;
};

/** Of one key: servers whose sessions are kept for what was subscribed to. */
const maxHeld = 32;

/**
 * What servers tell beside calls, for the streams of our clients. To hear of lists keeps no session and starts no program: it is
 * heard while the principal's session is there for its calls. A subscription keeps the session as long as a stream is open.
 */
export class HeardServers {
  readonly #mcp: Pick<Mcp, 'call' | 'listen' | 'overhear'>;
  readonly #askedBy: (caller: McpCaller) => Promise<readonly string[]>;
  readonly #translate: (caller: McpCaller, serverId: string, told: Notification) => Notification | null;
  readonly #streams = new Map<string, Set<Stream>>();
  /** A client may subscribe before it opens its stream. */
  readonly #wanted: WantedResources;

  constructor(
    mcp: Pick<Mcp, 'call' | 'listen' | 'overhear'>,
    askedBy: (caller: McpCaller) => Promise<readonly string[]>,
    translate: (caller: McpCaller, serverId: string, told: Notification) => Notification | null,
    wanted: WantedResources,
  ) {
    this.#wanted = wanted;
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
              if (!this.#wanted.isFor(caller, serverId, told)) return;
              const ours = this.#translate(caller, serverId, told);
              if (ours !== null) onNotification(ours);
            }),
          ),
        ),
      );
      const stream: Stream = { held: new Map() };
      const streams = this.#streams.get(key) ?? new Set();
      this.#streams.set(key, streams.add(stream));
      await Promise.all(this.#held(caller).map((serverId) => this.#holdFor(stream, caller, serverId)));
      return () => {
        for (const end of ends) end();
        streams.delete(stream);
        if (streams.size === 0 && this.#streams.get(key) === streams) this.#streams.delete(key);
        for (const serverId of [...stream.held.keys()]) letGo(stream, serverId);
      };
    };
  }

  /** Keeps the principal's session with a server for as long as a stream of the principal is open, and something is subscribed to. */
  async hold({ signal: _, onNotification: __, ...caller }: McpCaller, at: ResourceOf): Promise<void> {
    this.#wanted.add(caller, at);
    if (!this.#held(caller).includes(at.serverId)) return;
    const streams = [...(this.#streams.get(keyOf(caller)) ?? [])];
    await Promise.all(streams.map((stream) => this.#holdFor(stream, caller, at.serverId)));
  }

  /** Something was unsubscribed from: with the last of a server its session is let go. */
  settle(caller: McpCaller, serverId: string): void {
    if (this.#wanted.ofKey(caller, serverId).length > 0) return;
    for (const stream of this.#streams.get(keyOf(caller)) ?? []) letGo(stream, serverId);
  }

  #held(caller: McpCaller): string[] {
    return [...new Set(this.#wanted.ofKey(caller).map(({ serverId }) => serverId))].slice(0, maxHeld);
  }

  #holdFor(stream: Stream, caller: McpCaller, serverId: string): Promise<() => void> {
    const again = () => void this.#subscribeAgain(caller, serverId).catch(() => undefined);
    const held =
      stream.held.get(serverId) ?? orNothing(this.#mcp.listen(caller, serverId, () => undefined, again));
    stream.held.set(serverId, held);
    return held;
  }

  /** Of a new session its server knows nothing yet. */
  async #subscribeAgain(caller: McpCaller, serverId: string): Promise<void> {
    const method = 'resources/subscribe';
    for (const { own: uri } of this.#wanted.ofKey(caller, serverId))
      await this.#mcp.call(caller, { serverId, method, params: withParams(noParams, { uri }) });
  }
}

function letGo(stream: Stream, serverId: string): void {
  void stream.held.get(serverId)?.then((release) => release());
  stream.held.delete(serverId);
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
