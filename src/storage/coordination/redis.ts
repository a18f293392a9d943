import { createClient, ErrorReply } from '@redis/client';
import type { Secret } from '../../base/secret.ts';

/** A script that Redis runs as one step: nothing of another process comes between its lines. */
export type Script = { readonly text: string; readonly sha1: string };

/** What many processes share beside the database, and can do without for a while. */
export type Redis = {
  /** Rejects at once when Redis is away or of no use, and after `timeoutMs` when it is slow. */
  run(script: Script, key: string, args: readonly (string | number)[]): Promise<readonly string[]>;
  /** It answers, and runs scripts that write. */
  isUp(): boolean;
  /** Why it is not up, in words; null while it is. */
  fault(): string | null;
  close(): Promise<void>;
};

/** A script takes a fraction of a millisecond; who waits longer than this is better served without. */
const timeoutMs = 150;
const connectTimeoutMs = 2_000;
/** Between two tries to come back. */
const reconnectMs = 500;
/** Keys that are written to find out whether it may be: of a cluster's node some of them are another's. */
const trialKeys = Array.from({ length: 16 }, (_, i) => `mcprank:trial:${i}`);
const trialScript = "return redis.call('SET', KEYS[1], '1', 'PX', 1000)";

/** What servers of other kinds answer, and what that means. */
const refusals: readonly (readonly [RegExp, string])[] = [
  [
    /^(MOVED|ASK|CLUSTERDOWN|CROSSSLOT|TRYAGAIN)\b/,
    'it is one node of a cluster and refuses the keys of the others: REDIS_URL must name a Redis that is no cluster',
  ],
  [/^READONLY\b/, 'it is a read-only replica: REDIS_URL must name the primary'],
  [/^(NOAUTH|WRONGPASS|NOPERM)\b/, 'it refuses the user or password of REDIS_URL, or what they may do'],
];

/** Connects in the background: a start does not wait for Redis, and neither does anything else. */
export function openRedis(url: Secret, onChange: (up: boolean, reason: string | null) => void): Redis {
  const client = createClient({
    url: url.reveal(),
    disableOfflineQueue: true,
    socket: { connectTimeout: connectTimeoutMs, reconnectStrategy: () => reconnectMs },
  });
  /** null: up; undefined: nothing is known yet. */
  let fault: string | null | undefined;
  let retrial: NodeJS.Timeout | undefined;
  let isTrying = false;
  const turn = (now: string | null) => {
    if (now === fault) return;
    // While it is away, its many ways of saying so are no news.
    const isNews = now === null || fault === null || fault === undefined || isRefusal(now);
    fault = now;
    if (isNews) onChange(fault === null, fault);
  };
  /** To answer is not enough: whoever cannot write for every process shares no limits. */
  const tryIt = async () => {
    if (isTrying) return;
    isTrying = true;
    clearTimeout(retrial);
    try {
      await Promise.all(trialKeys.map((key) => client.eval(trialScript, { keys: [key] })));
      turn(null);
    } catch (error) {
      turn(reasonOf(error));
      if (error instanceof ErrorReply) retrial = setTimeout(() => void tryIt(), reconnectMs).unref();
    } finally {
      isTrying = false;
    }
  };
  client.on('ready', () => void tryIt());
  client.on('error', (error: unknown) => turn(reasonOf(error)));
  client.on('end', () => turn('the connection was closed'));
  client.connect().catch((error: unknown) => turn(reasonOf(error)));

  const evaluate = async ({ text, sha1 }: Script, key: string, args: readonly (string | number)[]) => {
    const options = { keys: [key], arguments: args.map(String) };
    try {
      return await client.evalSha(sha1, options);
    } catch (error) {
      // A Redis that was restarted has forgotten its scripts.
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return client.eval(text, options);
    }
  };
  return {
    async run(script, key, args) {
      if (fault !== null) throw new Error(`Redis is of no use: ${fault ?? 'not connected yet'}`);
      const late = Promise.withResolvers<never>();
      const isLate = () => late.reject(new Error(`Redis did not answer in ${timeoutMs} ms`));
      // What has come meanwhile is read first: when this process was held up itself, Redis was not late.
      const timer = setTimeout(() => setImmediate(isLate), timeoutMs);
      try {
        const answer = await Promise.race([evaluate(script, key, args), late.promise]);
        return (answer as unknown[]).map(String);
      } catch (error) {
        // It became another's replica, or its memory is full: it says so to everybody until that is over.
        if (error instanceof ErrorReply) void tryIt();
        throw error;
      } finally {
        clearTimeout(timer);
      }
    },
    isUp: () => fault === null,
    fault: () => (fault === undefined ? 'it did not answer yet' : fault),
    async close() {
      clearTimeout(retrial);
      if (client.isOpen) client.destroy();
    },
  };
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  const [, meaning] = refusals.find(([pattern]) => pattern.test(text)) ?? [];
  return meaning === undefined ? text : `${meaning} (${text})`;
}

function isRefusal(reason: string): boolean {
  return refusals.some(([, meaning]) => reason.startsWith(meaning));
}
