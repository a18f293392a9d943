import type { TokenSet } from './api.ts';
import { MCPRankError } from './errors.ts';
import type { CallOptions, Sender } from './sender.ts';

/** The MIT of one user: asked for when it is first needed, refreshed before it ends, by one caller for all who wait. */
export type Tokens = {
  token(options?: CallOptions): Promise<string>;
  /** Does the work with a token; when that one was refused, once more with another. */
  use<T>(work: (token: string) => Promise<T>, options?: CallOptions): Promise<T>;
  /** It is no longer good, or shall no longer be. */
  forget(): void;
};

type Held = { readonly set: TokenSet; readonly freshUntil: number };

/** A token that ends on its way is worth nothing. */
const marginMs = 60_000;

export function createTokens(send: Sender['send'], userId: string): Tokens {
  let held: Held | undefined;
  let coming: Promise<string> | undefined;

  const fetchSet = async (): Promise<TokenSet> => {
    if (held !== undefined)
      try {
        return await send('POST /v1/identity/refresh', { body: { refresh_token: held.set.refresh_token } });
      } catch (error) {
        if (!(error instanceof MCPRankError) || error.code !== 'invalid_grant') throw error;
        held = undefined;
      }
    return send('POST /v1/identity/token', { body: { user_id: userId } });
  };
  const renew = async (): Promise<string> => {
    // Life counts from when it was asked for, by our own clock: clocks differ, durations do not.
    const asked = Date.now();
    const set = await fetchSet();
    held = { set, freshUntil: asked + set.expires_in * 1_000 - marginMs };
    return set.access_token;
  };
  const token: Tokens['token'] = ({ signal } = {}) => {
    if (held !== undefined && held.freshUntil > Date.now()) return Promise.resolve(held.set.access_token);
    coming ??= renew().finally(() => {
      coming = undefined;
    });
    return signal === undefined ? coming : orAborted(coming, signal);
  };
  const forget = () => {
    held = undefined;
  };

  return {
    token,
    forget,
    async use(work, options) {
      const used = await token(options);
      try {
        return await work(used);
      } catch (error) {
        // Refused at the door, before anything ran: revoked, or signed with a key that is gone.
        if (!(error instanceof MCPRankError) || error.code !== 'invalid_token') throw error;
        if (held?.set.access_token === used) forget();
        return work(await token(options));
      }
    },
  };
}

/** Others may wait for the same promise: only this wait ends. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener('abort', stop));
}
