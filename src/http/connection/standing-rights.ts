import type { Principal } from '../../access/access.ts';
import { Problem } from '../../base/problem.ts';
import { SlotList } from '../../base/slot-list.ts';
import type { RequestContext } from '../request-context.ts';

/** Notices of a change take half a second at most, so that a reply is over within one. */
const checkEveryMs = 300;
/** What is younger was checked at its beginning. */
const youngMs = 300;
/** What says that the right is over; anything else (the store is away) says nothing. */
const over = new Set([
  'invalid_api_key',
  'missing_scope',
  'missing_role',
  'invalid_token',
  'unauthorized_token',
  'not_found',
  'server_gone',
]);

export type StandingRights = {
  add(context: RequestContext): void;
  remove(context: RequestContext): void;
  stop(): void;
};

/**
 * Replies that last (streams, downloads, polls that wait) end when the right to them does: the key was revoked or is over,
 * the user's MIT was revoked, the server was deleted, a person is in other groups, by which rules let things through. `recheck`
 * throws then, and costs no query while nothing changes.
 */
export function createStandingRights(
  recheck: (context: RequestContext) => Promise<Principal>,
  onEnd: (context: RequestContext, problem: Problem) => void,
): StandingRights {
  const open = new SlotList<RequestContext>();
  const checking = new Set<RequestContext>();

  const check = async (context: RequestContext) => {
    checking.add(context);
    try {
      requireSameGroups(await recheck(context), context.caller);
    } catch (error) {
      if (!(error instanceof Problem && over.has(error.kind)) || context.reply.writableEnded) return;
      onEnd(context, error);
      context.reply.destroy();
    } finally {
      checking.delete(context);
    }
  };
  const timer = setInterval(() => {
    for (const context of open.all()) if (lasts(context) && !checking.has(context)) void check(context);
  }, checkEveryMs).unref();

  return {
    add: (context) => open.add(context),
    remove: (context) => void open.delete(context),
    stop: () => clearInterval(timer),
  };
}

/** What goes on was let through by the groups of its beginning: whoever comes back is judged by those of now. */
function requireSameGroups({ groups: now = [] }: Principal, { groups: then = [] }: Principal): void {
  if (JSON.stringify(now) !== JSON.stringify(then))
    throw new Problem('missing_role', 'Your groups are other ones by now: ask again');
}

/** A reply under way, or a read whose reply is waited for: a write that has begun is not cut off. */
function lasts(context: RequestContext): boolean {
  const { reply, method, route } = context;
  if (route === undefined || route.scope === null || context.elapsedMs() < youngMs) return false;
  return reply.headersSent ? !reply.writableEnded : method === 'GET';
}
