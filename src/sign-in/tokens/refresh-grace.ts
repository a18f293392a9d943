import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../base/clock.ts';
import type { Vault } from '../../vault/vault.ts';
import type { OAuthReply } from '../oauth-request.ts';
import { digestOf, type SignInStore } from '../sign-in-store.ts';

/** Two processes of one client, or one that lost the reply: for so long the same request has the same answer. */
const graceMs = 10_000;
const pollMs = 25;
const model = 'RefreshReply';

/**
 * A refresh token works once, and whoever comes with it again ends its family: it was stolen from somebody (RFC 9700 section 4.14.2).
 * But two windows of one editor refresh at the same moment, on any replicas. The first use is made; the others wait for it and are given
 * the same pair. The reply rests sealed, under a digest of all that was sent, the client's secret included.
 */
export function createRefreshGrace(deps: {
  readonly store: SignInStore;
  readonly clock: Clock;
  readonly tickets: Vault['sealedTokens'];
}) {
  const { store, clock, tickets } = deps;
  const binding = (id: string) => `sign-in refresh ${id}`;

  const wait = async (id: string): Promise<OAuthReply | null> => {
    for (;;) {
      const row = await store.record(model, id);
      if (row === undefined || row.expires_at <= clock.now()) return null;
      if (row.payload !== '') return decode(tickets.open(row.payload, binding(id)));
      await delay(pollMs);
    }
  };
  const make = async (id: string, run: () => Promise<OAuthReply>): Promise<OAuthReply> => {
    const expires_at = clock.now() + graceMs;
    const row = { model, id, grant_id: null, account_id: null, expires_at };
    if (!(await store.addRecord({ ...row, payload: '' }))) return (await wait(id)) ?? run();
    try {
      const reply = await run();
      if (reply.status === 200)
        await store.putRecord({ ...row, payload: tickets.seal(encode(reply), binding(id), graceMs) });
      else await store.removeRecord(model, id);
      return reply;
    } catch (error) {
      await store.removeRecord(model, id);
      throw error;
    }
  };

  /** `sent`: everything by which two requests are the same one. */
  return (sent: readonly string[], run: () => Promise<OAuthReply>): Promise<OAuthReply> =>
    make(digestOf(JSON.stringify(['refresh', ...sent])), run);
}

function encode({ status, headers, body }: OAuthReply): string {
  return JSON.stringify([status, headers, body.toString()]);
}

function decode(text: string | null): OAuthReply | null {
  if (text === null) return null;
  const [status, headers, body] = JSON.parse(text) as [number, OAuthReply['headers'], string];
  return { kind: 'reply', status, headers, body: Buffer.from(body) };
}
