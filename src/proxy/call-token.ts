import { keyActor } from '../base/actor.ts';
import { Problem } from '../base/problem.ts';
import {
  type AuthorizationSessions,
  type FreshToken,
  type ProviderApi,
  ProviderNotConfigured,
  sessionFacts,
  type UserTokens,
} from '../connections/connections.ts';
import { accountIn } from './policy/headers.ts';
import type { CallToken } from './provider-request.ts';
import type { ProxyRequest } from './proxy-model.ts';

export type TokenDeps = {
  readonly tokens: Pick<UserTokens, 'fresh'>;
  readonly sessions: Pick<AuthorizationSessions, 'open'>;
};

type Api = { readonly api: ProviderApi; readonly prefix: string | null };

/**
 * The user's token for a call, if its scopes can cover it. What the user has to mend is thrown as provider_not_connected or
 * token_expired, with a session that mends it where one can be opened.
 */
export async function getCallToken(
  deps: TokenDeps,
  request: ProxyRequest,
  { api, prefix }: Api,
): Promise<CallToken> {
  const provider = api.name;
  const account = accountIn(request.rawHeaders);
  const get = (refused?: number): Promise<FreshToken> =>
    deps.tokens
      .fresh({
        owner: request.owner,
        provider,
        actor: keyActor(request),
        ...(account === undefined ? {} : { account }),
        ...(refused === undefined ? {} : { refused }),
      })
      .catch((error: unknown) => {
        if (error instanceof ProviderNotConfigured) throw forOperator(error);
        if (!isForUser(error)) throw error;
        return refuse(deps, request, { provider, problem: error });
      });
  const token = await get();
  const missing = missingScopes(api, prefix, token.scopes);
  if (missing === null) return { token, renew: get };
  const detail = `The user's consent with ${provider} does not cover ${prefix}`;
  const problem = new Problem('provider_not_connected', detail, { facts: { missing_scopes: missing } });
  return refuse(deps, request, { provider, problem });
}

async function refuse(
  { sessions }: TokenDeps,
  { owner, keyId, appName }: ProxyRequest,
  { provider, problem }: { readonly provider: string; readonly problem: Problem },
): Promise<never> {
  const opened = await sessions
    .open({ owner, keyId, appName, target: { provider } })
    .catch((error: unknown) => {
      if (error instanceof ProviderNotConfigured) throw forOperator(error);
      return null;
    });
  const session = opened === null ? {} : { session: sessionFacts(opened) };
  throw new Problem(problem.kind, problem.detail, {
    cause: problem.cause,
    facts: { provider, ...problem.facts, ...session },
  });
}

/** Nobody can connect it here: not the user's to mend, but there is nothing at this address until the operator has. */
function forOperator({ detail }: ProviderNotConfigured): Problem {
  return new Problem('not_found', detail);
}

function isForUser(error: unknown): error is Problem {
  return (
    error instanceof Problem && (error.kind === 'provider_not_connected' || error.kind === 'token_expired')
  );
}

/**
 * The scopes one of which is missing for a call to this prefix, or null when it may go. What the provider's row does not
 * know may go, and so may a token whose scopes are not known.
 */
function missingScopes(
  { scopesByPrefix, uploadFolders }: ProviderApi,
  prefix: string | null,
  granted: readonly string[],
): readonly string[] | null {
  if (granted.length === 0 || prefix === null) return null;
  const folder = uploadFolders.find((each) => prefix.startsWith(each)) ?? '';
  const needed = scopesByPrefix[prefix.slice(folder.length)];
  if (needed === undefined || granted.some((scope) => needed.some((wanted) => covers(wanted, scope))))
    return null;
  return needed;
}

function covers(wanted: string, scope: string): boolean {
  return wanted.endsWith('*') ? scope.startsWith(wanted.slice(0, -1)) : scope === wanted;
}
