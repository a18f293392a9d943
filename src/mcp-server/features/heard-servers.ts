import { createBoundedCache } from '../../base/bounded-cache.ts';
import { Problem } from '../../base/problem.ts';
import { type Mcp, type Notification, noParams, principalOf, withParams } from '../../mcp/mcp.ts';
import type { McpCaller } from '../doors/backend.ts';
import type { Listen } from '../streams/notification-streams.ts';

type Stream = {
  /** The servers whose sessions it keeps, and how to let go of each. */
  readonly held: Map<string, Promise<() => void>>;
};

const maxPrincipals = 10_000;
/** Of one principal: servers whose sessions are kept for what was subscribed to, and of one of these: resources. */
const maxHeld = 32;
const maxUris = 1_000;

/**
 * What servers tell beside calls, for the streams of our clients. To hear of lists keeps no session and starts no program: it is
 * heard while the principal's session is there for its calls. A subscription keeps the session as long as a stream is open.
 */
export class HeardServers {
  readonly #mcp: Pick<Mcp, 'call' | 'listen' | 'overhear'>;
  readonly #askedBy: (caller: McpCaller) => Promise<readonly string[]>;
  readonly #translate: (caller: McpCaller, serverId: string, told: Notification) => Notification | null;
  readonly #streams = new Map<string, Set<Stream>>();
  /** By principal and server: what was subscribed to. A client may subscribe before it opens its stream. */
  readonly #subscribed = createBoundedCache<Map<string, Set<string>>>(maxPrincipals);

  constructor(
    mcp: Pick<Mcp, 'call' | 'listen' | 'overhear'>,
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
      const held = [...(this.#subscribed.get(key)?.keys() ?? [])];
      await Promise.all(held.map((serverId) => this.#holdFor(stream, caller, serverId)));
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
    const key = keyOf(caller);
    const known = this.#subscribed.get(key) ?? new Map<string, Set<string>>();
    const uris = known.get(at.serverId) ?? new Set();
    if (uris.size < maxUris) uris.add(at.own);
    if (known.size < maxHeld || known.has(at.serverId)) known.set(at.serverId, uris);
    this.#subscribed.set(key, known);
    const streams = [...(this.#streams.get(key) ?? [])];
    await Promise.all(streams.map((stream) => this.#holdFor(stream, caller, at.serverId)));
  }

  /** It was unsubscribed from; with the last of a server its session is let go. */
  drop(caller: McpCaller, { serverId, own }: ResourceOf): void {
    const key = keyOf(caller);
    const known = this.#subscribed.get(key);
    const uris = known?.get(serverId);
    uris?.delete(own);
    if (uris === undefined || uris.size > 0) return;
    known?.delete(serverId);
    for (const stream of this.#streams.get(key) ?? []) letGo(stream, serverId);
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
    for (const uri of [...(this.#subscribed.get(keyOf(caller))?.get(serverId) ?? [])])
      await this.#mcp.call(caller, { serverId, method, params: withParams(noParams, { uri }) });
  }
}

/** A resource, as its server calls it. */
type ResourceOf = { readonly serverId: string; readonly own: string };

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

function keyOf(caller: McpCaller): string {
  const { keyId, client = null, toolset = null } = caller;
  return JSON.stringify([principalOf(caller), keyId, client, toolset]);
}
