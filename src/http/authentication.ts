import { type Access, isAtLeast, type Principal, type Quota, type Role } from '../access/access.ts';
import { isAmong } from '../base/ip-networks.ts';
import { isHostAmong, isLoopbackHost, ownHosts } from '../base/own-hosts.ts';
import { Problem } from '../base/problem.ts';
import type { User } from '../identity/identity.ts';
import type { ConsoleSessions } from './console/console-sessions.ts';
import type { LifecycleStep } from './lifecycle.ts';
import { accessTokenIn, type Credentials, credentialsIn, pathOf } from './request-checks.ts';
import type { RequestContext } from './request-context.ts';

/** The user behind a MIT, if it is that developer's. */
export type VerifyUser = (token: string, developerId: string) => Promise<User>;

/** Who stands behind an access token of ours at that path, and for whom. Throws `unauthorized_token`. */
export type VerifyAccessToken = (
  token: string,
  path: string,
) => Promise<{ readonly caller: Principal; readonly user: User | null }>;

/** A person who is signed in to the console without a key. Throws `invalid_api_key`. */
export type VerifyAccount = (accountId: string) => Promise<{
  readonly caller: Principal;
  readonly user: User | null;
}>;

/** For whom programs on this machine call at the doors of MCP without a key. */
export type Keyless = {
  /** Throws `invalid_api_key` where that has ended. */
  readonly caller: () => Promise<{ readonly caller: Principal; readonly user: null }>;
  readonly publicUrl: () => string;
};

type Identified = { readonly caller: Principal; readonly user: User | null };

/** Takes from the caller's quota and says in the reply what is left. Throws `rate_limited`. */
type Charge = (context: RequestContext, cost: number) => void | Promise<void>;

/** The steps that find out who calls, whether they may, and for whom. They run before the body is read. */
export type Authentication = {
  readonly authenticate: LifecycleStep;
  readonly authorize: LifecycleStep;
  readonly limit: LifecycleStep;
  readonly identifyUser: LifecycleStep;
  readonly charge: Charge;
  /** The same for a reply that lasts: who calls, as they are now. A MIT that is over by its time alone ends nothing: it was good when the call began. */
  readonly recheck: (context: RequestContext) => Promise<Principal>;
};

export function createAuthentication(deps: {
  readonly access: Access;
  readonly verifyUser: VerifyUser;
  readonly verifyAccessToken: VerifyAccessToken;
  readonly verifyAccount: VerifyAccount;
  readonly consoleSessions: ConsoleSessions | undefined;
  readonly keyless: Keyless | undefined;
}): Authentication {
  const { access, verifyUser, verifyAccessToken, verifyAccount, consoleSessions, keyless } = deps;
  /** Somebody without a key: by an access token, or by a console's cookie. null: a key is what counts. */
  const withoutKey = (context: RequestContext) => {
    if (context.isKeyless && keyless !== undefined) return keyless.caller();
    if (context.accessToken !== null) return verifyAccessToken(context.accessToken, pathOf(context.target));
    return context.account === null ? null : verifyAccount(context.account);
  };

  const charge: Charge = (context, cost) => {
    const quota = access.admit(context.caller, cost);
    return quota instanceof Promise
      ? quota.then((found) => reportQuota(context, found))
      : reportQuota(context, quota);
  };

  return {
    /** The key, or at a door of MCP an access token. Throws `invalid_api_key`, `sign_in_required`, `unauthorized_token`, `cross_site` for a console's cookie from elsewhere, `rate_limited` for guesses. */
    authenticate(context) {
      if (context.route?.scope === null) return undefined;
      context.isKeyless = keyless !== undefined && comesFromHere(context, keyless.publicUrl());
      context.accessToken = context.isKeyless ? null : accessTokenIn(context);
      context.account = accountIn(context, consoleSessions);
      const person = withoutKey(context);
      if (person !== null) return put(context, person);
      const { key, token } = credentialsOf(context, consoleSessions);
      context.token = token;
      const caller = access.authenticate(key, context.address);
      if (caller instanceof Promise)
        return put(
          context,
          caller.then((found) => ({ caller: found, user: null })),
        );
      context.caller = caller;
      return undefined;
    },

    /** Whether that key may do this, from there. Throws `missing_scope` and `invalid_api_key`. */
    authorize: ({ route, caller, address }) => requireRight(route, caller, address),

    limit(context) {
      const { route } = context;
      return route === undefined || route.scope === null ? undefined : charge(context, route.cost);
    },

    /** For whom, by the MIT. Throws `invalid_token`, and `unauthorized_token` where the route challenges. */
    identifyUser(context) {
      const { route, token, caller } = context;
      if (token === null && context.user === null && route?.user === 'required')
        throw new Problem('invalid_token', 'A MIT is required in Authorization');
      if (token === null || context.accessToken !== null || context.account !== null) return undefined;
      const identified = verifyUser(token, caller.developerId).then(
        (user) => ({ caller, user }),
        (error: unknown) => {
          if (route?.challenge !== true || !isInvalidToken(error)) throw error;
          throw new Problem('unauthorized_token', error.detail, { cause: error.cause });
        },
      );
      return put(context, identified);
    },

    charge,

    async recheck(context) {
      const { token, caller, route, params, address } = context;
      const person = await withoutKey(context);
      const now =
        person?.caller ?? (await access.authenticate(credentialsOf(context, consoleSessions).key, address));
      // A person's role may be a smaller one by now.
      requireRight(route, now, address);
      if (token !== null && !isOver(token)) await verifyUser(token, caller.developerId);
      await route?.recheck?.(params, now);
      return now;
    },
  };
}

