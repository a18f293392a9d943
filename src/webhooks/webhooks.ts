/**
 * Events for an app that does not ask: a refresh token was used twice, a user's consent at a provider is over.
 *
 * Promises: an event is written with the deed it tells of, so neither exists without the other; it is posted to the
 * developer's URL until that says 2xx, each time under the same id, for three days; the body is signed as Standard
 * Webhooks does (https://www.standardwebhooks.com), by the old secret too for a day after a change; it never holds a
 * token. The URL passes the same address guard as every way out. When the app is away or slow, its events wait and
 * nobody else's do; when the store is away, they are posted when it is back.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { Outbound } from '../outbound/outbound.ts';
import type { Storage } from '../storage/storage.ts';
import type { Log } from '../telemetry/telemetry.ts';
import type { Vault } from '../vault/vault.ts';
import { DeliveryRun } from './delivery-run.ts';
import { deliverEvent, secretBinding } from './webhook-delivery.ts';
import { createWebhookStore } from './webhook-store.ts';

export { sealedColumns } from './webhook-store.ts';

export type Webhooks = {
  /** Sets where a developer's events go; `secret` is the only time it is shown. A change keeps the old one for a day. */
  set(
    developerId: string,
    url: string,
    actor: string,
  ): Promise<{ readonly url: string; readonly secret: string }>;
  /** Where they go, since when (ms since 1970), and how many wait to be delivered. */
  get(
    developerId: string,
  ): Promise<{ readonly url: string; readonly updatedAt: number; readonly waiting: number } | null>;
  remove(developerId: string, actor: string): Promise<boolean>;
  /** Posts what is due, and what falls due meanwhile; a job calls it. */
  deliver(signal: AbortSignal): Promise<void>;
};

const earlierSecretMs = 86_400_000;

export function createWebhooks(deps: {
  readonly storage: Storage;
  readonly vault: Vault;
  readonly outbound: Pick<Outbound, 'request'>;
  readonly clock: Clock;
  readonly log: Log;
}): Webhooks {
  const { storage, vault, clock } = deps;
  const store = createWebhookStore(storage, clock);
  return {
    async set(developerId, url, actor) {
      const secret = `whsec_${randomBytes(32).toString('base64')}`;
      const sealed = await vault.seal(secret, secretBinding(developerId));
      await store.put({ developerId, url, sealed, earlierUntil: clock.now() + earlierSecretMs }, actor);
      return { url, secret };
    },
    async get(developerId) {
      const row = await store.find(developerId);
      if (row === undefined) return null;
      return { url: row.url, updatedAt: row.updated_at, waiting: await store.countWaiting(developerId) };
    },
    remove: store.remove,
    deliver: (signal) =>
      new DeliveryRun(store, (event) => deliverEvent({ ...deps, store }, event, signal), signal).finish(),
  };
}
