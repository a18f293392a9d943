import { coalesced } from '../../base/coalesced-run.ts';
import { Problem } from '../../base/problem.ts';
import { type Mcp, type Notification, noParams, withParams } from '../../mcp/mcp.ts';
import type { McpCaller } from '../doors/backend.ts';
import type { Listen } from '../streams/notification-streams.ts';
import { keyOf, type ResourceOf, type WantedResources } from '../streams/wanted-resources.ts';

type Stream = {
  /** The servers whose sessions it keeps, and how to let go of each. */
  readonly held: Map<string, Promise<() => void>>;
};

type Deps = {
  readonly mcp: Pick<Mcp, 'call' | 'listen' | 'overhear'>;
  readonly askedBy: (caller: McpCaller) => Promise<readonly string[]>;
  /** Calls `listener` when the user's connections are others, until what is answered is called. */
  readonly onConnectionsChange: (caller: McpCaller, listener: () => void) => () => void;
  readonly translate: (caller: McpCaller, serverId: string, told: Notification) => Notification | null;
  /** A client may subscribe before it opens its stream. */
  readonly wanted: WantedResources;
};

/** Of one key: servers whose sessions are kept for what was subscribed to. */
const maxHeld = 32;
/** What is told where what a user connected is another one. */
const listsChanged = ['prompts', 'resources'].map((list) => `notifications/${list}/list_changed`);

/**
 * What servers tell beside calls, for the streams of our clients. To hear of lists keeps no session and starts no program: it is
 * heard while the principal's session is there for its calls. A subscription keeps the session as long as a stream is open. What the
 * user connects while a stream is open is heard from then on.
 */
export class HeardServers {
  readonly #deps: Deps;
  readonly #streams = new Map<string, Set<Stream>>();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  listen({ signal: _, onNotification: __, ...asking }: McpCaller): Listen {
    const caller: McpCaller = { ...asking, prefersSession: true };
    const key = keyOf(caller);
    return async (onNotification) => {
      const stopOverhearing = await this.#overhear(caller, onNotification);
      const stream: Stream = { held: new Map() };
      const streams = this.#streams.get(key) ?? new Set();
      this.#streams.set(key, streams.add(stream));
      await Promise.all(this.#held(caller).map((serverId) => this.#holdFor(stream, caller, serverId)));
      return () => {
        stopOverhearing();
        streams.delete(stream);
        if (streams.size === 0 && this.#streams.get(key) === streams) this.#streams.delete(key);
        for (const serverId of [...stream.held.keys()]) letGo(stream, serverId);
      };
    };
  }

  /** All servers that are asked for the caller; also those that the user connects meanwhile, and no more what was disconnected. */
  async #overhear(caller: McpCaller, onNotification: (told: Notification) => void): Promise<() => void> {
    const { mcp, askedBy, onConnectionsChange, translate, wanted } = this.#deps;
    const ends = new Map<string, () => void>();
    let isEnded = false;
    const overhear = async (serverId: string) => {
      const end = await orNothing(
        mcp.overhear(caller, serverId, (told) => {
          if (!wanted.isFor(caller, serverId, told)) return;
          const ours = translate(caller, serverId, told);
          if (ours !== null) onNotification(ours);
        }),
      );
      if (end !== null) ends.set(serverId, end);
    };
    const keepOnly = (serverIds: readonly string[]) => {
      for (const [serverId, end] of ends) {
        if (serverIds.includes(serverId)) continue;
        end();
        ends.delete(serverId);
      }
    };
    const settle = coalesced(async () => {
      const asked = await askedBy(caller);
      await Promise.all(asked.filter((serverId) => !ends.has(serverId)).map(overhear));
      keepOnly(isEnded ? [] : asked);
    });
    const settleAgain = async () => {
      await settle();
      if (!isEnded) for (const method of listsChanged) onNotification({ method, params: undefined });
    };
    const unwatch = onConnectionsChange(caller, () => void settleAgain().catch(() => undefined));
    const end = () => {
      isEnded = true;
      unwatch();
      keepOnly([]);
    };
    await settle().catch((error: unknown) => {
      end();
      throw error;
    });
    return end;
  }

  /** Keeps the principal's session with a server for as long as a stream of the principal is open, and something is subscribed to. */
  async hold({ signal: _, onNotification: __, ...caller }: McpCaller, at: ResourceOf): Promise<void> {
    this.#deps.wanted.add(caller, at);
    if (!this.#held(caller).includes(at.serverId)) return;
    const streams = [...(this.#streams.get(keyOf(caller)) ?? [])];
    await Promise.all(streams.map((stream) => this.#holdFor(stream, caller, at.serverId)));
  }

  /** Something was unsubscribed from: with the last of a server its session is let go. */
  settle(caller: McpCaller, serverId: string): void {
    if (this.#deps.wanted.ofKey(caller, serverId).length > 0) return;
    for (const stream of this.#streams.get(keyOf(caller)) ?? []) letGo(stream, serverId);
  }

  #held(caller: McpCaller): string[] {
    return [...new Set(this.#deps.wanted.ofKey(caller).map(({ serverId }) => serverId))].slice(0, maxHeld);
  }

  #holdFor(stream: Stream, caller: McpCaller, serverId: string): Promise<() => void> {
    const again = () => void this.#subscribeAgain(caller, serverId).catch(() => undefined);
    const held =
      stream.held.get(serverId) ??
      orNothing(this.#deps.mcp.listen(caller, serverId, () => undefined, again)).then(
        (release) => release ?? (() => undefined),
      );
    stream.held.set(serverId, held);
    return held;
  }

  /** Of a new session its server knows nothing yet. */
  async #subscribeAgain(caller: McpCaller, serverId: string): Promise<void> {
    const method = 'resources/subscribe';
    for (const { own: uri } of this.#deps.wanted.ofKey(caller, serverId))
      await this.#deps.mcp.call(caller, { serverId, method, params: withParams(noParams, { uri }) });
  }
}

function letGo(stream: Stream, serverId: string): void {
  void stream.held.get(serverId)?.then((release) => release());
  stream.held.delete(serverId);
}

/** A server that cannot be heard is not: its calls say why. */
async function orNothing(hearing: Promise<() => void>): Promise<(() => void) | null> {
  try {
    return await hearing;
  } catch (error) {
    if (error instanceof Problem) return null;
    throw error;
  }
}
