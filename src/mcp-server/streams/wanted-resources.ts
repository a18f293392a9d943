import { createBoundedCache } from '../../base/bounded-cache.ts';
import { scanJson } from '../../base/json-scanner.ts';
import { joinJson } from '../../base/json-splice.ts';
import { type Notification, noParams, principalOf, withParams } from '../../mcp/mcp.ts';
import type { BackendRequest, McpCaller, Outcome } from '../doors/backend.ts';

/** A resource, as its server calls it. */
export type ResourceOf = { readonly serverId: string; readonly own: string };

/** `by`: sessions and streams, oldest first, and whose each is. */
type Wish = ResourceOf & { readonly by: Map<string, string> };

const maxPrincipals = 10_000;
/** Clients that left say nothing: of one principal so many resources are known, of one of these so many who want it. */
const maxWishes = 4_000;
const maxSubscribers = 1_000;

/**
 * Who wants to be told of which resource. Towards a server all clients of a principal are one, so what one of them lets go of is
 * unsubscribed from only where no other wants it; and each is told of what it asked for itself.
 */
export class WantedResources {
  readonly #wishes = createBoundedCache<Map<string, Wish>>(maxPrincipals);

  add(caller: McpCaller, at: ResourceOf): void {
    const principal = principalOf(caller);
    const wishes = this.#wishes.get(principal) ?? new Map<string, Wish>();
    this.#wishes.set(principal, wishes);
    const wish = wishes.get(nameOf(at)) ?? { ...at, by: new Map() };
    putBounded(wishes, maxWishes, nameOf(at), wish);
    putBounded(wish.by, maxSubscribers, subscriberOf(caller), keyOf(caller));
  }

  remove(caller: McpCaller, at: ResourceOf): void {
    const wishes = this.#wishes.get(principalOf(caller));
    const wish = wishes?.get(nameOf(at));
    wish?.by.delete(subscriberOf(caller));
    if (wish?.by.size === 0) wishes?.delete(nameOf(at));
  }

  /** `ask`s the server to tell of it no more, unless another one wants it. */
  async unsubscribe(caller: McpCaller, at: ResourceOf, ask: () => Promise<Outcome>): Promise<Outcome> {
    this.remove(caller, at);
    const isWanted = this.#wishes.get(principalOf(caller))?.has(nameOf(at)) === true;
    return isWanted ? { kind: 'result', body: { members: [] } } : ask();
  }

  /** Whatever this session or stream subscribed to. */
  of(caller: McpCaller): ResourceOf[] {
    const subscriber = subscriberOf(caller);
    return this.#all(caller).filter(({ by }) => by.has(subscriber));
  }

  /** What clients with that key subscribed to at a server, or at all of them. */
  ofKey(caller: McpCaller, serverId?: string): ResourceOf[] {
    const key = keyOf(caller);
    return this.#all(caller).filter(
      (wish) => (serverId ?? wish.serverId) === wish.serverId && [...wish.by.values()].includes(key),
    );
  }

  /** Whether what a server tells is for this one: of a resource, or of one within it, only who subscribed to it is told. */
  isFor(caller: McpCaller, serverId: string, { method, params }: Notification): boolean {
    if (method !== 'notifications/resources/updated' || caller.subscriber === undefined) return true;
    const uri = scanJson(joinJson(params ?? ['{}']), { uri: true })
      .get('uri')
      ?.string();
    return this.of(caller).some((at) => at.serverId === serverId && uri?.startsWith(at.own) === true);
  }

  #all(caller: McpCaller): Wish[] {
    return [...(this.#wishes.get(principalOf(caller))?.values() ?? [])];
  }
}

/** The oldest goes where there is no more room. */
function putBounded<V>(map: Map<string, V>, max: number, name: string, value: V): void {
  if (map.size >= max && !map.has(name)) for (const oldest of map.keys().take(1)) map.delete(oldest);
  map.set(name, value);
}

/** What its client would have sent. */
export function unsubscribing({ own: uri }: ResourceOf): BackendRequest {
  return { method: 'resources/unsubscribe', params: withParams(noParams, { uri }) };
}

/** Whoever differs in any of these has a session of its own with a server, or hears of others. */
export function keyOf(caller: McpCaller): string {
  const { keyId, client = null, toolset = null } = caller;
  return JSON.stringify([principalOf(caller), keyId, client, toolset]);
}

function subscriberOf(caller: McpCaller): string {
  return `${keyOf(caller)} ${caller.subscriber ?? ''}`;
}

function nameOf({ serverId, own }: ResourceOf): string {
  return `${serverId}\n${own}`;
}
