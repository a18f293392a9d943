import type { Outbound } from '../../outbound/outbound.ts';
import {
  type Channel,
  type Limits,
  type RpcRequest,
  type SendOptions,
  type Step,
  type Target,
  UpstreamFailure,
} from '../mcp-model.ts';
import { createModern } from '../messages/mirrored-headers.ts';
import { discoverMethod, modernRevision } from '../messages/rpc-message.ts';
import { openLegacySse } from '../transports/http-sse.ts';
import { createStanding, patienceWith } from '../transports/server-stream.ts';
import { createPoster, type Posted } from '../transports/streamable-http.ts';
import {
  contradicts,
  discover,
  type Era,
  failureOf,
  isRefusal,
  isSessionGone,
  judge,
  stepOf,
  supportedBy,
} from './reply-verdict.ts';
import { discovered, openSession, type Session } from './upstream-session.ts';

/** One server as one principal reaches it: finds out how it speaks, remembers that, and mends a lost session. */
export type Upstream = Channel & {
  /** For the log and the tests. */
  readonly era: () => Era | null;
};

type Verdict = { readonly era: Era; readonly until: number };

/** Methods that change nothing: to send them twice is harmless. */
const safe = /\/(list|read|get|templates\/list|discover)$|^(ping|completion\/complete)$/;

