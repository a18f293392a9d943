import { Type } from 'typebox';
import { keyActor } from '../base/actor.ts';
import { Problem } from '../base/problem.ts';
import { json, type Route, route } from '../http/route.ts';
import type { Webhooks } from '../webhooks/webhooks.ts';
import { orNull, strict, time } from './field-schemas.ts';
import { isoTime } from './iso-time.ts';

const url = Type.String({ minLength: 1, maxLength: 2_000, description: 'an https URL without user name' });
const webhookSchema = Type.Object(
  {
    url: orNull(Type.String()),
    updated_at: orNull(time),
    waiting: Type.Integer({ description: 'events that were not heard yet' }),
  },
  { $id: 'Webhook' },
);
const newWebhookSchema = Type.Object({ url: Type.String(), secret: Type.String() }, { $id: 'NewWebhook' });

/** Where a developer's own events go: the developer behind the key, nobody else's. */
export function webhookRoutes(webhooks: Webhooks): Route[] {
  return [
    route({
      method: 'PUT',
      url: '/v1/identity/webhook',
      summary: 'Have events posted to this URL; the secret that signs them is in this reply and nowhere else',
      scope: 'identity',
      body: Type.Object({ url }, strict),
      reply: newWebhookSchema,
      handle: async ({ body, caller }) =>
        json({ ...(await webhooks.set(caller.developerId, urlOf(body.url), keyActor(caller))) }),
    }),
    route({
      method: 'GET',
      url: '/v1/identity/webhook',
      summary: 'Where events are posted, without the secret, and how many wait; null when nowhere',
      scope: 'identity',
      reply: webhookSchema,
      handle: async ({ caller }) => {
        const set = await webhooks.get(caller.developerId);
        return json({
          url: set?.url ?? null,
          updated_at: set === null ? null : isoTime(set.updatedAt),
          waiting: set?.waiting ?? 0,
        });
      },
    }),
    route({
      method: 'DELETE',
      url: '/v1/identity/webhook',
      summary: 'Post no more events; those that wait are dropped',
      scope: 'identity',
      reply: Type.Object({ deleted: Type.Boolean() }),
      handle: async ({ caller }) =>
        json({ deleted: await webhooks.remove(caller.developerId, keyActor(caller)) }),
    }),
  ];
}

function urlOf(text: string): string {
  const parsed = URL.parse(text);
  const fits =
    parsed !== null && /^https?:$/.test(parsed.protocol) && parsed.username === '' && parsed.hash === '';
  if (!fits)
    throw new Problem('invalid_request', 'url: expected an https URL without user name and fragment');
  return parsed.href;
}
