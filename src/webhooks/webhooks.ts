/**
 * What an app should hear without asking: a refresh token was used twice, a user's consent at a provider is over.
 *
 * Promises: an event is written with the deed it tells of, so neither exists without the other; it is posted to the
 * developer's URL until that says 2xx, each time under the same id, for three days; the body is signed as Standard
 * Webhooks does (https://www.standardwebhooks.com), by the old secret too for a day after a change; it never holds a
 * token. The URL passes the same address guard as every way out. When the app is away or slow, its events wait and
 * nobody else's do; when the store is away, they are posted when it is back.
 */

import { createHmac, randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { forEachConcurrent } from '../base/concurrency.ts';
import { Problem } from '../base/problem.ts';
import type { Outbound } from '../outbound/outbound.ts';
import type { Storage } from '../storage/storage.ts';
import type { Log } from '../telemetry/telemetry.ts';
import type { Vault } from '../vault/vault.ts';
import { createWebhookStore, type OutboxRow, type WebhookRow } from './webhook-store.ts';

export { sealedColumns } from './webhook-store.ts';

export type Webhooks = {
  /** Sets where a developer's events go; `secret` is the only time it is shown. A change keeps the old one for a day. */
  set(
    developerId: string,
    url: string,
    actor: string,
  ): Promise<{ readonly url: string; readonly secret: string }>;
  /** Where they go, since when (ms since 1970), and how many were not heard yet. */
  get(
    developerId: string,
  ): Promise<{ readonly url: string; readonly updatedAt: number; readonly waiting: number } | null>;
  remove(developerId: string, actor: string): Promise<boolean>;
  /** Posts what is due; a job calls it. */
  deliver(signal: AbortSignal): Promise<void>;
};

/** Standard Webhooks' own schedule, in milliseconds: at once, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h. */
const pausesMs = [
  5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 50_400_000, 72_000_000, 86_400_000,
];
const earlierSecretMs = 86_400_000;
const postTimeoutMs = 15_000;
const perRound = 100;
const atOnce = 8;

export function createWebhooks(deps: {
  readonly storage: Storage;
  readonly vault: Vault;
  readonly outbound: Pick<Outbound, 'request'>;
  readonly clock: Clock;
  readonly log: Log;
}): Webhooks {
  const { storage, vault, outbound, clock, log } = deps;
  const store = createWebhookStore(storage, clock);

  const signaturesOf = async (row: WebhookRow, content: string): Promise<string> => {
    const sealed = [row.secret_sealed];
    if (row.earlier_sealed !== null && (row.earlier_until ?? 0) > clock.now())
      sealed.push(row.earlier_sealed);
    const secrets = await Promise.all(sealed.map((text) => vault.open(text, binding(row.developer_id))));
    return secrets.map((secret) => `v1,${sign(secret, content)}`).join(' ');
  };

  const post = async (row: WebhookRow, event: OutboxRow, signal: AbortSignal): Promise<boolean> => {
    const timestamp = Math.floor(clock.now() / 1_000);
    const signature = await signaturesOf(row, `${event.id}.${timestamp}.${event.body}`);
    const { status } = await outbound.request({
      method: 'POST',
      url: row.url,
      headers: {
        'content-type': 'application/json',
        'webhook-id': event.id,
        'webhook-timestamp': String(timestamp),
        'webhook-signature': signature,
      },
      body: event.body,
      timeoutMs: postTimeoutMs,
      maxBytes: 65_536,
      signal,
    });
    return status >= 200 && status < 300;
  };

  const deliverOne = async (event: OutboxRow, signal: AbortSignal): Promise<void> => {
    const row = await store.find(event.developer_id);
    // Nobody listens any more.
    if (row === undefined) return store.drop(event.id);
    const heard = await post(row, event, signal).catch((error: unknown) => {
      if (!(error instanceof Problem) || error.kind === 'internal') throw error;
      return false;
    });
    if (heard) return store.drop(event.id);
    if (signal.aborted) return;
    const pauseMs = pausesMs[event.attempts];
    if (pauseMs === undefined) {
      log.warn('a webhook was given up', { event: event.id, developer_id: event.developer_id });
      return store.drop(event.id);
    }
    return store.postpone(event.id, event.attempts + 1, clock.now() + pauseMs);
  };

  return {
    async set(developerId, url, actor) {
      const secret = `whsec_${randomBytes(32).toString('base64')}`;
      const sealed = await vault.seal(secret, binding(developerId));
      await store.put({ developerId, url, sealed, earlierUntil: clock.now() + earlierSecretMs }, actor);
      return { url, secret };
    },
    async get(developerId) {
      const row = await store.find(developerId);
      if (row === undefined) return null;
      return { url: row.url, updatedAt: row.updated_at, waiting: await store.waiting(developerId) };
    },
    remove: store.remove,
    async deliver(signal) {
      const due = await store.due(perRound);
      await forEachConcurrent(due, { limit: atOnce, signal }, (event) => deliverOne(event, signal));
    },
  };
}

function binding(developerId: string): readonly string[] {
  return ['webhook secret', developerId];
}

/** HMAC-SHA256 over `id.timestamp.body` with the bytes behind `whsec_`. */
function sign(secret: string, content: string): string {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  return createHmac('sha256', key).update(content).digest('base64');
}