export function createUpstream(deps: {
  readonly target: Target & { readonly url: string };
  readonly outbound: Outbound;
  readonly limits: Limits;
  readonly now: () => number;
}): Upstream {
  const { target, outbound, limits, now } = deps;
  const { credential } = target;
  const post = createPoster({ outbound, url: target.url, credential, limits });
  const sendModern = createModern(post);
  let verdict: Verdict | undefined;
  let negotiating: Promise<void> | undefined;
  let session: Promise<Session> | undefined;
  /** The same once it is there, so that no call waits for it. */
  let opened: Session | undefined;
  let legacy: Promise<Channel> | undefined;

  const decide = (era: Era) => {
    // "Old" is doubted from time to time: it works for ever and would never heal itself.
    verdict = { era, until: era === 'modern' ? Number.POSITIVE_INFINITY : now() + limits.reprobeMs };
  };
  const endSession = (headers: Readonly<Record<string, string>>) => {
    outbound
      .request({
        method: 'DELETE',
        url: target.url,
        headers: { ...headers, ...credential.fields('DELETE', target.url) },
        timeoutMs: 2_000,
      })
      .catch(() => undefined);
  };
  const forgetSession = () => {
    session = undefined;
    opened = undefined;
  };
  /** The session, opened once for all who wait for it; `notHere` says that the server has no handshake. */
  const openOnce = (): Promise<Session> => {
    if (session !== undefined) return session;
    const began = now();
    session = openSession(post, {
      end: endSession,
      standing: (headers, respond) => {
        const patienceMs = patienceWith(now() - began);
        return createStanding({
          outbound,
          url: target.url,
          credential,
          limits,
          headers,
          respond,
          patienceMs,
        });
      },
    }).then(
      (answer) => {
        if ('send' in answer) {
          opened = answer;
          return answer;
        }
        forgetSession();
        throw isRefusal(answer) ? new NotHere(answer) : failureOf(answer);
      },
      (error: unknown) => {
        forgetSession();
        throw error;
      },
    );
    return session;
  };
  const openLegacy = (): Promise<Channel> => {
    legacy ??= openLegacySse({
      outbound,
      url: target.url,
      credential,
      limits,
      onEnd: () => {
        legacy = undefined;
      },
    }).then(
      (opened) => {
        if ('send' in opened) return opened;
        legacy = undefined;
        throw new NotHere({ ...opened, step: null });
      },
      (error: unknown) => {
        legacy = undefined;
        throw error;
      },
    );
    return legacy;
  };

  /** Which era, by asking; a real request may serve as the question where it does no harm, and its answer is returned. */
  const negotiate = async (request: RpcRequest, options: SendOptions): Promise<Step | null> => {
    if (target.hint === 'sse' && (await isLegacy(openLegacy))) {
      decide('sse');
      return null;
    }
    const question = request.method === 'tools/list' ? request : discover;
    let posted = await sendModern(question, options);
    // It refuses our revision and names it among its own: perhaps it just learnt it.
    if (supportedBy(posted.step)?.includes(modernRevision)) posted = await sendModern(question, options);
    const speaks = judge(posted, question);
    if (speaks === 'modern') {
      decide('modern');
      return question === request ? posted.step : null;
    }
    if (speaks === 'unknown') throw failureOf(posted);
    try {
      await openOnce();
      decide('session');
    } catch (error) {
      if (!(error instanceof NotHere)) throw error;
      if (!(await isLegacy(openLegacy))) throw failureOf(error.posted);
      decide('sse');
    }
    return null;
  };
  const settle = async (request: RpcRequest, options: SendOptions): Promise<Step | null> => {
    // One asks, the others wait for what it finds out; when it fails, the next one asks.
    while (negotiating !== undefined) await negotiating;
    if (verdict !== undefined && verdict.until > now()) return null;
    const { promise, resolve } = Promise.withResolvers<void>();
    negotiating = promise;
    try {
      return await negotiate(request, options);
    } finally {
      negotiating = undefined;
      resolve();
    }
  };

  const inSession = (used: Session, request: RpcRequest, options: SendOptions): Promise<Step | Posted> => {
    if (request.method === discoverMethod)
      return Promise.resolve({ kind: 'reply', reply: discovered(used.hello) });
    const sent = used.send(request, options);
    if (!used.hasId) return sent;
    return sent.then(async (posted) => {
      if (!isSessionGone(posted)) return posted;
      // The server refused before it did anything, so this is safe for any call. Whoever comes first opens the new one.
      if (opened === used) forgetSession();
      return (await openOnce()).send(request, options);
    });
  };
  const attempt = (request: RpcRequest, options: SendOptions): Promise<Step | Posted> => {
    switch (verdict?.era) {
      case 'modern':
        return sendModern(request, options);
      case 'sse':
        return openLegacy().then((channel) => channel.send(request, options));
      default:
        if (opened !== undefined) return inSession(opened, request, options);
        return openOnce().then((used) => inSession(used, request, options));
    }
  };
  const once = async (request: RpcRequest, options: SendOptions): Promise<Step> => {
    for (let round = 0; ; round++) {
      if (verdict === undefined || verdict.until <= now()) {
        const answered = await settle(request, options);
        if (answered !== null) return answered;
      }
      const outcome = await attempt(request, options);
      if ('kind' in outcome) return outcome;
      // What was found out once holds no longer: the server refused the very way of asking. Find out again, once.
      if (round > 0 || !contradicts(outcome, verdict?.era)) return stepOf(outcome);
      verdict = undefined;
      forgetSession();
    }
  };

  return {
    era: () => verdict?.era ?? null,
    send(request, options) {
      const sent = once(request, options);
      if (!safe.test(request.method)) return sent;
      return sent.catch((error: unknown) => {
        const again = error instanceof UpstreamFailure && error.reason === 'broken';
        if (!again || options.signal?.aborted) throw error;
        return once(request, options);
      });
    },
    close() {
      session?.then((open) => open.close()).catch(() => undefined);
      legacy?.then((open) => open.close()).catch(() => undefined);
    },
  };
}

/** The server has no such way of speaking. */
class NotHere extends Error {
  readonly posted: Posted;

  constructor(posted: Posted) {
    super(`answered ${posted.status}`);
    this.posted = posted;
  }
}

async function isLegacy(open: () => Promise<Channel>): Promise<boolean> {
  try {
    await open();
    return true;
  } catch (error) {
    if (error instanceof NotHere && error.posted.status !== 401 && error.posted.status !== 403) return false;
    throw error instanceof NotHere ? failureOf(error.posted) : error;
  }
}