/** Puts down who calls, and for whom, once it is known. */
async function put(context: RequestContext, identified: Promise<Identified>): Promise<void> {
  const { caller, user } = await identified;
  context.caller = caller;
  context.user = user;
}

/**
 * A program on this machine at a door of MCP, with no credentials at all. Not a page: one of another origin says so, and one that
 * made its name lead here does not call us by ours (threats P14).
 */
function comesFromHere({ route, request, address }: RequestContext, publicUrl: string): boolean {
  const { authorization, 'x-api-key': key, host = '', origin } = request.headers;
  if (route?.challenge !== true || authorization !== undefined || key !== undefined) return false;
  // Another port of this machine is somebody else's, too.
  const isOurPage = origin === undefined || URL.parse(origin)?.host === host;
  return isLoopbackHost(address) && isHostAmong(`http://${host}`, ownHosts(publicUrl)) && isOurPage;
}

/** By what it says itself: it was verified when the call began. */
function isOver(token: string): boolean {
  try {
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
      exp?: unknown;
    };
    return typeof claims.exp === 'number' && claims.exp * 1_000 <= Date.now();
  } catch {
    return false;
  }
}

function isInvalidToken(error: unknown): error is Problem {
  return error instanceof Problem && error.kind === 'invalid_token';
}

/** A cookie stands in for a key only where no other credentials were sent, and only for the API proper. */
function cookieOf({ request, route }: RequestContext, sessions: ConsoleSessions | undefined): string | null {
  const { cookie, authorization } = request.headers;
  const bare =
    cookie !== undefined && request.headers['x-api-key'] === undefined && authorization === undefined;
  return bare && route?.url.startsWith('/v1/') ? (sessions?.keyOf(request) ?? null) : null;
}

/** Only a cookie of ours, which is sealed, names an account. */
function accountIn(context: RequestContext, sessions: ConsoleSessions | undefined): string | null {
  const named = cookieOf(context, sessions);
  return named?.startsWith('acc_') === true ? named : null;
}

function credentialsOf(context: RequestContext, sessions: ConsoleSessions | undefined): Credentials {
  const key = cookieOf(context, sessions);
  return key === null
    ? credentialsIn(context.request, context.route?.user !== undefined)
    : { key, token: null };
}

/** Throws `invalid_api_key`, `missing_scope` and `missing_role`. */
function requireRight(route: RequestContext['route'], caller: Principal, address: string): void {
  if (route === undefined || route.scope === null) return;
  // Outside its networks a key is answered as if it were unknown: the refusal does not say that it is one (threats L2).
  if (caller.addresses !== null && !isAmong(address, caller.addresses))
    throw new Problem('invalid_api_key', 'Missing or invalid API key');
  const { scope, orScope } = route;
  if (caller.role !== undefined) requireRole(caller.role, route.role);
  else if (!caller.scopes.has(scope) && (orScope === undefined || !caller.scopes.has(orScope)))
    throw new Problem('missing_scope', `This key lacks the scope ${route.scope}`);
}

function requireRole(role: Role, least: Role | undefined): void {
  if (least === undefined) throw new Problem('missing_role', 'This needs an API key');
  if (!isAtLeast(role, least))
    throw new Problem('missing_role', `This needs the role ${least}; yours is ${role}`);
}

function reportQuota(context: RequestContext, quota: Quota): void {
  context.setHeader('ratelimit-limit', String(quota.limit));
  context.setHeader('ratelimit-remaining', String(quota.remaining));
  context.setHeader('ratelimit-reset', String(Math.ceil(quota.resetMs / 1000)));
  if (quota.allowed) return;
  const detail = `Rate limit of ${quota.limit} requests a minute exceeded`;
  throw new Problem('rate_limited', detail, { retryAfterMs: quota.retryAfterMs });
}
