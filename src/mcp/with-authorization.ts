import { Problem } from '../base/problem.ts';
import {
  type AuthorizationRequests,
  type OpenedSession,
  parseChallenges,
  sessionFacts,
} from '../connections/connections.ts';
import { type Caller, type RpcRequest, UpstreamFailure } from './mcp-model.ts';
import type { FoundTarget, Targets } from './targets.ts';

/**
 * Uses a server in the caller's name. A token that is refused is renewed once, and the use repeated; what the user has to
 * mend becomes `provider_not_connected` with a session that does (threats N6).
 */
export type WithAuthorization = <T>(
  caller: Caller,
  serverId: string,
  operation: RpcRequest,
  use: (found: FoundTarget) => Promise<T>,
) => Promise<T>;

type Deps = {
  readonly targets: Targets;
  readonly requests: Pick<AuthorizationRequests, 'requestAuthorization' | 'requestScopes'>;
};
/** A use that was refused, and whose. */
type Refused = {
  readonly failure: UpstreamFailure;
  readonly caller: Caller;
  readonly serverId: string;
  readonly operation: RpcRequest;
  readonly own: FoundTarget['own'];
  /** It went with a token that we got for ourselves: no user can mend that. */
  readonly isOurs: boolean;
};

export function createWithAuthorization(deps: Deps): WithAuthorization {
  return async (caller, serverId, operation, use) => {
    let found: FoundTarget | null = null;
    try {
      const known = deps.targets.find(caller, serverId);
      found = known instanceof Promise ? await known : known;
      return await use(found);
    } catch (error) {
      const failure = await toRefusal(deps, error, found);
      if (failure === null) throw error;
      const own = found?.own ?? null;
      const isOurs = found?.machineToken !== undefined;
      const refused: Refused = { failure, caller, serverId, operation, own, isOurs };
      return retryRenewed(deps, refused, found, use);
    }
  };
}

async function retryRenewed<T>(
  deps: Deps,
  refused: Refused,
  found: FoundTarget | null,
  use: (found: FoundTarget) => Promise<T>,
): Promise<T> {
  const mayRenew = found !== null && refused.failure.status === 401;
  const renewed = mayRenew
    ? await deps.targets.renewed(refused.caller, found, refused.failure.challenge)
    : null;
  if (renewed === null) throw await explain(deps, refused);
  try {
    return await use(renewed);
  } catch (again) {
    const failure = await toRefusal(deps, again, renewed);
    if (failure === null) throw again;
    throw await explain(deps, { ...refused, failure, own: renewed.own });
  }
}

/** What to throw in the refusal's place: what the user can do about it, where there is something. */
async function explain(deps: Deps, refused: Refused): Promise<unknown> {
  try {
    return await mendable(deps, refused);
  } catch (error) {
    // The sign-in cannot be used: the call fails for the reason it failed for, and the words say what is wrong.
    if (!(error instanceof Problem) || error.kind !== 'upstream_error') throw error;
    return new UpstreamFailure('auth', error.detail, { cause: error });
  }
}

async function mendable(
  { requests }: Deps,
  { failure, caller, serverId, operation, own, isOurs }: Refused,
): Promise<unknown> {
  if (isOurs) return failure;
  const challenges = parseChallenges(failure.challenge);
  const { developerId, userId, keyId, account, developer = developerId } = caller;
  if (userId === undefined) {
    const offersOAuth = challenges.some(({ resourceMetadata }) => resourceMetadata !== null);
    return failure.status === 401 && offersOAuth ? wantsUser(serverId, failure) : failure;
  }
  const { challenge } = failure;
  const owner = { developerId, userId };
  const request = { owner, keyId, appName: developer, serverId, account, challenge };
  if (failure.status === 401) {
    const session = await requests.requestAuthorization(request);
    return session === null ? failure : notConnected(serverId, session, failure);
  }
  const wanted = challenges.find(({ error }) => error === 'insufficient_scope');
  if (wanted === undefined || own === null) return failure;
  const named = JSON.stringify([operation.method, operation.params?.name ?? null]);
  const step = await requests.requestScopes({ ...request, operation: named, scopes: wanted.scopes });
  if (step.kind === 'session') return missingScopes(serverId, step.session, wanted.scopes, failure);
  return new UpstreamFailure('auth', 'The server wants more than the user was asked for and gave', {
    cause: failure,
  });
}

/** null: it failed for another reason. Some guards answer 500 to a token that they do not know: then nothing has run. */
async function toRefusal(
  { targets }: Deps,
  error: unknown,
  found: FoundTarget | null,
): Promise<UpstreamFailure | null> {
  if (!(error instanceof UpstreamFailure)) return null;
  if (error.reason === 'auth') return error;
  if ((error.status ?? 0) < 500 || found === null || !(await targets.isRefusedByFailing(found))) return null;
  return new UpstreamFailure('auth', error.detail, { cause: error, status: 401 });
}

function wantsUser(serverId: string, cause: unknown): Problem {
  const detail = 'The server wants a user who has connected it: send the MIT of one';
  return new Problem('provider_not_connected', detail, { cause, facts: { server_id: serverId } });
}

function notConnected(serverId: string, opened: OpenedSession, cause: unknown): Problem {
  const detail = 'The user has not connected this server, or has to again: send them to auth_url';
  return new Problem('provider_not_connected', detail, {
    cause,
    facts: { server_id: serverId, session: sessionFacts(opened) },
  });
}

function missingScopes(
  serverId: string,
  opened: OpenedSession,
  scopes: readonly string[],
  cause: unknown,
): Problem {
  const detail = "The user's consent does not cover this call: send them to auth_url";
  return new Problem('provider_not_connected', detail, {
    cause,
    facts: { server_id: serverId, missing_scopes: scopes, session: sessionFacts(opened) },
  });
}
