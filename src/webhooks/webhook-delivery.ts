import { createHmac } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { Problem } from '../base/problem.ts';
import type { Outbound } from '../outbound/outbound.ts';
import type { Log } from '../telemetry/telemetry.ts';
import type { Vault } from '../vault/vault.ts';
import type { OutboxRow, WebhookRow, WebhookStore } from './webhook-store.ts';

/** Standard Webhooks' own schedule, in milliseconds: at once, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h. */
const retryDelaysMs = [
  5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 50_400_000, 72_000_000, 86_400_000,
];
const postTimeoutMs = 15_000;
const maxReplyBytes = 65_536;

export type DeliveryDeps = {
  readonly store: WebhookStore;
  readonly vault: Vault;
  readonly outbound: Pick<Outbound, 'request'>;
  readonly clock: Clock;
  readonly log: Log;
};

/** Posts one event, and drops it once it was accepted, given up, or nobody listens any more. */
export async function deliverEvent(deps: DeliveryDeps, event: OutboxRow, signal: AbortSignal): Promise<void> {
  const { store, clock, log } = deps;
  const row = await store.find(event.developer_id);
  if (row === undefined) return store.drop(event.id);
  const isAccepted = await post(deps, { row, event, signal }).catch((error: unknown) => {
    if (!(error instanceof Problem) || error.kind === 'internal') throw error;
    return false;
  });
  if (isAccepted) return store.drop(event.id);
  if (signal.aborted) return;
  const delayMs = retryDelaysMs[event.attempts];
  if (delayMs === undefined) {
    log.warn('webhooks.event.given_up', { event_id: event.id, developer_id: event.developer_id });
    return store.drop(event.id);
  }
  return store.postpone(event.id, event.attempts + 1, clock.now() + delayMs);
}

/** What a developer's secret is sealed for. */
export function secretBinding(developerId: string): readonly string[] {
  return ['webhook secret', developerId];
}

async function post(
  deps: DeliveryDeps,
  {
    row,
    event,
    signal,
  }: { readonly row: WebhookRow; readonly event: OutboxRow; readonly signal: AbortSignal },
): Promise<boolean> {
  const timestamp = Math.floor(deps.clock.now() / 1_000);
  const { status } = await deps.outbound.request({
    method: 'POST',
    url: row.url,
    headers: {
      'content-type': 'application/json',
      'webhook-id': event.id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': await signaturesOf(deps, row, `${event.id}.${timestamp}.${event.body}`),
    },
    body: event.body,
    timeoutMs: postTimeoutMs,
    maxBytes: maxReplyBytes,
    signal,
  });
  return status >= 200 && status < 300;
}

/** By the secret, and by the earlier one for a day after a change. */
async function signaturesOf(
  { vault, clock }: DeliveryDeps,
  row: WebhookRow,
  content: string,
): Promise<string> {
  const sealed = [row.secret_sealed];
  if (row.earlier_sealed !== null && (row.earlier_until ?? 0) > clock.now()) sealed.push(row.earlier_sealed);
  const secrets = await Promise.all(sealed.map((text) => vault.open(text, secretBinding(row.developer_id))));
  return secrets.map((secret) => `v1,${sign(secret, content)}`).join(' ');
}

/** HMAC-SHA256 over `id.timestamp.body` with the bytes behind `whsec_`. */
function sign(secret: string, content: string): string {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  return createHmac('sha256', key).update(content).digest('base64');
}
