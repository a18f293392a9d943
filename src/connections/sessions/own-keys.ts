import type { Clock } from '../../base/clock.ts';
import { Problem } from '../../base/problem.ts';
import { type FilledIn, fillIn, type UserCredentials } from '../../base/user-credentials.ts';
import type { KnownServer, Owner, TryKey } from '../connections-model.ts';
import { serverProviderName } from '../grant-target.ts';
import type { Consent } from './connection-writer.ts';

/** What a user typed in, by the names that were asked for. */
export type KeyValues = Readonly<Record<string, string>>;

export type OwnKeys = {
  /** What a server asks its users for. Throws not_found, server_gone, and conflict where it asks for nothing (any more). */
  asksOf(serverId: string): Promise<UserCredentials>;
  /**
   * Tries what a user brings at the server; what it takes is a consent to be kept. Throws `invalid_request` where a value is not
   * as asked for or the server does not take it, and `upstream_error` where it cannot be asked.
   */
  tryOut(brought: Brought, signal?: AbortSignal): Promise<Consent>;
};

export type Brought = {
  readonly owner: Owner;
  readonly serverId: string;
  /** The name that it is kept under; null: the usual one. Another key under the same name takes its place. */
  readonly account: string | null;
  readonly values: KeyValues;
};
const usualAccount = 'key';

export function createOwnKeys(deps: {
  readonly findServer: (serverId: string) => Promise<KnownServer>;
  readonly tryKey: TryKey;
  readonly clock: Clock;
}): OwnKeys {
  const find = async (serverId: string) => {
    const { url, asks } = await deps.findServer(serverId);
    if (url === null || asks === null)
      throw new Problem('conflict', 'server_id: the server asks its users for no key');
    return { url, asks };
  };
  return {
    asksOf: async (serverId) => (await find(serverId)).asks,
    async tryOut({ owner, serverId, account, values }, signal) {
      const { url, asks } = await find(serverId);
      const filled = fillIn(asks, url, values);
      if (filled.url === url && Object.keys(filled.headers).length === 0)
        throw new Problem('invalid_request', 'values: expected at least one');
      const at = deps.clock.now();
      await requireTaken(await deps.tryKey(serverId, filled, signal));
      const known = { id: account ?? usualAccount, label: null, email: null, domain: null };
      return { owner, account: known, ...toConsent(serverId, url, filled), at };
    },
  };
}

function requireTaken(verdict: Awaited<ReturnType<TryKey>>): void {
  if (verdict.kind === 'refused') throw new Problem('invalid_request', `values: ${verdict.reason}`);
  if (verdict.kind === 'unreached') throw new Problem('upstream_error', verdict.reason);
}

function toConsent(
  serverId: string,
  url: string,
  filled: FilledIn,
): Omit<Consent, 'owner' | 'account' | 'at'> {
  const accessToken = JSON.stringify(filled);
  return {
    provider: serverProviderName(serverId),
    issued: { accessToken, refreshToken: null, lifeMs: null, scopes: [], dpopKey: null },
    asked: [],
    issuer: null,
    resource: url,
  };
}
