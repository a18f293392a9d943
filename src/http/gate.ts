import type { Access, Principal, Quota } from '../access/access.ts';
import { isAmong } from '../base/ip-networks.ts';
import { Problem } from '../base/problem.ts';
import type { User } from '../identity/identity.ts';
import type { ConsoleSessions } from './console/console-sessions.ts';
import type { Exchange } from './exchange.ts';
import type { Route } from './route.ts';
import { type Credentials, credentialsOf } from './wire.ts';

export type Gate = {
  /** Key, scope, quota and user, before the body is read; calls back at once when key and user are known already. */
  enter(declared: Route, exchange: Exchange, done: (error?: Error) => void): void;
  /** Who came in by this request. */
  caller(exchange: Exchange): Principal;
  /** For whom, by the MIT that came with it. */
  user(exchange: Exchange): User | null;
  /** Takes from the caller's quota and says in the reply what is left. */
  charge(exchange: Exchange, caller: Principal, cost: number): void | Promise<void>;
};

const nobody: Principal = {
  keyId: '',
  developerId: '',
  developer: '',
  scopes: new Set(),
  tier: '',
  perMinute: 0,
  addresses: null,
};

/** The user behind a MIT, if it is that developer's; a value, not a promise, when it is known. */
export type VerifyUser = (token: string, developerId: string) => User | Promise<User>;

export function createGate(access: Access, verifyUser: VerifyUser, sessions?: ConsoleSessions): Gate {
  const charge = (exchange: Exchange, caller: Principal, cost: number): void | Promise<void> => {
    const quota = access.admit(caller, cost);
    return quota instanceof Promise ? quota.then((found) => say(exchange, found)) : say(exchange, quota);
  };
  const say = (exchange: Exchange, quota: Quota) => {
    exchange.set('ratelimit-limit', String(quota.limit));
    exchange.set('ratelimit-remaining', String(quota.remaining));
    exchange.set('ratelimit-reset', String(Math.ceil(quota.resetMs / 1000)));
    if (quota.allowed) return;
    const detail = `Rate limit of ${quota.limit} requests a minute exceeded`;
    throw new Problem('rate_limited', detail, { retryAfterMs: quota.retryAfterMs });
  };

  const admit = (declared: Route, exchange: Exchange, caller: Principal) => {
    // From elsewhere a key is no key: the refusal does not say that it would be one (threats L2).
    if (caller.addresses !== null && !isAmong(exchange.address, caller.addresses))
      throw new Problem('invalid_api_key', 'Missing or invalid API key');
    if (declared.scope !== null && !caller.scopes.has(declared.scope))
      throw new Problem('missing_scope', `This key lacks the scope ${declared.scope}`);
    exchange.caller = caller;
    return charge(exchange, caller, declared.cost);
  };

  /** A cookie stands in for a key only where no other credentials were sent, and only for the API proper. */
  const credentials = (declared: Route, { request }: Exchange): Credentials => {
    const { cookie, authorization } = request.headers;
    const bare =
      cookie !== undefined && request.headers['x-api-key'] === undefined && authorization === undefined;
    const key = bare && declared.url.startsWith('/v1/') ? (sessions?.keyOf(request) ?? null) : null;
    return key === null ? credentialsOf(request, declared.user !== undefined) : { key, token: null };
  };

  const actFor = (
    declared: Route,
    exchange: Exchange,
    caller: Principal,
    token: string | null,
  ): Promise<void> | undefined => {
    if (token === null) {
      if (declared.user === 'required')
        throw new Problem('invalid_token', 'A MIT is required in Authorization');
      return undefined;
    }
    const user = verifyUser(token, caller.developerId);
    if (user instanceof Promise)
      return user.then((found) => {
        exchange.user = found;
      });
    exchange.user = user;
    return undefined;
  };

  return {
    enter(declared, exchange, done) {
      if (declared.scope === null) return done();
      try {
        const { key, token } = credentials(declared, exchange);
        const enter = (caller: Principal) => {
          const admitted = admit(declared, exchange, caller);
          const act = () => actFor(declared, exchange, caller, token);
          return admitted instanceof Promise ? admitted.then(act) : act();
        };
        const caller = access.authenticate(key, exchange.address);
        const entered = caller instanceof Promise ? caller.then(enter) : enter(caller);
        if (entered instanceof Promise) {
          entered.then(
            () => done(),
            (error: Error) => done(refusal(declared, error)),
          );
          return;
        }
      } catch (error) {
        return done(refusal(declared, error as Error));
      }
      done();
    },
    caller: ({ caller }) => caller ?? nobody,
    user: ({ user }) => user,
    charge,
  };
}

function refusal({ challenge }: Route, error: Error): Error {
  if (challenge !== true || !(error instanceof Problem) || error.kind !== 'invalid_token') return error;
  return new Problem('unauthorized_token', error.detail, { cause: error.cause });
}
