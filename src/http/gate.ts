import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Access, Principal } from '../access/access.ts';
import { Problem } from '../base/problem.ts';
import type { Route } from './route.ts';
import { presentedKey } from './wire.ts';

export type Gate = {
  /** Key, scope and quota, before the body is read; calls back at once when the key is known already. */
  enter(declared: Route, request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void;
  /** Who came in by this request. */
  caller(request: FastifyRequest): Principal;
  /** Takes from the caller's quota and says in the reply what is left. */
  charge(reply: FastifyReply, caller: Principal, cost: number): void;
};

const nobody: Principal = {
  keyId: '',
  developerId: '',
  developer: '',
  scopes: new Set(),
  tier: '',
  perMinute: 0,
};

export function createGate(access: Access): Gate {
  const callers = new WeakMap<FastifyRequest, Principal>();

  const charge = (reply: FastifyReply, caller: Principal, cost: number) => {
    const quota = access.admit(caller, cost);
    reply
      .header('ratelimit-limit', quota.limit)
      .header('ratelimit-remaining', quota.remaining)
      .header('ratelimit-reset', Math.ceil(quota.resetMs / 1000));
    if (quota.allowed) return;
    const detail = `Rate limit of ${quota.limit} requests a minute exceeded`;
    throw new Problem('rate_limited', detail, { retryAfterMs: quota.retryAfterMs });
  };

  const admit = (declared: Route, request: FastifyRequest, reply: FastifyReply, caller: Principal) => {
    if (declared.scope !== null && !caller.scopes.has(declared.scope))
      throw new Problem('missing_scope', `This key lacks the scope ${declared.scope}`);
    callers.set(request, caller);
    charge(reply, caller, declared.cost);
  };

  return {
    enter(declared, request, reply, done) {
      if (declared.scope === null) return done();
      try {
        const caller = access.authenticate(presentedKey(request.raw), request.ip);
        if (caller instanceof Promise) {
          caller.then((found) => admit(declared, request, reply, found)).then(() => done(), done);
          return;
        }
        admit(declared, request, reply, caller);
      } catch (error) {
        return done(error as Error);
      }
      done();
    },
    caller: (request) => callers.get(request) ?? nobody,
    charge,
  };
}
